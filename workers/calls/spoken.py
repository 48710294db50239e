"""From the settings of a call to transcripts and captions that are wanted: what their attendant needs to know."""

from __future__ import annotations

from typing import Any, Unpack

from egress.protocol.speech import ClosedCaptions, SpeechSpec, Transcription
from workers.calls.models import SpeechSegmentConfig, TranscriptionSettings
from workers.ledger.wishes import Asked, Wish, wish_for
from workers.settings import Settings


def speech_wish(
    settings: Settings,
    cid: str,
    egress_id: str,
    kind: str,
    found: TranscriptionSettings,
    *,
    segments: SpeechSegmentConfig | None = None,
    **asked: Unpack[Asked],
) -> Wish:
    """``kind`` is ``transcription`` or ``closed_captions``; ``segments`` is laid over those of the settings."""
    spec = speech_spec(settings, kind, found, egress_id, segments)
    return wish_for(spec, cid, spec.kind, asked)


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
