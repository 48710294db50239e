"""The first ledger: calls, sessions, egresses, files, outbox."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TIME = sa.DateTime(timezone=True)
_ROW = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("cid", sa.String(193), primary_key=True),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("call_cid", sa.String(193), sa.ForeignKey("calls.cid"), nullable=False),
        sa.Column("connector", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(128)),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("lease_expires", _TIME),
        sa.Column("attendant_socket", sa.String(255)),
        sa.Column("attendant_pid", sa.Integer()),
        sa.Column("attendant_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("ended_at", _TIME),
    )
    op.create_index("ix_sessions_call_cid", "sessions", ["call_cid"])
    op.create_table(
        "egresses",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("session_id", sa.String(64), sa.ForeignKey("sessions.id"), nullable=False),
        sa.Column("call_cid", sa.String(193), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("recording_type", sa.String(16), nullable=False),
        sa.Column("request_id", sa.String(128)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("desired", sa.String(8), nullable=False),
        sa.Column("spec", sa.JSON(), nullable=False),
        sa.Column("storage", sa.String(64), nullable=False),
        sa.Column("next_part", sa.Integer(), nullable=False),
        sa.Column("files_closed", sa.Boolean(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("recorded", sa.Double(), nullable=False),
        sa.Column("participants", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(1000)),
        sa.Column("error_code", sa.String(64)),
        sa.Column("stop_reason", sa.String(200)),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("started_at", _TIME),
        sa.Column("stopped_at", _TIME),
        sa.Column("ended_at", _TIME),
    )
    for column in ("session_id", "call_cid", "state"):
        op.create_index(f"ix_egresses_{column}", "egresses", [column])
    op.create_table(
        "files",
        sa.Column("id", _ROW, primary_key=True, autoincrement=True),
        sa.Column("egress_id", sa.String(64), sa.ForeignKey("egresses.id"), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("spool_path", sa.String(1000), nullable=False),
        sa.Column("key", sa.String(1000)),
        sa.Column("url", sa.String(2000)),
        sa.Column("size", sa.BigInteger()),
        sa.Column("start_time", _TIME, nullable=False),
        sa.Column("end_time", _TIME),
        sa.Column("duration", sa.Double()),
        sa.Column("salvaged", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(1000)),
        sa.UniqueConstraint("egress_id", "epoch", "part"),
    )
    for column in ("egress_id", "state"):
        op.create_index(f"ix_files_{column}", "files", [column])
    op.create_table(
        "outbox",
        sa.Column("seq", _ROW, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(36), nullable=False, unique=True),
        sa.Column("call_cid", sa.String(193), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("sent_at", _TIME),
        sa.UniqueConstraint("call_cid", "position"),
    )
    op.create_index("outbox_unsent", "outbox", ["sent_at", "seq"])


def downgrade() -> None:
    for table in ("outbox", "files", "egresses", "sessions", "calls"):
        op.drop_table(table)
