"""What messages about a call itself do."""

from __future__ import annotations

from sqlalchemy.orm import Session

from workers.calls.settings import whole
from workers.calls.stores import checked
from workers.carry_out.request import Outcome, Request
from workers.carry_out.speech import speak
from workers.ledger import calls, speech
from workers.ledger.tables import Call
from workers.messages import CallSessionStarted, UpdateCall
from workers.settings import Settings


def update(tx: Session, settings: Settings, message: UpdateCall, request: Request) -> Outcome:
    call = calls.known(tx, message.call_cid, request.now)
    changed = change(settings, call, message, request)
    if "transcription.language" in changed:
        language = whole(settings, call.cid, call.settings or {}).transcription.language
        speak(speech.running(tx, call.cid), language, request.now)
    return Outcome([], changed=changed)


def change(settings: Settings, call: Call, message: UpdateCall | CallSessionStarted, request: Request) -> list[str]:
    """Write what the message says of the call, and return the names of what it changed. Raises BadMessage."""
    changed: list[str] = []
    said = message.model_fields_set
    if "settings" in said and message.settings is not None:
        before = whole(settings, call.cid, call.settings or {}).model_dump(mode="json")
        own = calls.change_settings(call, message.settings.said(), request.sent_ms)
        after = whole(settings, call.cid, own).model_dump(mode="json")
        call.settings = own
        changed += calls.changes(before, after)
    for field in ("external_storage", "connector"):
        if field not in said:
            continue
        value = getattr(message, field)
        if value is None and isinstance(message, CallSessionStarted):
            continue
        if field == "external_storage" and value is not None:
            checked(settings, value, field)
        if value != getattr(call, field) and calls.is_news(call, field, request.sent_ms):
            setattr(call, field, value)
            changed.append(field)
    if changed:
        call.updated_at = request.now
    return changed
