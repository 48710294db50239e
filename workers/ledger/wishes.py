"""What messages ask for, written to the ledger. Writing a wish twice changes nothing."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.ledger.outbox import know_call
from workers.ledger.states import LIVE, State
from workers.ledger.tables import CallSession, Egress
from workers.payload import BadMessage


@dataclass(frozen=True, slots=True)
class Wish:
    """One output that is wanted. ``spec`` is what the attendant needs to know of it."""

    call_cid: str
    egress_id: str
    kind: str
    recording_type: str
    connector: dict[str, Any]
    spec: dict[str, Any]
    storage: str
    session_id: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    egress_id: str
    created: bool


def want(tx: Session, wish: Wish, now: datetime, *, unique: bool) -> Written:
    """Ask for an output.

    An ``egress_id`` that the call has already changes nothing; neither does, with ``unique``, a wish for a kind of
    output that the call is having. Raises BadMessage when the wish contradicts what is known.
    """
    known = tx.get(Egress, wish.egress_id)
    if known is not None:
        if known.call_cid != wish.call_cid:
            raise BadMessage(f"egress_id: '{wish.egress_id}' belongs to another call")
        return Written(known.id, False)
    if unique and (running := _running(tx, wish)) is not None:
        return Written(running.id, False)
    know_call(tx, wish.call_cid, now)
    session = _session(tx, wish, now)
    egress = Egress(
        id=wish.egress_id,
        session_id=session.id,
        call_cid=wish.call_cid,
        kind=wish.kind,
        recording_type=wish.recording_type,
        request_id=wish.request_id,
        state=State.PENDING.value,
        desired="run",
        spec=wish.spec,
        storage=wish.storage,
        created_at=now,
        updated_at=now,
    )
    tx.add(egress)
    tx.flush()
    return Written(egress.id, True)


def unwant(
    tx: Session,
    call_cid: str,
    now: datetime,
    *,
    recording_type: str | None = None,
    egress_id: str | None = None,
    session_id: str | None = None,
) -> list[str]:
    """Ask for an end. Returns the egresses that this concerns; none is no error (it may have ended by itself)."""
    query = select(Egress).where(Egress.call_cid == call_cid, Egress.state.in_([s.value for s in LIVE]))
    if recording_type is not None:
        query = query.where(Egress.recording_type == recording_type)
    if egress_id is not None:
        query = query.where(Egress.id == egress_id)
    if session_id is not None:
        query = query.where(Egress.session_id == session_id)
    found = tx.scalars(query).all()
    for egress in found:
        if egress.desired != "stop":
            egress.desired = "stop"
            egress.updated_at = now
    return [egress.id for egress in found]


def _running(tx: Session, wish: Wish) -> Egress | None:
    return tx.scalars(
        select(Egress).where(
            Egress.call_cid == wish.call_cid,
            Egress.kind == wish.kind,
            Egress.desired == "run",
            Egress.state.in_([s.value for s in LIVE]),
        )
    ).first()


def _session(tx: Session, wish: Wish, now: datetime) -> CallSession:
    """The session that the wish joins: the one it names, else the call's open one, else a new one."""
    if wish.session_id is not None:
        session = tx.get(CallSession, wish.session_id)
        if session is not None and session.call_cid != wish.call_cid:
            raise BadMessage(f"session_id: '{wish.session_id}' belongs to another call")
    else:
        session = tx.scalars(
            select(CallSession)
            .where(CallSession.call_cid == wish.call_cid, CallSession.ended_at.is_(None))
            .order_by(CallSession.created_at.desc())
        ).first()
    if session is None:
        session = CallSession(
            id=wish.session_id or str(uuid.uuid4()),
            call_cid=wish.call_cid,
            connector=wish.connector,
            created_at=now,
        )
        tx.add(session)
        tx.flush()
    elif session.ended_at is not None:
        session.ended_at = None
        session.connector = wish.connector
    elif session.connector != wish.connector:
        raise BadMessage(
            f"connector: session '{session.id}' of the call is attended at another address; stop it first, "
            "or name another session_id"
        )
    return session
