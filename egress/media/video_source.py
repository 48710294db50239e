"""A video track on its way to tiles: encoded frames wait, and are decoded when their time has come.

Waiting encoded costs a hundredth of waiting decoded, and nothing is decoded that no tile shows. Frames come in on the
event loop, pictures are taken out on the media thread; the deque between them is the only thing both touch.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import av

from egress.media.decode import DecodeError, VideoDecoder
from egress.rtc.track import EncodedFrame, MediaTrack
from layouts.scene import Source

log = logging.getLogger(__name__)

MAX_WAITING = 600
"""Encoded frames that may wait (10 s at 60 a second); past that new ones are dropped up to the next key frame."""

LEAST = 16
"""Lines and columns that a picture of somebody has. LiveKit ends each video track with some black ones of 8 or 2."""

AHEAD = 0.5
"""Seconds after its arrival at which a frame is due at the latest, whatever its track's clock says."""


TrackKey = tuple[str, Source]
"""Participant session id and which of their pictures."""


@dataclass(slots=True)
class Picture:
    """A decoded picture. ``serial`` changes with every new picture, ``time`` is when it was taken (monotonic)."""

    frame: av.VideoFrame
    rotation: int
    serial: int
    time: float
    blurred: bool = False
    """Whether it is to be made unrecognisable."""

    @property
    def portrait(self) -> bool:
        """Whether it is higher than wide, as it is to be shown."""
        turned = self.rotation in (90, 270)
        return (self.frame.width > self.frame.height) if turned else (self.frame.height > self.frame.width)


class VideoSource:
    """One video track. ``start`` and ``stop`` belong to the event loop, ``advance`` to the media thread."""

    def __init__(self, track: MediaTrack, on_damage: Callable[[], None]) -> None:
        """``on_damage`` is called on the media thread when a key frame is needed."""
        self.track = track
        self._on_damage = on_damage
        self.decoded = 0
        self.decode_errors = 0
        self.overflowed = 0
        self._waiting: deque[EncodedFrame] = deque()
        self._decoder: VideoDecoder | None = None
        self._codec = ""
        self._picture: Picture | None = None
        self._needs_keyframe = True
        self._serial = 0
        self._end: Callable[[], None] | None = None
        self._dropping = False
        self._received = False
        self._restarts = 0
        self._played_restarts = 0

    @property
    def listening(self) -> bool:
        return self._end is not None

    def summary(self) -> str:
        """One line on what was decoded, for the log."""
        return f"{self.decoded} pictures decoded, {self.decode_errors} errors, {self.overflowed} left out"

    @property
    def received(self) -> bool:
        """Whether a key frame has come since the start."""
        return self._received

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the latest picture, as it was encoded; None before the first."""
        picture = self._picture
        return None if picture is None else (picture.frame.width, picture.frame.height)

    @property
    def portrait(self) -> bool | None:
        """Whether the latest picture is higher than wide, as it is to be shown; None before the first."""
        picture = self._picture
        return None if picture is None else picture.portrait

    def waiting_keyframe(self) -> EncodedFrame | None:
        """The newest key frame that is not decoded yet, for who cannot wait for its time. Event loop only."""
        return next((frame for frame in reversed(tuple(self._waiting)) if frame.keyframe), None)

    def start(self) -> None:
        """Take frames from now on, beginning with a key frame."""
        if self._end is None:
            self._received = False
            self._restarts += 1
            self._end = self.track.listen(self._take)

    def stop(self) -> None:
        """Take no more frames. What waits may still be shown."""
        if self._end is not None:
            self._end()
            self._end = None

    def _take(self, frame: EncodedFrame) -> None:
        self._received = self._received or frame.keyframe
        if len(self._waiting) >= MAX_WAITING:
            self._dropping = True
            self.overflowed += 1
            self.track.request_keyframe()
        if self._dropping:
            if not frame.keyframe or len(self._waiting) >= MAX_WAITING:
                return
            self._dropping = False
        self._waiting.append(frame)

    def advance(self, until: float) -> Picture | None:
        """The picture to show at ``until`` (monotonic seconds), None before the first."""
        if self._played_restarts != self._restarts:
            # The tile was gone for a while: what it showed last is not what it shows now.
            self._played_restarts = self._restarts
            self._picture = None
            self._needs_keyframe = True
        while self._waiting:
            frame = self._waiting[0]
            # Nothing happens after it came: where time stamps began anew behind it, the clock no longer knows.
            when = min((frame.clock or self.track.clock).time_of(frame.rtp_time), frame.arrival + AHEAD)
            if when > until:
                break
            self._waiting.popleft()
            self._decode(frame, when)
        return self._picture

    def _decode(self, frame: EncodedFrame, when: float) -> None:
        if self._needs_keyframe and not frame.keyframe:
            return
        if self._decoder is None or self._codec != self.track.codec:
            self._codec = self.track.codec
            self._decoder = VideoDecoder(self._codec)
        try:
            picture = self._decoder.decode(frame.data)
        except DecodeError as error:
            self.decode_errors += 1
            self._needs_keyframe = True
            log.info("a %s frame cannot be decoded, asking for a key frame: %s", self._codec, error)
            self._on_damage()
            return
        self._needs_keyframe = False
        if picture is not None and min(picture.width, picture.height) >= LEAST:
            self.decoded += 1
            self._serial += 1
            self._picture = Picture(picture, frame.rotation, self._serial, when)
