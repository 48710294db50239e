"""Answers: the event that tells who asked whether a message was taken, and the failure of a start that was not."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.job import CID
from workers.carry_out.request import Outcome, Request, derived_event, derived_id, second_id
from workers.events import payloads
from workers.ledger import outbox, speech
from workers.ledger.speech import CLOSED_CAPTIONS, TRANSCRIPTION
from workers.ledger.tables import Event
from workers.messages import Message
from workers.refused import Refused
from workers.sentences import IDENTIFIER

RECORDING_TYPES = ("composite", "individual", "raw")
"""What events may say. Only composite recordings are made."""

_STARTS = {
    "start_recording": "recording",
    "start_web_recording": "recording",
    "start_transcription": "transcription",
    "start_closed_captions": "closed_captions",
}
"""Messages that ask for an output, and what their failure is called."""
_ALONG = {
    "start_transcription": ("enable_closed_captions", CLOSED_CAPTIONS),
    "start_closed_captions": ("enable_transcription", TRANSCRIPTION),
}
"""The field by which they ask for a second one, and what that is."""
_ERROR_CODES = {400: "bad_message", 403: "recording_disabled", 404: "not_found", 409: "conflict"}


def taken(tx: Session, message_type: str, message: Message, request: Request, outcome: Outcome) -> None:
    """Answer a message in the transaction that carries it out."""
    if message.request_id is None:
        return
    _put(tx, message_type, message.call_cid, message.request_id, request, outcome, outcome.refusal)


def refused(tx: Session, message_type: str, payload: object, request: Request, error: Refused) -> None:
    """Answer a message that changed nothing, as far as it says who asks and of which call."""
    fields: dict[Any, Any] = payload if isinstance(payload, dict) else {}
    cid = _text(fields, "call_cid")
    if cid is not None and not CID.fullmatch(cid):
        cid = None
    request_id = _text(fields, "request_id")
    if request_id is not None and not _storable(request_id, 128):
        request_id = None
    # What runs already is told by its own events: the call's recording has not failed.
    if message_type in _STARTS and cid is not None and error.egress_id is None:
        _tell_failure(tx, message_type, fields, cid, request_id, request, error)
    if request_id is not None:
        _put(tx, message_type, cid, request_id, request, Outcome([]), error)


def answer_id(message_type: str, call_cid: str | None, request_id: str) -> str:
    """The id of the answer's event: a message that comes twice is answered once."""
    return derived_event("answer", message_type, call_cid or "", request_id)


def given(tx: Session, event_id: str) -> dict[str, Any] | None:
    """The answer of that id, once there is one."""
    event = tx.scalar(select(Event).where(Event.id == event_id))
    return None if event is None else dict(event.payload)


def _put(
    tx: Session,
    message_type: str,
    cid: str | None,
    request_id: str,
    request: Request,
    outcome: Outcome,
    refusal: Refused | None,
) -> None:
    payload = payloads.request_answered(
        cid,
        request_id,
        request.now,
        egress_ids=outcome.egress_ids,
        changed=outcome.changed,
        egress_id=refusal.egress_id if refusal is not None else None,
        error=None if refusal is None else (refusal.code, refusal.name, str(refusal)[:1000]),
    )
    outbox.put(tx, payload, request.now, event_id=answer_id(message_type, cid, request_id))


def _tell_failure(
    tx: Session,
    message_type: str,
    fields: dict[Any, Any],
    cid: str,
    request_id: str | None,
    request: Request,
    error: Refused,
) -> None:
    """``call.recording_failed``, or what it is of another output: somebody may be waiting for it."""
    origin = request_id or request.message_id
    given = _text(fields, "egress_id")
    known = given is not None and re.fullmatch(IDENTIFIER, given)
    egress_id = given if known and given is not None else derived_id(cid, origin)
    told, code = str(error)[:1000], _ERROR_CODES[error.code]
    kind = _STARTS[message_type]
    if kind != "recording":
        code = error.error_code or code
        event = payloads.speech_failed(kind, cid, egress_id, request.now, told, code)
        field, other = _ALONG[message_type]
        if fields.get(field) is True and all(one.kind != other for one in speech.running(tx, cid, None)):
            along = payloads.speech_failed(other, cid, second_id(cid, origin, other), request.now, told, code)
            outbox.put(tx, along, request.now, event_id=derived_event("refused", cid, request.message_id, other))
    else:
        said = _text(fields, "recording_type")
        recording_type = said if said in RECORDING_TYPES else "composite"
        event = payloads.recording_failed(cid, egress_id, recording_type, request.now, told, code)
    outbox.put(tx, event, request.now, event_id=derived_event("refused", cid, request.message_id))


def _text(payload: dict[Any, Any], field: str) -> str | None:
    value = payload.get(field)
    return value if isinstance(value, str) else None


def _storable(text: str, most: int) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(text) <= most and "\0" not in text
