"""An audio track on its way to the mix: decoded just in time and laid on the common timeline by time stamps.

Packets are joined by their RTP time stamps, so silence that is not sent (DTX) and packets that are lost stay as long as
they were. Where the clock says that the joined sound has moved (drift, a better estimate), it is stretched by at most
half a percent, which nobody hears; only a large error makes a cut.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable

import numpy as np

from egress.media.decode import SAMPLE_RATE, AudioDecoder, DecodeError, Samples
from egress.rtc.track import EncodedFrame, FrameListener, MediaTrack

log = logging.getLogger(__name__)

MAX_WAITING = 1500
"""Packets that may wait (30 s of 20 ms)."""
RING = SAMPLE_RATE
"""Samples of decoded sound kept ahead of the mix."""
MAX_STRETCH = 0.005
"""Part of a packet's length by which it may be stretched."""
CUT = 0.06
"""Seconds of error that are cut instead of stretched."""
AHEAD = 0.5
"""Seconds after its arrival at which a packet is due at the latest: were its time stamps of another line than those the
track's clock now knows, it would be waited for, and all behind it."""
FADE = 120
"""Samples over which sound is faded in after a gap."""


class AudioSource:
    """One audio track. ``start`` and ``stop`` belong to the event loop, everything else to the media thread."""

    def __init__(self, track: MediaTrack, on_frame: FrameListener | None = None) -> None:
        self.track = track
        self._on_frame = on_frame
        self.decode_errors = 0
        self.overflowed = 0
        self.cuts = 0
        self.late_samples = 0
        self.level = 0.0
        """Root mean square of the last packet decoded."""
        self.level_time: float | None = None
        """When that was (monotonic seconds)."""
        self.unlevelled = False
        """Whether packets come without a sound level in their headers."""
        self._waiting: deque[EncodedFrame] = deque(maxlen=MAX_WAITING)
        self._decoder = AudioDecoder()
        self._ring = np.zeros((RING, 2), np.float32)
        self._read = 0
        self._filled = 0
        self._end: Callable[[], None] | None = None
        self._expected_rtp: int | None = None
        self._position = 0.0

    def summary(self) -> str:
        """One line on what was played, for the log."""
        return (
            f"{self.decode_errors} errors, {self.cuts} cuts, {self.late_samples} samples too late, "
            f"{self.overflowed} packets left out"
        )

    def start(self) -> None:
        if self._end is None:
            self._end = self.track.listen(self._take)

    def stop(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    def _take(self, frame: EncodedFrame) -> None:
        if len(self._waiting) == MAX_WAITING:
            self.overflowed += 1
        self._waiting.append(frame)
        if self._on_frame is not None:
            self._on_frame(frame)

    def begin(self, sample: int) -> None:
        """The mix will be read from ``sample`` of the timeline on."""
        self._read = sample
        self._filled = sample
        self._ring[:] = 0
        self._expected_rtp = None

    def advance(self, until: float, origin: float) -> None:
        """Decode what happened before ``until``; sample 0 of the timeline is at ``origin`` (monotonic seconds)."""
        while self._waiting:
            frame = self._waiting[0]
            when = min((frame.clock or self.track.clock).time_of(frame.rtp_time), frame.arrival + AHEAD)
            if when > until:
                return
            self._waiting.popleft()
            try:
                sound = self._decoder.decode(frame.data) if frame.data else None
            except DecodeError as error:
                self.decode_errors += 1
                log.debug("an audio packet cannot be decoded: %s", error)
                sound = None
            if sound is None or not len(sound):
                continue
            self.unlevelled = frame.audio_level is None
            self.level_time = when
            self.level = float(math.sqrt(float(np.vdot(sound, sound)) / sound.size))
            self._place(frame.rtp_time, (when - origin) * SAMPLE_RATE, sound)

    def _place(self, rtp_time: int, target: float, sound: Samples) -> None:
        rate = SAMPLE_RATE / self.track.clock_rate
        length = len(sound)
        gap = True
        if self._expected_rtp is not None:
            ahead = rtp_time - self._expected_rtp
            if -length < ahead < 0:  # overlaps what was placed: a repeated packet
                return
            self._position += ahead * rate
            error = target - self._position
            if ahead == 0 and abs(error) < CUT * SAMPLE_RATE:
                gap = False
                room = MAX_STRETCH * length
                wanted = length + max(-room, min(room, error))
                end = self._position + wanted
                count = round(end) - round(self._position)
                if count != length:
                    sound = _stretch(sound, count)
                start = round(self._position)
                self._position = end
            else:
                if ahead == 0:
                    self.cuts += 1
                # After a gap in the time stamps nothing is joined, so the place can be exact at no cost.
                start = round(target)
                self._position = target + length
        else:
            start = round(target)
            self._position = target + length
        self._expected_rtp = rtp_time + round(length / rate)
        if gap:
            sound = sound.copy()
            n = min(FADE, len(sound))
            sound[:n] *= np.linspace(0, 1, n, dtype=np.float32)[:, None]
        self._write(start, sound)

    def _write(self, start: int, sound: Samples) -> None:
        if start < self._read:
            skip = self._read - start
            self.late_samples += min(skip, len(sound))
            sound = sound[skip:]
            start = self._read
        room = self._read + RING - start
        sound = sound[: max(room, 0)]
        if not len(sound):
            return
        at = start % RING
        first = min(len(sound), RING - at)
        self._ring[at : at + first] = sound[:first]
        if first < len(sound):
            self._ring[: len(sound) - first] = sound[first:]
        self._filled = max(self._filled, start + len(sound))

    def add_to(self, mix: Samples, start: int) -> bool:
        """Add samples ``start`` to ``start + len(mix)`` to ``mix`` and forget them; True if there were any."""
        count = len(mix)
        self._read = start + count
        if self._filled <= start:
            return False
        at = start % RING
        first = min(count, RING - at)
        mix[:first] += self._ring[at : at + first]
        self._ring[at : at + first] = 0
        if first < count:
            mix[first:] += self._ring[: count - first]
            self._ring[: count - first] = 0
        return True


def _stretch(sound: Samples, count: int) -> Samples:
    """``sound`` resampled to ``count`` samples by linear interpolation."""
    at = np.linspace(0, len(sound) - 1, count)
    low = at.astype(np.int64)
    high = np.minimum(low + 1, len(sound) - 1)
    part = (at - low).astype(np.float32)[:, None]
    stretched: Samples = sound[low] * (1 - part) + sound[high] * part
    return stretched
