"""What messages about participants do: it is written down for the session, and counts in all that runs in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from egress.protocol.directions import Pin as Pinned
from workers.carry_out.request import Outcome, Request
from workers.ledger import calls, directions, lifecycle, wishes
from workers.ledger.tables import Call, CallSession
from workers.messages import ModerateParticipant, Pin, Unpin
from workers.refused import Refused
from workers.settings import Settings

Say = Callable[[directions.Said], dict[str, Any]]


def pin(tx: Session, settings: Settings, message: Pin, request: Request) -> Outcome:
    who = Pinned(user_id=message.user_id, participant=message.participant_session_id)
    return _say(tx, message, request, "pins", lambda said: directions.pinned(said, who, True, request.sent_ms))


def unpin(tx: Session, settings: Settings, message: Unpin, request: Request) -> Outcome:
    who = None
    if message.user_id is not None or message.participant_session_id is not None:
        who = Pinned(user_id=message.user_id, participant=message.participant_session_id)
    return _say(tx, message, request, "pins", lambda said: directions.pinned(said, who, False, request.sent_ms))


def moderate(tx: Session, settings: Settings, message: ModerateParticipant, request: Request) -> Outcome:
    words = {what: word for what in ("video", "audio") if (word := getattr(message, what)) is not None}
    user_id = message.user_id
    return _say(
        tx, message, request, "moderation", lambda said: directions.moderated(said, user_id, words, request.sent_ms)
    )


def _say(tx: Session, message: Pin | Unpin | ModerateParticipant, request: Request, what: str, say: Say) -> Outcome:
    """Say it of the sessions that are meant. The outcome names the egresses that it concerns."""
    call = calls.known(tx, message.call_cid, request.now)
    found = _sessions(tx, call, message.session_id)
    if not found:
        news = directions.wait(call, say(directions.waiting(call, request.now)), request.now)
    else:
        changes = [directions.change(session, say(session.directions or {}), request.now) for session in found]
        news = any(changes)
    egress_ids = [egress.id for session in found for egress in lifecycle.live_egresses(tx, session.id)]
    return Outcome(egress_ids, changed=[what] if news else [])


def _sessions(tx: Session, call: Call, session_id: str | None) -> list[CallSession]:
    if session_id is None:
        return directions.open_sessions(tx, call.cid)
    session = wishes.open_session(tx, call.cid, session_id)
    if session is None:
        raise Refused(404, f"session '{session_id}' of the call is not known")
    if wishes.is_over(session):
        raise Refused(409, f"session '{session_id}' of the call is over")
    return [session]
