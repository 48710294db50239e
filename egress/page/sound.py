"""What a loudspeaker plays, on the common timeline: read on a thread of its own, placed by when it came."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from egress.media.decode import SAMPLE_RATE, Samples

MOST_WAITING = 1500
"""Pieces that may wait, of 10 to 20 ms."""
WINDOW = 1.0
"""Seconds of arrivals that say where the sound lies."""
SLIPPED = 0.02
"""Seconds by which pieces must come later than they should, all of them, before the sound is moved."""
_FULL_SCALE = np.float32(1 / 32768)
_FRAME = 4
"""Bytes of a sample of both channels."""


class Anchor:
    """When sample 0 of a stream was played, by the arrivals of its pieces. Pure.

    A piece comes at the earliest when it has been played; how much later is chance. The least delay of the last second
    counts, and since sink and worker have the same clock, it only grows when sound was lost.
    """

    def __init__(self) -> None:
        self._recent: deque[tuple[float, float]] = deque()
        self._at: float | None = None

    def heard(self, samples: int, now: float) -> float:
        """Where sample 0 is (seconds), when ``samples`` in all have come by ``now``."""
        found = now - samples / SAMPLE_RATE
        while self._recent and self._recent[0][0] < now - WINDOW:
            self._recent.popleft()
        while self._recent and self._recent[-1][1] >= found:
            self._recent.pop()
        self._recent.append((now, found))
        least = self._recent[0][1]
        if self._at is None or least < self._at or least > self._at + SLIPPED:
            self._at = least
        return self._at


@dataclass(slots=True)
class _Piece:
    time: float
    """When it was played (monotonic seconds)."""
    sound: Samples


class PageSound:
    """A source of sound for a stage. The methods that stages call are for the media thread, others for the loop."""

    def __init__(self) -> None:
        self._waiting: deque[_Piece] = deque(maxlen=MOST_WAITING)
        self._placed: deque[tuple[int, Samples]] = deque()
        self._next: int | None = None
        self._thread: threading.Thread | None = None

    def open(self, samples: int, on_end: Callable[[str], None]) -> None:
        """Take sound from that pipe until its end, which closes it. ``on_end`` is then called on another thread."""
        self._thread = threading.Thread(target=self._read, args=(samples, on_end), name="listen", daemon=True)
        self._thread.start()

    def _read(self, samples: int, on_end: Callable[[str], None]) -> None:
        anchor = Anchor()
        count = 0
        rest = b""
        with os.fdopen(samples, "rb", buffering=0) as pipe:
            while piece := pipe.read(1 << 15):
                now = time.monotonic()
                data = rest + piece
                whole = len(data) // _FRAME * _FRAME
                rest = data[whole:]
                sound = np.frombuffer(data[:whole], "<i2").reshape(-1, 2).astype(np.float32)
                sound *= _FULL_SCALE
                start = count
                count += len(sound)
                self._waiting.append(_Piece(anchor.heard(count, now) + start / SAMPLE_RATE, sound))
        on_end("PulseAudio has ended")

    def begin(self, sample: int) -> None:
        """The mix will be read from ``sample`` of the timeline on."""
        self._placed.clear()
        self._next = None

    def advance(self, until: float, origin: float) -> None:
        """Place what was played before ``until``; sample 0 of the timeline is at ``origin`` (monotonic seconds)."""
        while self._waiting and self._waiting[0].time <= until:
            piece = self._waiting.popleft()
            start = round((piece.time - origin) * SAMPLE_RATE)
            # Joined where it belongs to what came before: only a real hole may be heard as one.
            if self._next is not None and abs(start - self._next) < SLIPPED * SAMPLE_RATE:
                start = self._next
            self._placed.append((start, piece.sound))
            self._next = start + len(piece.sound)

    def add_to(self, mix: Samples, start: int) -> bool:
        """Add samples ``start`` to ``start + len(mix)`` to ``mix`` and forget them; True if there were any."""
        end = start + len(mix)
        heard = False
        while self._placed and self._placed[0][0] < end:
            at, sound = self._placed[0]
            low, high = max(at, start), min(at + len(sound), end)
            if low < high:
                mix[low - start : high - start] += sound[low - at : high - at]
                heard = True
            if at + len(sound) > end:
                break
            self._placed.popleft()
        return heard
