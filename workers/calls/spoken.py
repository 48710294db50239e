"""From the settings of a call to transcripts and captions that are wanted: what their attendant needs to know."""

from __future__ import annotations

from typing import Any

from egress.protocol.speech import ClosedCaptions, SpeechSpec, Transcription
from workers.calls.models import SpeechSegmentConfig, TranscriptionSettings
from workers.ledger.wishes import Wish
from workers.settings import Settings


def speech_wish(
    settings: Settings,
    cid: str,
    egress_id: str,
    kind: str,
    found: TranscriptionSettings,
    *,
    connector: dict[str, Any],
    storage: str,
    session_id: str | None,
    segments: SpeechSegmentConfig | None = None,
    request_id: str | None = None,
    auto: bool = False,
    asked_ms: int | None = None,
) -> Wish:
    """``kind`` is ``transcription`` or ``closed_captions``; ``segments`` is laid over those of the settings."""
    spec = speech_spec(settings, kind, found, egress_id, segments)
    return Wish(
        call_cid=cid,
        egress_id=egress_id,
        kind=spec.kind,
        recording_type=spec.kind,
        connector=connector,
        spec=spec.model_dump(mode="json", exclude={"egress_id"}),
        storage=storage,
        session_id=session_id,
        request_id=request_id,
        auto=auto,
        asked_ms=asked_ms,
    )


def speech_spec(
    settings: Settings,
    kind: str,
    found: TranscriptionSettings,
    egress_id: str,
    segments: SpeechSegmentConfig | None = None,
) -> SpeechSpec:
    fields: dict[str, Any] = {"egress_id": egress_id, "language": found.language, **_segments(found, segments)}
    if found.translation is not None and found.translation.enabled:
        fields["translate_to"] = tuple(dict.fromkeys(found.translation.languages))
    if kind == "transcription":
        return Transcription(words="words" in settings.speech.details, **fields)
    return ClosedCaptions(**fields)


def _segments(found: TranscriptionSettings, over: SpeechSegmentConfig | None) -> dict[str, int]:
    told = [
        config.model_dump(exclude_none=True) for config in (found.speech_segment_config, over) if config is not None
    ]
    return {name: value for config in told for name, value in config.items()}
