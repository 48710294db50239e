"""The hosted platform's webhook events that are taken as messages: what is ours is picked out, the rest left alone."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from workers.calls.models import CallSettings
from workers.calls.usable import usable
from workers.payload import check, shown
from workers.refused import BadMessage
from workers.sentences import model_of

log = logging.getLogger(__name__)

MESSAGES = {"call.session_started": "call_session_started", "call.session_ended": "call_session_ended"}
"""Which message each event is."""


def taken(message_type: str, payload: object) -> object:
    """The payload of our message when it is such an event, else the payload as it is. Raises BadMessage."""
    event = payload.get("type") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(event, str) or event not in MESSAGES:
        return payload
    if MESSAGES[event] != MESSAGES.get(message_type, message_type):
        raise BadMessage(f"type: '{event}' is not allowed here; send it as {MESSAGES[event]}")
    fields = {name: payload[name] for name in ("call_cid", "session_id", "request_id") if name in payload}
    if event == "call.session_started":
        fields["settings"] = _settings(payload)
    return fields


def _settings(event: dict[Any, Any]) -> dict[str, Any]:
    call = event.get("call")
    said = call.get("settings") if isinstance(call, dict) else None
    if not isinstance(said, dict):
        return {}
    # A platform that knows more than we do must not keep a call from being attended.
    found, problems = usable(check(_known(said, CallSettings)))
    for problem in problems:
        log.warning("call.session_started of %s: settings.%s", shown(str(event.get("call_cid"))), problem)
    return found.said()


def _known(value: Mapping[Any, Any], model: type[BaseModel]) -> dict[str, Any]:
    """The fields that the model has and that have a value."""
    kept: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        given = value.get(name)
        if given is None or (given == "" and name.startswith("external_")):
            continue
        inner = model_of(field.annotation)
        kept[name] = _known(given, inner) if inner is not None and isinstance(given, Mapping) else given
    return kept
