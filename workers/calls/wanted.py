"""From the settings of a call to an output that is wanted: what the attendant needs to know, and where files go."""

from __future__ import annotations

from typing import Any, Literal, Unpack

from egress.protocol.encoding import AudioEncoding, Quality, VideoEncoding
from egress.protocol.recordings import CompositeRecording, LayoutSettings, PageSource
from workers.calls.models import RecordSettings
from workers.ledger.wishes import Asked, Wish, wish_for
from workers.messages.pages import App
from workers.messages.recordings import StartWebRecording
from workers.settings import Settings


def composite_wish(
    settings: Settings,
    cid: str,
    egress_id: str,
    record: RecordSettings,
    *,
    app: App | None = None,
    **asked: Unpack[Asked],
) -> Wish:
    return wish_for(recording_spec(settings, record, egress_id, app or App()), cid, "composite", asked)


def web_wish(
    settings: Settings,
    egress_id: str,
    message: StartWebRecording,
    **asked: Unpack[Asked],
) -> Wish:
    """A recording of a web page."""
    page = PageSource(
        url=message.page_url,
        app=bool({"layout", "app"} & message.model_fields_set),
        await_start=message.await_start_signal or message.app.await_start_signal,
        webrtc=settings.pages.webrtc,
        max_duration=message.max_duration_seconds or settings.pages.max_duration_seconds or None,
        **_told(message.app),
    )
    quality = Quality.AUDIO_ONLY if message.audio_only else message.quality
    spec = _spec(settings, egress_id, "web_recording", quality, message.layout or LayoutSettings(name="custom"), page)
    return wish_for(spec, message.call_cid, "web", asked)


def _told(app: App) -> dict[str, Any]:
    """What of a page's source an app is told by its message."""
    fields = app.model_dump(exclude={"url", "await_start_signal"})
    return {**fields, "server_url": app.url}


def recording_spec(
    settings: Settings, record: RecordSettings, egress_id: str, app: App | None = None
) -> CompositeRecording:
    """What an attendant needs to know: the call's wishes with the worker's figures."""
    app = app or App()
    page = None
    if record.layout.external_app_url:
        page = PageSource(
            url=record.layout.external_app_url,
            await_start=app.await_start_signal,
            webrtc=settings.pages.webrtc,
            **_told(app),
        )
    return _spec(settings, egress_id, "composite_recording", record.effective_quality, record.layout, page)


def _spec(
    settings: Settings,
    egress_id: str,
    kind: Literal["composite_recording", "web_recording"],
    quality: Quality,
    layout: LayoutSettings,
    page: PageSource | None,
) -> CompositeRecording:
    ours = settings.recording
    return CompositeRecording(
        kind=kind,
        egress_id=egress_id,
        quality=quality,
        layout=layout,
        page=page,
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
