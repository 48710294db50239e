"""Recordings of a picture to make: of a layout of the call, or of a web page."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from egress.protocol.encoding import AudioEncoding, Quality, VideoEncoding
from egress.protocol.model import Strict


class LayoutSettings(Strict):
    """LayoutSettingsRequest of the call backends. ``name`` and ``options`` are checked by the layouts."""

    name: str = "grid"
    options: dict[str, Any] = Field(default_factory=dict)
    detect_orientation: bool = False
    external_css_url: str | None = None
    external_app_url: str | None = None


class PageSource(Strict):
    """A live web page in the place of a layout: it is the picture and the sound, and nothing is composed."""

    url: str = Field(min_length=1, max_length=2048)
    app: bool = True
    """Whether it is an app that shows a call, and is told which: by its query string and by ``window.setupLayout``."""
    await_start: bool = False
    """Whether nothing is recorded before the page says that it is ready."""
    server_url: str | None = Field(default=None, max_length=2048)
    """``url`` in the query string; None takes that of the call's SFU where its connector has one for pages."""
    token: str | None = Field(default=None, max_length=8192)
    """What lets the app join; None has one made where the connector can."""
    api_key: str | None = Field(default=None, max_length=256)
    user_id: str | None = Field(default=None, max_length=256)
    base_url: str | None = Field(default=None, max_length=2048)
    screenshare_layout: str | None = Field(default=None, max_length=64)
    webrtc: bool = True
    """Whether WebRTC in the page may speak to others than the guarded proxy."""
    max_duration: float | None = Field(default=None, gt=0)
    """Seconds after which the recording ends; None is no limit."""


class CompositeRecording(Strict):
    """One composite recording to make: layout and quality of its program, and how its files are cut."""

    kind: Literal["composite_recording", "web_recording"] = "composite_recording"
    """A web recording is of a page that need not have to do with the call."""
    egress_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    quality: Quality = Quality.P720
    layout: LayoutSettings = LayoutSettings()
    video: VideoEncoding = VideoEncoding()
    audio: AudioEncoding = AudioEncoding()
    roll_over: float = Field(default=7200.0, ge=1.0)
    """Seconds after which a file is closed and the next one begun."""
    first_part: int = Field(default=1, ge=1)
    page: PageSource | None = None
    """The page that is recorded instead of a layout of the call's pictures."""

    @model_validator(mode="after")
    def _has_a_page(self) -> CompositeRecording:
        if self.kind == "web_recording" and self.page is None:
            raise ValueError("page is missing, which a web recording is of")
        return self
