"""Which event tells a step of an egress, by its kind. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from egress.protocol.speech import SPEECH_KINDS
from workers.events import payloads
from workers.ledger.tables import Egress


def started(egress: Egress, now: datetime) -> dict[str, Any]:
    if egress.kind in SPEECH_KINDS:
        return payloads.speech_event(f"call.{egress.kind}_started", egress.call_cid, egress.id, now)
    return payloads.recording_event(payloads.STARTED, egress.call_cid, egress.id, egress.recording_type, now)


def stopped(egress: Egress, now: datetime, *, by_message: bool) -> dict[str, Any] | None:
    """None where such an end is not told: that of a transcription is when a message asked for it, as documented."""
    if egress.kind == "transcription" and not by_message:
        return None
    if egress.kind in SPEECH_KINDS:
        return payloads.speech_event(f"call.{egress.kind}_stopped", egress.call_cid, egress.id, now)
    return payloads.recording_event(payloads.STOPPED, egress.call_cid, egress.id, egress.recording_type, now)


def failed(egress: Egress, error: str, code: str, now: datetime) -> dict[str, Any]:
    if egress.kind in SPEECH_KINDS:
        return payloads.speech_failed(egress.kind, egress.call_cid, egress.id, now, error, code)
    return payloads.recording_failed(egress.call_cid, egress.id, egress.recording_type, now, error, code)
