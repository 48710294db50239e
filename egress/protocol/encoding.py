"""How a program is encoded: the size of its picture, the picture, the sound."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from egress.protocol.model import Strict


class Quality(StrEnum):
    """The size of a composed picture, or no picture at all."""

    AUDIO_ONLY = "audio-only"
    P360 = "360p"
    P480 = "480p"
    P720 = "720p"
    P1080 = "1080p"
    P1440 = "1440p"
    PORTRAIT_360X640 = "portrait-360x640"
    PORTRAIT_480X854 = "portrait-480x854"
    PORTRAIT_720X1280 = "portrait-720x1280"
    PORTRAIT_1080X1920 = "portrait-1080x1920"
    PORTRAIT_1440X2560 = "portrait-1440x2560"

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; (0, 0) when there is no picture."""
        return _SIZES[self]

    def turned(self, portrait: bool) -> Quality:
        """The quality of as many pixels on a canvas that is higher than wide, or wider than high."""
        width, height = self.size
        if (height > width) == portrait or not width:
            return self
        return next(one for one, size in _SIZES.items() if size == (height, width))


_SIZES = {
    Quality.AUDIO_ONLY: (0, 0),
    Quality.P360: (640, 360),
    Quality.P480: (854, 480),
    Quality.P720: (1280, 720),
    Quality.P1080: (1920, 1080),
    Quality.P1440: (2560, 1440),
    Quality.PORTRAIT_360X640: (360, 640),
    Quality.PORTRAIT_480X854: (480, 854),
    Quality.PORTRAIT_720X1280: (720, 1280),
    Quality.PORTRAIT_1080X1920: (1080, 1920),
    Quality.PORTRAIT_1440X2560: (1440, 2560),
}


class VideoEncoding(Strict):
    """H.264 by x264 with capped constant quality."""

    fps: int = Field(default=30, ge=5, le=60)
    crf: int = Field(default=23, ge=10, le=40)
    max_bitrate: int | None = Field(default=None, ge=50_000, le=60_000_000)
    """Bits per second; None takes the cap that belongs to the resolution."""
    preset: Literal["ultrafast", "superfast", "veryfast", "faster", "fast", "medium"] = "veryfast"
    threads: int = Field(default=1, ge=1, le=16)
    keyframe_interval: float = Field(default=2.0, ge=0.5, le=10)


class AudioEncoding(Strict):
    bitrate: int = Field(default=128_000, ge=32_000, le=320_000)
    """Bits per second of the stereo mix."""
    audio_only_format: Literal["mp3", "m4a"] = "mp3"
