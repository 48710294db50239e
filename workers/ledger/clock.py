"""The one clock by which leases run: the database's, so that hosts whose clocks disagree agree all the same."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session


def now(tx: Session) -> datetime:
    """The time by the database; SQLite is on this host and has none of its own."""
    if tx.get_bind().dialect.name == "sqlite":
        return datetime.now(UTC)
    # The time of the statement, not that of the transaction's beginning, which may have waited for a lock.
    found: datetime = tx.execute(text("SELECT clock_timestamp()")).scalar_one()
    return found.astimezone(UTC)
