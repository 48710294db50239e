"""What messages about sessions do."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.calls.rooms import room
from workers.carry_out.calls import change
from workers.carry_out.request import Outcome, Request, derived_id
from workers.ledger import calls, lifecycle, sessions, wishes
from workers.ledger.tables import CallSession
from workers.messages import CallSessionEnded, CallSessionStarted
from workers.refused import Refused
from workers.sessions.policy import SESSION_ENDED
from workers.settings import Settings


def started(tx: Session, settings: Settings, message: CallSessionStarted, request: Request) -> Outcome:
    cid = message.call_cid
    call = calls.known(tx, cid, request.now)
    session = wishes.open_session(tx, cid, message.session_id)
    if session is not None:
        session_id = session.id
    else:
        session_id = message.session_id or derived_id(cid, message.request_id or request.message_id)
    if calls.ended_since(call, request.sent_ms, session_id):
        raise Refused(409, f"session '{session_id}' of the call is over: a later message ended it")
    if not calls.is_newest_session(call, session_id, request.sent_ms):
        raise Refused(409, f"session '{session_id}' of the call is over: a later message began another one")
    changed = change(settings, call, message, request)
    running = session is not None and session.ended_at is None
    address = session.connector if session is not None and running else room(settings, call, cid, message.connector)
    told = sessions.announce(tx, cid, session_id, address, request.now)
    if told == "over":
        raise Refused(409, f"session '{session_id}' of the call is over")
    return Outcome([], told == "begun", changed)


def ended(tx: Session, settings: Settings, message: CallSessionEnded, request: Request) -> Outcome:
    cid = message.call_cid
    call = calls.known(tx, cid, request.now)
    if message.session_id is None:
        query = select(CallSession).where(CallSession.call_cid == cid, CallSession.ended_at.is_(None))
        found = list(tx.scalars(query.order_by(CallSession.created_at, CallSession.id)))
        if not found:
            return Outcome([], refusal=Refused(404, "the call has no session that is not over"))
    else:
        session = wishes.open_session(tx, cid, message.session_id)
        if session is None:
            # Its start may have been sent before, and come yet.
            calls.remember_end(call, message.session_id, request.sent_ms)
            return Outcome([], refusal=Refused(404, f"session '{message.session_id}' of the call is not known"))
        found = [session]
    egress_ids = [e.id for session in found for e in lifecycle.live_egresses(tx, session.id)]
    for session in found:
        sessions.ended(tx, session, SESSION_ENDED, request.now)
    return Outcome(egress_ids)
