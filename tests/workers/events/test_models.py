"""Events as their models make them: the documented fields, and nothing that was not said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from pydantic import ValidationError

from workers.events import payloads
from workers.events.models import EVENTS

AT = datetime(2025, 2, 10, 10, 15, 44, 252969, timezone(timedelta(hours=1)))
TOLD = "2025-02-10T09:15:44.252969Z"
COMMON = {"created_at": TOLD, "call_cid": "default:a", "egress_id": "e", "recording_type": "composite"}


def test_recording_events_have_the_documented_fields() -> None:
    for type_ in (payloads.STARTED, payloads.STOPPED):
        event = payloads.recording_event(type_, "default:a", "e", "composite", AT)
        assert event == {"type": type_, **COMMON}
        assert next(iter(event)) == "type"
    failed = payloads.recording_failed("default:a", "e", "composite", AT, "it broke", "broken")
    assert failed == {"type": payloads.FAILED, **COMMON, "error": "it broke", "error_code": "broken"}
    ready = payloads.recording_ready(
        "default:a",
        "e",
        "composite",
        AT,
        session_id="s",
        filename="f.mp4",
        url="file:///f.mp4",
        start_time=AT,
        end_time=AT,
    )
    recording = {
        "end_time": TOLD,
        "filename": "f.mp4",
        "recording_type": "composite",
        "session_id": "s",
        "start_time": TOLD,
        "url": "file:///f.mp4",
    }
    assert ready == {"type": payloads.READY, **COMMON, "call_recording": recording}


def test_answers_leave_out_what_they_do_not_have() -> None:
    taken = payloads.request_answered("default:a", "r1", AT, egress_ids=["e"])
    assert taken == {
        "type": payloads.ANSWERED,
        "created_at": TOLD,
        "call_cid": "default:a",
        "request_id": "r1",
        "ok": True,
        "egress_ids": ["e"],
    }
    refused = payloads.request_answered(None, "r2", AT, egress_id="e", error=(409, "conflict", "it runs"))
    assert "call_cid" not in refused
    assert refused["ok"] is False and refused["egress_id"] == "e"
    assert refused["error"] == {"code": 409, "name": "conflict", "message": "it runs"}


@pytest.mark.parametrize("change", [{"recording_type": "cinema"}, {"created_at": "soon"}, {"more": 1}])
def test_what_no_event_has_cannot_be_sent(change: dict[str, Any]) -> None:
    fields = {**COMMON, "created_at": datetime(2025, 1, 1, tzinfo=UTC), **change}
    with pytest.raises(ValidationError):
        EVENTS[payloads.STARTED].model_validate(fields)


def test_schemas_say_everything_and_let_receivers_meet_more() -> None:
    assert set(payloads.TYPES) == set(EVENTS)
    for type_, model in EVENTS.items():
        schema = model.model_json_schema(mode="serialization")
        assert schema["properties"]["type"]["const"] == type_
        assert schema["description"]
        assert "additionalProperties" not in schema
        described = {name for name, field in schema["properties"].items() if "description" in field or "$ref" in field}
        assert described >= set(schema["properties"]) - {"type", "recording_type", "call_recording"}
