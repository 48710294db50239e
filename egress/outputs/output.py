"""What takes a program's encode: the contract between a program and its outputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from av.audio.stream import AudioStream
from av.packet import Packet
from av.video.stream import VideoStream

from egress.media.decode import Samples


class OutputError(Exception):
    """An output cannot go on. ``code`` is a word for machines, the text a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class ProgramFormat:
    """What a program makes. ``epoch`` is the wall-clock time of tick 0 in seconds since 1970."""

    fps: int
    epoch: float
    video: VideoStream | None
    """Template of the encoded pictures (time base 1/fps); None when there are none."""
    audio: AudioStream | None
    """Template of the encoded sound (time base 1/48000)."""


class Output(Protocol):
    """Called on the program's encode thread, in order; must not block. Raises OutputError when it is over."""

    needs_sound: bool
    """Whether ``on_sound`` is wanted: samples before encoding."""

    def open(self, format: ProgramFormat) -> None: ...

    def wants_keyframe(self, tick: int) -> bool:
        """Whether the picture of that tick must be a key frame."""
        ...

    def on_video(self, packet: Packet[Any]) -> None:
        """An H.264 packet; pts and dts in ticks."""
        ...

    def on_audio(self, packet: Packet[Any]) -> None:
        """An AAC packet; pts in samples, the first at -1024."""
        ...

    def on_sound(self, sound: Samples, position: int) -> None:
        """Samples of the mix, beginning at sample ``position``."""
        ...

    def finish(self, ticks: int) -> None:
        """The program ended after ``ticks`` ticks; close what is open. Blocks until that is done."""
        ...
