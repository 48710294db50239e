"""Work that one worker does for all of them: whoever holds its lease, by the ledger's clock."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from workers.ledger import clock
from workers.ledger.insert import insert_new
from workers.ledger.tables import Lease


def claim(tx: Session, name: str, owner: str, seconds: float) -> bool:
    """Take the lease, or hold it longer. False when another one holds it. Needs a transaction that writes."""
    now = clock.now(tx)
    until = now + timedelta(seconds=seconds)
    taken = tx.execute(
        update(Lease)
        .where(Lease.name == name, or_(Lease.owner == owner, Lease.expires < now))
        .values(owner=owner, expires=until)
    )
    if taken.rowcount == 1:  # type: ignore[attr-defined]
        return True
    return insert_new(tx, Lease, name=name, owner=owner, expires=until)


def free(tx: Session, name: str, owner: str) -> bool:
    """Whether that owner could take the lease now. Changes nothing, and so can be asked often."""
    held = tx.execute(select(Lease.owner, Lease.expires).where(Lease.name == name)).one_or_none()
    return held is None or held.owner == owner or held.expires < clock.now(tx)


def release(tx: Session, name: str, owner: str) -> None:
    """Give it up, so that nobody has to wait until it runs out. Nothing happens when another one holds it."""
    tx.execute(delete(Lease).where(Lease.name == name, Lease.owner == owner))
