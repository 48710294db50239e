"""Sessions in the ledger: announced, watched, limited and ended. Each function is part of the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workers.ledger import calls, directions
from workers.ledger.claims import LeaseLost, release
from workers.ledger.states import LIVE, State
from workers.ledger.tables import Call, CallSession, Egress
from workers.refused import BadMessage
from workers.sessions.policy import REASONS, SUPERSEDED, Decision

_LIVE = [state.value for state in LIVE]

_MANY = 500
"""Ids in one query: databases have a limit."""

Announced = Literal["begun", "known", "over"]


def locked(tx: Session, session_id: str) -> CallSession | None:
    """The session, kept from every other transaction until this one ends."""
    tx.flush()  # what is read anew would overwrite what was changed and not yet written
    return tx.get(CallSession, session_id, with_for_update=True, populate_existing=True)


def held(tx: Session, session_id: str, epoch: int) -> CallSession:
    """The session, locked with its call, if that epoch still owns it. Raises LeaseLost."""
    cid = tx.scalar(select(CallSession.call_cid).where(CallSession.id == session_id))
    if cid is not None:
        # Messages lock the call first, and so does everybody.
        tx.get(Call, cid, with_for_update=True, populate_existing=True)
    session = locked(tx, session_id)
    if session is None or session.epoch != epoch:
        raise LeaseLost(f"session {session_id} is no longer ours")
    return session


def announce(tx: Session, call_cid: str, session_id: str, connector: dict[str, Any], now: datetime) -> Announced:
    """A backend tells that a session of the call has begun: it is watched from now on.

    ``known``: that was told before, and changes nothing. ``over``: it has ended already, and does not begin again.
    A call has one announced session at a time: the one before is ended. Raises BadMessage when the session is another
    call's, or is attended at another address.
    """
    calls.known(tx, call_cid, now)
    session = locked(tx, session_id)
    if session is None:
        session = CallSession(id=session_id, call_cid=call_cid, connector=connector, created_at=now)
        tx.add(session)
    if session.call_cid != call_cid:
        raise BadMessage(f"session_id: '{session_id}' belongs to another call")
    if session.end_reason is not None:
        return "over"
    if session.announced:
        return "known"
    if session.ended_at is not None:
        # What was asked for by message without an announcement has run out; nobody said that the session was over.
        reopen(session, connector)
    elif session.connector != connector:
        raise BadMessage(f"connector: session '{session_id}' is attended at another address")
    session.announced = True
    directions.begun(tx, session, now)
    for former in tx.scalars(
        select(CallSession)
        .where(
            CallSession.call_cid == call_cid,
            CallSession.id != session_id,
            CallSession.announced,
            CallSession.ended_at.is_(None),
            CallSession.end_reason.is_(None),
        )
        .order_by(CallSession.id)
        .with_for_update()
    ).all():
        ended(tx, former, SUPERSEDED, now)
    tx.flush()
    return "begun"


def reopen(session: CallSession, connector: dict[str, Any]) -> None:
    """Let a session that ran out begin anew, as if nobody had been there."""
    session.ended_at = session.end_reason = session.first_join_at = session.empty_since = None
    session.participants, session.connector = 0, connector


def wanted_at(tx: Session, session_id: str) -> datetime | None:
    """When the latest of the outputs that are to run was asked for; None when none is."""
    return tx.scalar(
        select(Egress.created_at)
        .where(Egress.session_id == session_id, Egress.state.in_(_LIVE), Egress.desired == "run")
        .order_by(Egress.created_at.desc())
        .limit(1)
    )


def note(tx: Session, session: CallSession, decision: Decision, present: int | None, now: datetime) -> None:
    """Write down who is there, stop and end as was decided. What begins is the caller's."""
    if present is not None:
        session.participants = present
    if decision.first_join:
        session.first_join_at = now
    if decision.occupied is not None:
        session.empty_since = None if decision.occupied else now
    if decision.stop is not None:
        stop_everything(tx, session, decision.stop, now)
    if decision.end is not None:
        ended(tx, session, decision.end, now)


def stop_everything(tx: Session, session: CallSession, reason: str, now: datetime) -> Sequence[str]:
    """Ask for the end of all that runs in the session. Returns the egresses that were not to stop before.

    ``reason`` is one of :data:`workers.sessions.policy.REASONS`, or a sentence for people.
    """
    tx.flush()
    running = tx.scalars(
        select(Egress)
        .where(Egress.session_id == session.id, Egress.state.in_(_LIVE), Egress.desired == "run")
        .order_by(Egress.id)
        .with_for_update()
    ).all()
    for egress in running:
        egress.desired, egress.stop_reason, egress.updated_at = "stop", REASONS.get(reason, reason)[:200], now
    return [egress.id for egress in running]


def ended(tx: Session, session: CallSession, reason: str, now: datetime) -> None:
    """The session ends: everything of it is stopped, nothing of it begins any more. The first reason counts.

    It is over (``ended_at``) when nothing is left to record: see :func:`settle`.
    """
    if session.ended_at is not None and session.end_reason is not None:
        return
    if session.end_reason is None:
        session.end_reason = reason[:64]
    stop_everything(tx, session, session.end_reason, now)
    settle(tx, session, now)


def settle(tx: Session, session: CallSession, now: datetime) -> bool:
    """Whether the session is over, and write it down when it has come to that.

    It is over when no attendant is in it, nothing of it is left to record (what remains is delivery), and, if it was
    announced, there is a reason for its end. Its lease is given back.
    """
    if session.ended_at is not None:
        return True
    if not _is_over(tx, session):
        return False
    # Nothing can be asked for between this look and the end of the transaction: whoever asks locks the call first.
    tx.get(Call, session.call_cid, with_for_update=True, populate_existing=True)
    found = locked(tx, session.id)
    if found is None or not _is_over(tx, found):
        return False
    session.ended_at, session.participants = now, 0
    release(session)
    tx.flush()
    return True


def _is_over(tx: Session, session: CallSession) -> bool:
    if session.attendant_socket is not None or (session.announced and session.end_reason is None):
        return False
    tx.flush()
    left = tx.scalar(
        select(func.count())
        .select_from(Egress)
        .where(Egress.session_id == session.id, Egress.state.in_(_LIVE), Egress.state != State.FINALIZING.value)
    )
    return not left


@dataclass(frozen=True, slots=True)
class Mark:
    """What others may change of a session. A mark that differs from the last one is worth a closer look."""

    end_reason: str | None
    ended: bool
    announced: bool
    epoch: int
    attended: bool
    settings: str
    egresses: tuple[tuple[str, str, str], ...] = ()
    """Id, state and wish of those that are live."""


def marks(tx: Session, session_ids: Iterable[str]) -> dict[str, Mark]:
    """The marks of many sessions at once."""
    ids = list(session_ids)
    live: dict[str, list[tuple[str, str, str]]] = {}
    rows: dict[str, Mark] = {}
    for first in range(0, len(ids), _MANY):
        some = ids[first : first + _MANY]
        for owner, egress_id, state, desired in tx.execute(
            select(Egress.session_id, Egress.id, Egress.state, Egress.desired)
            .where(Egress.session_id.in_(some), Egress.state.in_(_LIVE))
            .order_by(Egress.id)
        ):
            live.setdefault(owner, []).append((egress_id, state, desired))
        for row in tx.execute(
            select(
                CallSession.id,
                CallSession.end_reason,
                CallSession.ended_at,
                CallSession.announced,
                CallSession.epoch,
                CallSession.attendant_socket,
                Call.settings,
            )
            .join(Call, Call.cid == CallSession.call_cid)
            .where(CallSession.id.in_(some))
        ):
            id_, reason, ended_at, announced, epoch, socket, settings = row
            rows[id_] = Mark(
                reason,
                ended_at is not None,
                announced,
                epoch,
                socket is not None,
                repr(settings),
                tuple(live.get(id_, ())),
            )
    return rows
