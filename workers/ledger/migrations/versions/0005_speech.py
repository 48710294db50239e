"""What is said in calls, kept until their transcripts are delivered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("egresses") as egresses:
        egresses.add_column(sa.Column("host", sa.String(128)))
    op.create_table(
        "transcript_lines",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("egress_id", sa.String(64), sa.ForeignKey("egresses.id"), nullable=False),
        sa.Column("spoken", sa.String(64), nullable=False),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("stop_time", _TIME, nullable=False),
        sa.Column("speaker_id", sa.String(256), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("language", sa.String(16), nullable=False),
        sa.Column("translated", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("words", sa.JSON()),
        sa.UniqueConstraint("egress_id", "spoken"),
    )


def downgrade() -> None:
    op.drop_table("transcript_lines")
    with op.batch_alter_table("egresses") as egresses:
        egresses.drop_column("host")
