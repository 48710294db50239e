"""Signs of life of workers, so that others know whose spool will not be emptied by its owner any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.ledger.tables import WorkerHost


def beat(tx: Session, owner: str, hostname: str, version: str, now: datetime) -> None:
    """The worker lives. ``now`` is the ledger's clock (:func:`workers.ledger.clock.now`)."""
    row = tx.get(WorkerHost, owner)
    if row is None:
        tx.add(WorkerHost(id=owner, hostname=hostname, version=version, started_at=now, seen_at=now))
    else:
        row.hostname, row.version, row.seen_at = hostname, version, now


def gone(tx: Session, now: datetime, after: float) -> Sequence[str]:
    """Workers of whom nothing was heard for ``after`` seconds."""
    return tx.scalars(select(WorkerHost.id).where(WorkerHost.seen_at < now - timedelta(seconds=after))).all()
