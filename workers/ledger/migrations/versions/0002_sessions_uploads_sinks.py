"""Sessions that are announced, uploads in parts, signs of life, sinks that have their own pace; secrets are sealed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workers.ledger.sealed import Sealed

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("calls") as calls:
        calls.add_column(sa.Column("settings", sa.JSON(), nullable=False, server_default="{}"))
        calls.add_column(sa.Column("external_storage", sa.String(64)))
        calls.add_column(sa.Column("connector", sa.Text()))
        calls.add_column(sa.Column("heard", sa.JSON(), nullable=False, server_default="{}"))
        calls.add_column(sa.Column("updated_at", _TIME))
        calls.add_column(sa.Column("untold", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("calls_untold", "calls", ["untold", "cid"])
    known = sa.table("calls", sa.column("cid", sa.String), sa.column("untold", sa.Boolean))
    outbox = sa.table("outbox", sa.column("call_cid", sa.String), sa.column("sent_at", _TIME))
    unsent = sa.select(outbox.c.call_cid).where(outbox.c.sent_at.is_(None))
    op.execute(sa.update(known).where(known.c.cid.in_(unsent)).values(untold=True))
    _seal("sessions", "connector")
    _seal("egresses", "spec")
    with op.batch_alter_table("sessions") as sessions:
        sessions.add_column(sa.Column("announced", sa.Boolean(), nullable=False, server_default=sa.false()))
        sessions.add_column(sa.Column("first_join_at", _TIME))
        sessions.add_column(sa.Column("empty_since", _TIME))
        sessions.add_column(sa.Column("participants", sa.Integer(), nullable=False, server_default="0"))
        sessions.add_column(sa.Column("end_reason", sa.String(64)))
    op.create_index("sessions_open", "sessions", ["ended_at"])
    with op.batch_alter_table("egresses") as egresses:
        egresses.add_column(sa.Column("auto", sa.Boolean(), nullable=False, server_default=sa.false()))
        egresses.add_column(sa.Column("asked_ms", sa.BigInteger()))
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("host", sa.String(128)))
        files.add_column(sa.Column("upload", sa.JSON()))
    op.create_index("ix_files_host", "files", ["host"])
    op.create_table(
        "workers",
        sa.Column("id", sa.String(128), primary_key=True),
        sa.Column("hostname", sa.String(255), nullable=False),
        sa.Column("version", sa.String(64), nullable=False),
        sa.Column("started_at", _TIME, nullable=False),
        sa.Column("seen_at", _TIME, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.String(128), nullable=False),
        sa.Column("expires", _TIME, nullable=False),
    )
    op.create_table(
        "sink_cursors",
        sa.Column("sink", sa.String(255), primary_key=True),
        sa.Column("call_cid", sa.String(193), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
    )
    op.create_table(
        "dead_letters",
        sa.Column("id", _ROW, primary_key=True, autoincrement=True),
        sa.Column("sink", sa.String(255), nullable=False),
        sa.Column("event_id", sa.String(36), sa.ForeignKey("outbox.id"), nullable=False),
        sa.Column("call_cid", sa.String(193), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(1000), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("replay_at", _TIME),
        sa.UniqueConstraint("sink", "event_id"),
    )
    op.create_index("ix_dead_letters_event_id", "dead_letters", ["event_id"])
    op.create_index("dead_letters_call", "dead_letters", ["call_cid", "replay_at"])


def _seal(table: str, column: str) -> None:
    """Turn a column of JSON into one of sealed text.

    It is sealed first: then PostgreSQL, which writes the table anew for the other type, leaves no clear text behind.
    """
    connection = op.get_bind()
    postgresql = connection.dialect.name == "postgresql"
    old = sa.table(table, sa.column("id", sa.String), sa.column(column, sa.JSON))
    sealed = sa.table(table, sa.column("id", sa.String), sa.column(column, Sealed))
    for row_id, value in connection.execute(sa.select(old.c.id, old.c[column])).all():
        text = Sealed().process_bind_param(value, connection.dialect)
        # A string is JSON too; SQLite does not mind what stands in a column.
        holder, content = (old, text) if postgresql else (sealed, value)
        connection.execute(sa.update(holder).where(holder.c.id == row_id).values({column: content}))
    with op.batch_alter_table(table) as batch:
        batch.alter_column(column, existing_type=sa.JSON(), type_=sa.Text(), postgresql_using=f"{column} #>> '{{}}'")


def downgrade() -> None:
    raise RuntimeError("secrets are sealed in this ledger; an older program cannot read it")
