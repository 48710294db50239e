"""Signs of life of workers, so that others know whose spool will not be emptied by its owner any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.ledger.lifecycle import UNFINISHED
from workers.ledger.tables import File, WorkerHost


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


def others(tx: Session, owner: str, now: datetime, within: float) -> bool:
    """Whether another worker gave a sign of life in the last ``within`` seconds."""
    seen = select(WorkerHost.id).where(WorkerHost.id != owner, WorkerHost.seen_at >= now - timedelta(seconds=within))
    return tx.scalars(seen.limit(1)).first() is not None


def known(tx: Session) -> Sequence[WorkerHost]:
    """All workers that ever ran and have not taken their leave, by name."""
    return tx.scalars(select(WorkerHost).order_by(WorkerHost.id)).all()


def leave(tx: Session, owner: str) -> bool:
    """The worker ends for good; False, and it stays known, while files lie in its spool that others may complete."""
    waiting = select(File.id).where(File.host == owner, File.state.in_(UNFINISHED)).limit(1)
    row = tx.get(WorkerHost, owner)
    if row is None or tx.scalar(waiting) is not None:
        return False
    tx.delete(row)
    return True
