"""A received track: encoded frames in order, on the worker's clock, below any decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Literal, Protocol

from egress.rtc.clock import ParticipantClock, TrackClock

Kind = Literal["audio", "video"]


@dataclass(slots=True)
class EncodedFrame:
    """One picture, or one packet of sound, as it was encoded.

    ``rtp_time`` counts clock units of the track without ever wrapping. ``arrival`` is when its last packet came, in
    seconds of ``time.monotonic()``. When it *happened* on that clock is asked of :attr:`clock`, as late as possible,
    because the estimate gets better with time.
    """

    data: bytes
    rtp_time: int
    arrival: float
    keyframe: bool
    rotation: int = 0
    """Degrees clockwise by which the picture has to be turned for display: 0, 90, 180 or 270."""
    audio_level: int | None = None
    """RFC 6464: 0 (loudest) to 127 (silence), in -dBov."""
    clock: TrackClock | None = None
    """On which ``rtp_time`` counts; None is the track's. A source exchanged behind a track brings a clock of its own,
    while frames of the one before still wait."""


FrameListener = Callable[[EncodedFrame], None]


@dataclass(frozen=True, slots=True)
class TrackCounts:
    """What became of a track's packets since it began; those that came while nobody listened are left
    out of all but ``bytes``."""

    packets: int = 0
    repaired: int = 0
    """Packets that were missing and came again, or were rebuilt from redundancy."""
    lost: int = 0
    frames: int = 0
    """Pictures, or packets of sound, that were whole."""
    frames_dropped: int = 0
    keyframes_asked: int = 0
    bytes: int = 0
    """Of payload, all that came."""

    def __add__(self, other: TrackCounts) -> TrackCounts:
        return TrackCounts(*(getattr(self, name) + getattr(other, name) for name in _COUNTED))

    def __sub__(self, other: TrackCounts) -> TrackCounts:
        return TrackCounts(*(getattr(self, name) - getattr(other, name) for name in _COUNTED))


_COUNTED = tuple(field.name for field in fields(TrackCounts))


class MediaTrack(Protocol):
    """What a connector hands out for each track it receives."""

    @property
    def kind(self) -> Kind: ...

    @property
    def codec(self) -> str:
        """``opus``, ``vp8`` or ``h264``; known when the first frame is."""
        ...

    @property
    def clock_rate(self) -> int: ...

    @property
    def clock(self) -> TrackClock:
        """On which the newest frames count."""
        ...

    def join(self, group: ParticipantClock) -> None:
        """The track is one of a participant's, who has this clock. To be called before frames are timed."""
        ...

    @property
    def last_packet(self) -> float | None:
        """When the newest packet came (``time.monotonic()``), whether or not anybody listens."""
        ...

    @property
    def counts(self) -> TrackCounts: ...

    def listen(self, listener: FrameListener) -> Callable[[], None]:
        """Call ``listener`` on the event loop with each frame from now on; returns what ends that."""
        ...

    def request_keyframe(self) -> None:
        """Ask the sender for a key frame; repeated wishes are capped."""
        ...
