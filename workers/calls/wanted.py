"""From the settings of a call to an output that is wanted: what the attendant needs to know, and where files go."""

from __future__ import annotations

from typing import Any

from egress.protocol import AudioEncoding, CompositeRecording, VideoEncoding
from workers.calls.models import RecordSettings
from workers.ledger.wishes import Wish
from workers.settings import Settings


def composite_wish(
    settings: Settings,
    cid: str,
    egress_id: str,
    record: RecordSettings,
    *,
    connector: dict[str, Any],
    storage: str,
    session_id: str | None,
    request_id: str | None = None,
    auto: bool = False,
    asked_ms: int | None = None,
) -> Wish:
    spec = recording_spec(settings, record, egress_id)
    return Wish(
        call_cid=cid,
        egress_id=egress_id,
        kind=spec.kind,
        recording_type="composite",
        connector=connector,
        spec=spec.model_dump(mode="json", exclude={"egress_id", "first_part"}),
        storage=storage,
        session_id=session_id,
        request_id=request_id,
        auto=auto,
        asked_ms=asked_ms,
    )


def recording_spec(settings: Settings, record: RecordSettings, egress_id: str) -> CompositeRecording:
    """What an attendant needs to know: the call's wishes with the worker's figures."""
    ours = settings.recording
    quality = record.effective_quality
    return CompositeRecording(
        egress_id=egress_id,
        quality=quality,
        layout=record.layout,
        video=VideoEncoding(
            fps=ours.fps,
            crf=ours.crf,
            max_bitrate=settings.bitrate_cap(quality.size),
            preset=ours.preset,
            threads=ours.threads,
            keyframe_interval=ours.keyframe_interval,
        ),
        audio=AudioEncoding(bitrate=ours.audio_bitrate, audio_only_format=ours.audio_only_format),
        roll_over=ours.roll_over_seconds,
    )
