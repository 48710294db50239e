"""From windows with probabilities to closed segments of speech, with the times of the speech itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egress.speech.activity import WINDOW, WINDOW_SECONDS
from egress.speech.contract import SAMPLE_RATE, Segmenting, Sound
from egress.speech.edges import offset, onset, widest_gap

BEGINS = 0.5
"""Probability from which speech begins."""
GOES_ON = 0.35
"""Probability above which it goes on."""
PRE_ROLL = 0.32
"""Seconds before the first window of speech that belong to a segment: soft beginnings."""
POST_ROLL = 0.24
"""Seconds behind the last one."""
LEAST_VOICED = 0.09
"""Seconds of speech below which there was none: a click, a breath."""
EARLIEST_CUT = 0.4
"""Part of the longest segment before which it is not cut."""
JOINED = 0.08
"""Seconds by which the times of windows that follow each other may differ from their sound."""


@dataclass(slots=True)
class Speech:
    """A closed stretch. Times are in seconds of the clock that the windows were told with."""

    start: float
    end: float
    audio_start: float
    samples: Sound
    voiced: float
    cut: bool = False


@dataclass(slots=True)
class _Window:
    time: float
    samples: Sound
    probability: float


_SILENT: Sound = np.zeros(WINDOW, np.float32)
_SILENT.flags.writeable = False


class Segmenter:
    """One speaker's. Windows come in the order of their times; what lies between them is silence."""

    def __init__(self, segmenting: Segmenting) -> None:
        self.segmenting = segmenting
        """May be exchanged at any time."""
        self._windows: list[_Window] = []
        self._speaking = False
        self._first = 0
        """Index of the first window of speech."""
        self._last = 0
        """Index of the last one."""
        self._voiced = 0

    @property
    def speaking(self) -> bool:
        """Whether a segment is open."""
        return self._speaking

    @property
    def held(self) -> float:
        """Seconds of sound that are kept."""
        return len(self._windows) * WINDOW_SECONDS

    def push(self, time: float, samples: Sound, probability: float) -> list[Speech]:
        """The next window of WINDOW samples that began at ``time``; returns what it closes."""
        closed = self.silence(time)
        self._add(_Window(time, samples, probability))
        return closed + self._judge()

    def silence(self, until: float) -> list[Speech]:
        """Nothing was heard until ``until``, as far as windows do not say otherwise."""
        closed: list[Speech] = []
        while self._windows and until - (at := self._windows[-1].time + WINDOW_SECONDS) >= JOINED:
            if not self._speaking:
                # What lies before a pause is no beginning of what lies behind it.
                self._windows.clear()
                break
            missing = int((until - at) / WINDOW_SECONDS)
            for _ in range(missing):
                self._add(_Window(at, _SILENT, 0.0))
                at += WINDOW_SECONDS
                closed += self._judge()
                if not self._speaking:
                    break
        return closed

    def overdue(self, silent_until: float, idle: float) -> list[Speech]:
        """Close what nobody goes on with.

        The sender told of silence until ``silent_until`` (seconds of the windows' clock), or nothing has come for
        ``idle`` seconds. How late it comes is no matter.
        """
        silence = self.segmenting.silence_duration_ms / 1000
        if not self._speaking or (silent_until - self._end(self._last) < silence and idle < silence):
            return []
        return self.close()

    def close(self) -> list[Speech]:
        """Close what is open."""
        if not self._speaking:
            return []
        return self._closed(len(self._windows), cut=False)

    def _end(self, index: int) -> float:
        return self._windows[index].time + WINDOW_SECONDS

    def _add(self, window: _Window) -> None:
        self._windows.append(window)
        if self._speaking:
            if window.probability >= GOES_ON:
                self._last = len(self._windows) - 1
                self._voiced += 1
        elif window.probability >= BEGINS:
            self._speaking = True
            self._first = self._last = len(self._windows) - 1
            self._voiced = 1
        else:
            del self._windows[: max(0, len(self._windows) - round(PRE_ROLL / WINDOW_SECONDS))]

    def _judge(self) -> list[Speech]:
        if not self._speaking:
            return []
        now = len(self._windows)
        quiet = (now - 1 - self._last) * WINDOW_SECONDS
        if quiet >= self.segmenting.silence_duration_ms / 1000 - WINDOW_SECONDS / 2:
            return self._closed(now, cut=False)
        longest = self.segmenting.max_speech_caption_ms / 1000
        if (now + 1 - self._first) * WINDOW_SECONDS > longest:
            return self._cut()
        return []

    def _cut(self) -> list[Speech]:
        """Close at the widest gap so far, and go on behind it."""
        longest = self.segmenting.max_speech_caption_ms / 1000
        sound = np.concatenate([window.samples for window in self._windows])
        earliest = self._first * WINDOW + round(EARLIEST_CUT * longest * SAMPLE_RATE)
        unvoiced = np.array([window.probability < GOES_ON for window in self._windows])
        gap = widest_gap(sound, earliest, len(sound), np.repeat(unvoiced, WINDOW))
        at = min(max((gap + WINDOW // 2) // WINDOW, self._first + 1), len(self._windows) - 1)
        rest = self._windows[at:]
        closed = self._closed(at, cut=True)
        # The windows behind the cut are heard again from the beginning of a segment.
        kept, self._windows = rest, []
        self._voiced = 0
        for window in kept:
            self._add(window)
        return closed

    def _closed(self, until: int, *, cut: bool) -> list[Speech]:
        """The speech of the windows before ``until``; afterwards nothing is open."""
        first = self._first
        last = min(self._last, until - 1)
        while last > first and self._windows[last].probability < GOES_ON:
            last -= 1
        voiced = sum(window.probability >= GOES_ON for window in self._windows[first : last + 1]) * WINDOW_SECONDS
        begin = max(0, first - round(PRE_ROLL / WINDOW_SECONDS))
        stop = min(until, last + 1 + round(POST_ROLL / WINDOW_SECONDS))
        taken = self._windows[begin:stop]
        behind = self._windows[stop:until]
        self._speaking = False
        self._windows = behind[-round(PRE_ROLL / WINDOW_SECONDS) :]
        if voiced < LEAST_VOICED:
            return []
        sound = np.concatenate([window.samples for window in taken])
        starts = (first - begin) * WINDOW
        ends = (last + 1 - begin) * WINDOW
        start, end = onset(sound, starts, ends), offset(sound, starts, ends)
        return [Speech(_time(taken, start), _time(taken, end), taken[0].time, sound, voiced, cut)]


def _time(windows: list[_Window], sample: int) -> float:
    """When a sample of the windows was."""
    index = min(sample // WINDOW, len(windows) - 1)
    return windows[index].time + (sample - index * WINDOW) / SAMPLE_RATE
