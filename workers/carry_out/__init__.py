"""What a message does: it is checked, what it wants is written to the ledger, and who asked for an answer gets one."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.orm import Session

from egress.logs import about
from workers.carry_out import answers, calls, pages, participants, recordings, sessions, speech
from workers.carry_out.request import Outcome, Request
from workers.ledger.database import Ledger
from workers.ledger.sealed import keyring_of
from workers.messages import (
    CallSessionEnded,
    CallSessionStarted,
    Message,
    ModerateParticipant,
    Pin,
    SendClosedCaption,
    StartClosedCaptions,
    StartRecording,
    StartTranscription,
    StartWebRecording,
    StopAll,
    StopClosedCaptions,
    StopRecording,
    StopTranscription,
    StopWebRecording,
    Unpin,
    UpdateCall,
    UpdateRecording,
    UpdateTranscription,
    parse,
)
from workers.payload import shown
from workers.refused import Refused
from workers.settings import Settings

__all__ = ["Outcome", "carry_out"]

log = logging.getLogger(__name__)

_DEEDS: Mapping[type[Message], Callable[[Session, Settings, Any, Request], Outcome]] = {
    StartRecording: recordings.start,
    StopRecording: recordings.stop,
    UpdateRecording: recordings.update,
    StartWebRecording: pages.start,
    StopWebRecording: pages.stop,
    StopAll: recordings.stop_all,
    Pin: participants.pin,
    Unpin: participants.unpin,
    ModerateParticipant: participants.moderate,
    StartTranscription: speech.start_transcription,
    StopTranscription: speech.stop_transcription,
    UpdateTranscription: speech.update,
    StartClosedCaptions: speech.start_closed_captions,
    StopClosedCaptions: speech.stop_closed_captions,
    SendClosedCaption: speech.send,
    CallSessionStarted: sessions.started,
    CallSessionEnded: sessions.ended,
    UpdateCall: calls.update,
}


def carry_out(
    ledger: Ledger,
    settings: Settings,
    message_type: str,
    payload: object,
    message_id: str,
    sent_ms: object = None,
    languages: Collection[str] = (),
) -> Outcome:
    """Carry a message out. Raises Refused, after that is told; LedgerUnavailable.

    ``sent_ms`` is when it was sent, in milliseconds of Unix time by the sender's clock: it orders the messages of a
    call, whatever the order in which they are taken. ``languages`` are those that this worker's speech engine
    understands, as far as it has said. Doing it twice with the same ``message_id`` changes nothing.
    """
    request = Request(message_id, _sensible(sent_ms), datetime.now(UTC), languages)
    with about(**_named(payload)):
        return _carry_out(ledger, settings, message_type, payload, request)


def _carry_out(ledger: Ledger, settings: Settings, message_type: str, payload: object, request: Request) -> Outcome:
    try:
        message = parse(message_type, payload, keyring_of(ledger.engine.dialect), settings.projects)
        outcome = ledger.write(lambda tx: _carried_out(tx, settings, message_type, message, request))
    except Refused as refusal:
        error = refusal
        log.warning("%s %s is refused: %s", shown(str(message_type)), request.message_id, error)
        ledger.write(lambda tx: answers.refused(tx, message_type, payload, request, error))
        raise
    log.info("%s %s of %s: %s", message_type, request.message_id, message.call_cid, outcome)
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def _carried_out(tx: Session, settings: Settings, message_type: str, message: Message, request: Request) -> Outcome:
    outcome = _DEEDS[type(message)](tx, settings, message, request)
    answers.taken(tx, message_type, message, request, outcome)
    return outcome


def _named(payload: object) -> dict[str, str]:
    """What the log says a message is about, before anybody has checked it."""
    if not isinstance(payload, dict):
        return {}
    found = {name: payload.get(name) for name in ("call_cid", "session_id", "egress_id")}
    return {name: shown(value) for name, value in found.items() if isinstance(value, str)}


def _sensible(sent_ms: object) -> int:
    """A clock that is ahead of ours must not hold for ever what it says against what comes after it."""
    now = int(time.time() * 1000)
    if isinstance(sent_ms, int) and not isinstance(sent_ms, bool) and 0 < sent_ms < now:
        return sent_ms
    return now
