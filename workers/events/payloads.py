"""The payloads of events, field by field as the call backends define them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

STARTED = "call.recording_started"
STOPPED = "call.recording_stopped"
READY = "call.recording_ready"
FAILED = "call.recording_failed"
TYPES = (STARTED, STOPPED, READY, FAILED)


def rfc3339(time: datetime) -> str:
    """UTC with microseconds: ``2025-02-10T09:15:44.252969Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def recording_event(
    type_: str, call_cid: str, egress_id: str, recording_type: str, created_at: datetime
) -> dict[str, Any]:
    """``call.recording_started`` and ``call.recording_stopped``, and what the other two have in common with them."""
    return {
        "type": type_,
        "created_at": rfc3339(created_at),
        "call_cid": call_cid,
        "egress_id": egress_id,
        "recording_type": recording_type,
    }


def recording_failed(
    call_cid: str, egress_id: str, recording_type: str, created_at: datetime, error: str, error_code: str
) -> dict[str, Any]:
    """``error`` is a sentence for people, ``error_code`` a stable word for programs."""
    event = recording_event(FAILED, call_cid, egress_id, recording_type, created_at)
    return {**event, "error": error, "error_code": error_code}


def recording_ready(
    call_cid: str,
    egress_id: str,
    recording_type: str,
    created_at: datetime,
    *,
    session_id: str,
    filename: str,
    url: str,
    start_time: datetime,
    end_time: datetime,
) -> dict[str, Any]:
    event = recording_event(READY, call_cid, egress_id, recording_type, created_at)
    recording = {
        "end_time": rfc3339(end_time),
        "filename": filename,
        "recording_type": recording_type,
        "session_id": session_id,
        "start_time": rfc3339(start_time),
        "url": url,
    }
    return {**event, "call_recording": recording}
