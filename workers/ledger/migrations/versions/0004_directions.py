"""What is said of participants, and layouts that change while they are recorded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("directions", sa.JSON()))
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("directions", sa.JSON()))
        sessions.add_column(sa.Column("revision", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("egresses") as egresses:
        egresses.add_column(sa.Column("heard", sa.JSON(), nullable=False, server_default="{}"))


def downgrade() -> None:
    with op.batch_alter_table("egresses") as egresses:
        egresses.drop_column("heard")
    with op.batch_alter_table("sessions") as sessions:
        sessions.drop_column("revision")
        sessions.drop_column("directions")
    with op.batch_alter_table("calls") as calls:
        calls.drop_column("directions")
