"""How calls came in, and the manifests that tell it beside the files."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    with op.batch_alter_table("egresses") as egresses:
        egresses.add_column(sa.Column("reception", sa.JSON()))
    op.create_table(
        "manifests",
        sa.Column("egress_id", sa.String(64), sa.ForeignKey("egresses.id"), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("host", sa.String(128)),
        sa.Column("key", sa.String(1000), nullable=False),
        sa.Column("url", sa.String(2000)),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("not_before", _TIME, nullable=False),
        sa.Column("error", sa.String(1000)),
    )
    op.create_index("manifests_due", "manifests", ["state", "not_before"])


def downgrade() -> None:
    op.drop_table("manifests")
    with op.batch_alter_table("egresses") as egresses:
        egresses.drop_column("reception")
