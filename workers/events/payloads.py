"""The payloads of events, made by their models: JSON objects as the ledger keeps them and sinks send them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from egress.protocol.reports import Spoken
from workers.events.models import EVENTS, ClosedCaptionEvent, EgressRequestAnsweredEvent, EgressWarningEvent, rfc3339

__all__ = [
    "ANSWERED",
    "FAILED",
    "READY",
    "STARTED",
    "STOPPED",
    "TYPES",
    "WARNING",
    "closed_caption",
    "recording_event",
    "recording_failed",
    "recording_ready",
    "request_answered",
    "rfc3339",
    "speech_event",
    "speech_failed",
    "transcription_ready",
    "warning",
]

STARTED = "call.recording_started"
STOPPED = "call.recording_stopped"
READY = "call.recording_ready"
FAILED = "call.recording_failed"
ANSWERED = "egress.request_answered"
WARNING = "egress.warning"
TYPES = tuple(EVENTS)


def recording_event(
    type_: str, call_cid: str, egress_id: str, recording_type: str, created_at: datetime
) -> dict[str, Any]:
    """``call.recording_started`` and ``call.recording_stopped``."""
    return _egress_event(type_, call_cid, egress_id, created_at, recording_type=_told(recording_type))


def recording_failed(
    call_cid: str, egress_id: str, recording_type: str, created_at: datetime, error: str, error_code: str
) -> dict[str, Any]:
    """``error`` is a sentence for people, ``error_code`` a stable word for programs."""
    fields = {"recording_type": _told(recording_type), "error": error, "error_code": error_code}
    return _egress_event(FAILED, call_cid, egress_id, created_at, **fields)


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
    called = _told(recording_type)
    recording = {
        "end_time": end_time,
        "filename": filename,
        "recording_type": called,
        "session_id": session_id,
        "start_time": start_time,
        "url": url,
    }
    return _egress_event(READY, call_cid, egress_id, created_at, recording_type=called, call_recording=recording)


def speech_event(type_: str, call_cid: str, egress_id: str, created_at: datetime, **more: str) -> dict[str, Any]:
    """Steps of transcriptions and closed captions that need no more than to be named."""
    return _egress_event(type_, call_cid, egress_id, created_at, **more)


def speech_failed(
    kind: str, call_cid: str, egress_id: str, created_at: datetime, error: str, error_code: str
) -> dict[str, Any]:
    """``kind`` is ``transcription`` or ``closed_captions``."""
    return speech_event(f"call.{kind}_failed", call_cid, egress_id, created_at, error=error, error_code=error_code)


def transcription_ready(
    call_cid: str,
    egress_id: str,
    created_at: datetime,
    *,
    session_id: str,
    filename: str,
    url: str,
    start_time: datetime,
    end_time: datetime,
    language: str | None = None,
) -> dict[str, Any]:
    """``language`` is that of a translation."""
    transcription = {
        "end_time": end_time,
        "filename": filename,
        "session_id": session_id,
        "start_time": start_time,
        "url": url,
        "language": language,
    }
    return _egress_event("call.transcription_ready", call_cid, egress_id, created_at, call_transcription=transcription)


def closed_caption(call_cid: str, spoken: Spoken, created_at: datetime) -> dict[str, Any]:
    user = {"id": spoken.user_id, "role": spoken.role, "name": spoken.name or None, "image": spoken.image}
    caption = {
        "id": spoken.id,
        "text": spoken.text,
        "start_time": spoken.start_time,
        "end_time": spoken.end_time,
        "speaker_id": spoken.user_id,
        "user": user,
        "language": spoken.language,
        "translated": spoken.translated,
        "service": spoken.service or None,
    }
    fields = {"created_at": created_at, "call_cid": call_cid, "closed_caption": caption}
    return ClosedCaptionEvent.model_validate(fields).payload()


def request_answered(
    call_cid: str | None,
    request_id: str,
    created_at: datetime,
    *,
    egress_ids: Sequence[str] = (),
    changed: Sequence[str] | None = None,
    egress_id: str | None = None,
    error: tuple[int, str, str] | None = None,
) -> dict[str, Any]:
    """``error`` is (code, name, message) of a refusal, None for a request that was taken."""
    refusal = None if error is None else dict(zip(("code", "name", "message"), error, strict=True))
    return EgressRequestAnsweredEvent.model_validate(
        {
            "created_at": created_at,
            "call_cid": call_cid,
            "request_id": request_id,
            "ok": error is None,
            "egress_ids": list(egress_ids),
            "changed": None if changed is None else list(changed),
            "egress_id": egress_id,
            "error": refusal,
        }
    ).payload()


def warning(
    call_cid: str,
    session_id: str,
    created_at: datetime,
    *,
    code: str,
    message: str,
    egress_id: str | None = None,
    participant: str | None = None,
    user_id: str | None = None,
    track: str | None = None,
) -> dict[str, Any]:
    """``participant`` is the session id of whom it concerns."""
    return EgressWarningEvent.model_validate(
        {
            "created_at": created_at,
            "call_cid": call_cid,
            "session_id": session_id,
            "egress_id": egress_id,
            "code": code,
            "message": message,
            "participant_session_id": participant,
            "user_id": user_id,
            "track": track,
        }
    ).payload()


def _told(recording_type: str) -> str:
    """The type as events have it: whoever takes them knows a recording of a web page as a composite one."""
    return "composite" if recording_type == "web" else recording_type


def _egress_event(type_: str, call_cid: str, egress_id: str, created_at: datetime, **more: Any) -> dict[str, Any]:
    fields = {"created_at": created_at, "call_cid": call_cid, "egress_id": egress_id, **more}
    return EVENTS[type_].model_validate(fields).payload()
