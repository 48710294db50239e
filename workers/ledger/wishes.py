"""What is wanted, written to the ledger. Writing a wish twice changes nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.specs import EgressSpec
from workers.ledger import calls, directions, lifecycle, sessions
from workers.ledger.states import LIVE, State
from workers.ledger.tables import CallSession, Egress
from workers.refused import BadMessage, Refused

_GOING = (State.PENDING, State.STARTING, State.ACTIVE)


@dataclass(frozen=True, slots=True)
class Wish:
    """One output that is wanted. ``recording_type`` is what messages call it: of what is no recording, its kind.

    ``spec`` is what the attendant needs to know of it.
    """

    call_cid: str
    egress_id: str
    kind: str
    recording_type: str
    connector: dict[str, Any]
    spec: dict[str, Any]
    storage: str
    session_id: str | None = None
    request_id: str | None = None
    auto: bool = False
    asked_ms: int | None = None
    """When it was asked for by message, in milliseconds by the sender's clock."""


class Asked(TypedDict):
    """How an output is asked for, whatever it is: fields of a ``Wish``."""

    connector: dict[str, Any]
    storage: str
    session_id: str | None
    request_id: NotRequired[str | None]
    auto: NotRequired[bool]
    asked_ms: NotRequired[int | None]


def wish_for(spec: EgressSpec, call_cid: str, recording_type: str, asked: Asked) -> Wish:
    """The wish for what an attendant is to make of a call."""
    return Wish(
        call_cid=call_cid,
        egress_id=spec.egress_id,
        kind=spec.kind,
        recording_type=recording_type,
        spec=spec.model_dump(mode="json", exclude={"egress_id", "first_part"}),
        **asked,
    )


def called(wish: Wish) -> str:
    """What people call such an output."""
    named = {"transcription": "a transcription", "closed_captions": "closed captioning"}
    return named.get(wish.kind, f"a {wish.recording_type} recording")


@dataclass(frozen=True, slots=True)
class Written:
    egress_id: str
    created: bool


def want(tx: Session, wish: Wish, now: datetime, *, unique: bool = True) -> Written:
    """Ask for an output.

    An ``egress_id`` that the call has already changes nothing. Raises Refused: 409 when the call is having an output
    of that kind (unless not ``unique``), is attended at another address, or its session is over; BadMessage when ids
    belong to another call. A wish that a later message has taken back is written down as aborted.
    """
    call = calls.known(tx, wish.call_cid, now)
    known = tx.get(Egress, wish.egress_id)
    if known is not None:
        if known.call_cid != wish.call_cid:
            raise BadMessage(f"egress_id: '{wish.egress_id}' belongs to another call")
        return Written(known.id, False)
    taken_back = wish.asked_ms is not None and calls.stopped_since(
        call, wish.asked_ms, wish.recording_type, wish.egress_id, wish.session_id
    )
    if unique and not taken_back and (running := _running(tx, wish)) is not None:
        raise Refused(409, f"{called(wish)} of the call runs already: {running.id}", running.id)
    session = _session(tx, wish, now, over=taken_back)
    egress = Egress(
        id=wish.egress_id,
        session_id=session.id,
        call_cid=wish.call_cid,
        kind=wish.kind,
        recording_type=wish.recording_type,
        request_id=wish.request_id,
        state=State.PENDING.value,
        desired="stop" if taken_back else "run",
        auto=wish.auto,
        asked_ms=wish.asked_ms,
        spec=wish.spec,
        storage=wish.storage,
        created_at=now,
        updated_at=now,
    )
    tx.add(egress)
    tx.flush()
    if taken_back:
        lifecycle.aborted(tx, egress, "it was stopped before it began", now)
    return Written(egress.id, True)


def unwant(
    tx: Session,
    call_cid: str,
    now: datetime,
    *,
    recording_type: str | None = None,
    egress_id: str | None = None,
    session_id: str | None = None,
    asked_ms: int | None = None,
) -> list[str]:
    """Ask for an end. Returns the egresses that this concerns; none is no error (it may have ended by itself).

    With ``asked_ms``, when the message was sent, what was asked for by a later message goes on, and what was asked for
    by an earlier one and comes yet does not begin.
    """
    query = select(Egress).where(Egress.call_cid == call_cid, Egress.state.in_([s.value for s in LIVE]))
    if recording_type is not None:
        query = query.where(Egress.recording_type == recording_type)
    if egress_id is not None:
        query = query.where(Egress.id == egress_id)
    if session_id is not None:
        query = query.where(Egress.session_id == session_id)
    if asked_ms is not None:
        stop = calls.Stop(asked_ms, recording_type, egress_id, session_id)
        calls.remember_stop(calls.known(tx, call_cid, now), stop)
    found = [e for e in tx.scalars(query) if asked_ms is None or e.asked_ms is None or e.asked_ms <= asked_ms]
    for egress in found:
        if egress.desired != "stop":
            egress.desired = "stop"
            egress.updated_at = now
    return [egress.id for egress in found]


def running(
    tx: Session,
    call_cid: str,
    *,
    recording_type: str | None = None,
    egress_id: str | None = None,
    session_id: str | None = None,
) -> list[Egress]:
    """What is to run of a call, also what has not begun yet."""
    query = select(Egress).where(
        Egress.call_cid == call_cid, Egress.desired == "run", Egress.state.in_([s.value for s in _GOING])
    )
    if recording_type is not None:
        query = query.where(Egress.recording_type == recording_type)
    if egress_id is not None:
        query = query.where(Egress.id == egress_id)
    if session_id is not None:
        query = query.where(Egress.session_id == session_id)
    return list(tx.scalars(query.order_by(Egress.created_at, Egress.id).with_for_update()))


def change_layout(tx: Session, egress: Egress, layout: dict[str, Any], now: datetime) -> None:
    """Have an output drawn by another layout from now on."""
    egress.spec = {**egress.spec, "layout": layout}
    egress.updated_at = now
    session = tx.get_one(CallSession, egress.session_id)
    session.revision += 1


def open_session(tx: Session, call_cid: str, session_id: str | None) -> CallSession | None:
    """The session that a wish joins: the one it names, else the call's open one, the newest. Raises BadMessage."""
    if session_id is not None:
        session = tx.get(CallSession, session_id)
        if session is not None and session.call_cid != call_cid:
            raise BadMessage(f"session_id: '{session_id}' belongs to another call")
        return session
    return tx.scalars(
        select(CallSession)
        .where(CallSession.call_cid == call_cid, CallSession.ended_at.is_(None), CallSession.end_reason.is_(None))
        .order_by(CallSession.created_at.desc(), CallSession.id)
    ).first()


def is_over(session: CallSession) -> bool:
    """Whether nothing can begin in it any more. One that merely ran out begins again when something is wanted."""
    return session.end_reason is not None or (session.announced and session.ended_at is not None)


def _running(tx: Session, wish: Wish) -> Egress | None:
    return tx.scalars(
        select(Egress).where(
            Egress.call_cid == wish.call_cid,
            Egress.kind == wish.kind,
            Egress.desired == "run",
            Egress.state.in_([s.value for s in LIVE]),
        )
    ).first()


def _session(tx: Session, wish: Wish, now: datetime, over: bool) -> CallSession:
    """The session that the wish joins, else a new one. With ``over`` a new one is not opened for anybody to attend."""
    session = open_session(tx, wish.call_cid, wish.session_id)
    if session is None:
        session = CallSession(
            id=wish.session_id or str(uuid.uuid4()),
            call_cid=wish.call_cid,
            connector=wish.connector,
            created_at=now,
            ended_at=now if over else None,
        )
        tx.add(session)
        if not over:
            directions.begun(tx, session, now)
        tx.flush()
    elif over:
        return session
    elif is_over(session):
        raise Refused(409, f"session '{session.id}' of the call is over: {session.end_reason or 'it has ended'}")
    elif session.ended_at is not None:
        sessions.reopen(session, wish.connector)
        directions.begun(tx, session, now)
    elif session.connector != wish.connector:
        raise Refused(
            409,
            f"connector: session '{session.id}' of the call is attended at another address; stop it first, "
            "or name another session_id",
        )
    return session
