"""Who attends which session: leases with an epoch that fences what a former owner still says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session, defer

from workers.ledger.states import LIVE
from workers.ledger.tables import CallSession, Egress


class LeaseLost(Exception):
    """Another worker has taken the session over."""


def open_sessions(tx: Session, owner: str, now: datetime, *, take_over: bool = True) -> Sequence[CallSession]:
    """Sessions with work to do that are ours, nobody's, or (with ``take_over``) whose lease has run out.

    The address of the room is not read: it would have to be opened each time, and few look at it.
    """
    live = select(Egress.session_id).where(Egress.state.in_([s.value for s in LIVE]))
    whose = [CallSession.owner.is_(None), CallSession.owner == owner]
    if take_over:
        whose.append(CallSession.lease_expires < now)
    return tx.scalars(
        select(CallSession)
        .options(defer(CallSession.connector))
        .where(
            CallSession.ended_at.is_(None),
            or_(CallSession.announced, CallSession.id.in_(live), CallSession.attendant_socket.is_not(None)),
            or_(*whose),
        )
        .order_by(CallSession.created_at)
    ).all()


def claim(tx: Session, session_id: str, owner: str, now: datetime, lease: float) -> int | None:
    """Take the session, or keep it. Returns its epoch (one more than before when the owner changes), None if taken.

    ``now`` is the ledger's clock, ``lease`` in seconds.
    """
    session = tx.get(CallSession, session_id)
    if session is None:
        return None
    epoch = session.epoch if session.owner == owner else session.epoch + 1
    # The condition repeats what was just read: of two workers that try at once, one updates no row.
    taken = tx.execute(
        update(CallSession)
        .where(
            CallSession.id == session_id,
            CallSession.epoch == session.epoch,
            or_(CallSession.owner.is_(None), CallSession.owner == owner, CallSession.lease_expires < now),
        )
        .values(owner=owner, epoch=epoch, lease_expires=now + timedelta(seconds=lease))
        .execution_options(synchronize_session="fetch")
    )
    return epoch if taken.rowcount == 1 else None  # type: ignore[attr-defined]


def renew(tx: Session, owner: str, held: Mapping[str, int], now: datetime, lease: float) -> set[str]:
    """Hold sessions (id to epoch) for another ``lease`` seconds. Returns those that somebody else has by now.

    One that we gave back meanwhile is left alone; one whose lease has run out is still ours if nobody took it.
    """
    expires = now + timedelta(seconds=lease)
    for session_id, epoch in sorted(held.items()):
        tx.execute(
            update(CallSession)
            .where(CallSession.id == session_id, CallSession.epoch == epoch, CallSession.owner == owner)
            .values(lease_expires=expires)
            .execution_options(synchronize_session=False)
        )
    epochs = tx.execute(select(CallSession.id, CallSession.epoch).where(CallSession.id.in_(held)))
    return {session_id for session_id, epoch in epochs if epoch != held[session_id]}


def owned(tx: Session, session_id: str, epoch: int) -> CallSession:
    """The session, if that epoch still owns it. Raises LeaseLost."""
    session = tx.get(CallSession, session_id)
    if session is None or session.epoch != epoch:
        raise LeaseLost(f"session {session_id} is no longer ours")
    return session


def release(session: CallSession) -> None:
    """Give the session back; its epoch stays, so that the next owner's is higher."""
    session.owner = None
    session.lease_expires = None
