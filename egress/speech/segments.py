"""From windows with probabilities to closed segments of speech, with the times of the speech itself. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from egress.speech.activity import WINDOW, WINDOW_SECONDS
from egress.speech.contract import SAMPLE_RATE, Segmenting, Sound
from egress.speech.edges import offset, onset, quietest, widest_gap

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
OVERLAP = 2.0
"""Seconds of sound, about, that two segments have in common where speech is cut without a pause: a few words, by which
the second finds where the first has ended."""
SEAM = 1.0
"""Seconds, about, before the end of that sound at which the second takes over."""
ASIDE = 0.4
"""Seconds by which either may lie elsewhere, where it is quieter."""
TORN = 0.08
"""Seconds from the first sound of a track, or to the last one, within which it was speech already, or still."""
JOINED = 0.08
"""Seconds by which the times of windows that follow each other may differ from their sound."""


@dataclass(slots=True)
class Speech:
    """A closed stretch. Times are in seconds of the clock that the windows were told with.

    What they mean, and what an open edge is, a :class:`egress.speech.contract.Segment` says.
    """

    start: float
    end: float
    audio_start: float
    samples: Sound
    voiced: float
    open_start: bool = False
    open_end: bool = False
    continues: bool = False
    """Its sound begins before that of the one before has ended."""


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
        self._seam: float | None = None
        """When what is open took over from the segment before, whose sound it begins with."""
        self._began: float | None = None
        """When the first window of all was."""

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
        if self._began is None:
            self._began = time
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
        """Close what is open: it has ended."""
        return self._closed(len(self._windows)) if self._speaking else []

    def stop(self) -> list[Speech]:
        """Close what is open, whether or not it has ended: nothing more is heard of it."""
        if not self._speaking:
            return []
        return self._closed(len(self._windows), stopped=True)

    def _end(self, index: int) -> float:
        return self._windows[index].time + WINDOW_SECONDS

    def _add(self, window: _Window) -> None:
        self._windows.append(window)
        if self._speaking:
            if window.probability >= GOES_ON:
                self._last = len(self._windows) - 1
        elif window.probability >= BEGINS:
            self._speaking = True
            self._first = self._last = len(self._windows) - 1
        else:
            del self._windows[: max(0, len(self._windows) - round(PRE_ROLL / WINDOW_SECONDS))]

    def _judge(self) -> list[Speech]:
        if not self._speaking:
            return []
        now = len(self._windows)
        quiet = (now - 1 - self._last) * WINDOW_SECONDS
        if quiet >= self.segmenting.silence_duration_ms / 1000 - WINDOW_SECONDS / 2:
            return self._closed(now)
        longest = self.segmenting.max_speech_caption_ms / 1000
        if (now + 1 - self._first) * WINDOW_SECONDS > longest:
            return self._cut()
        return []

    def _cut(self) -> list[Speech]:
        """Close at the widest pause so far, and go on behind it."""
        longest = self.segmenting.max_speech_caption_ms / 1000
        sound = np.concatenate([window.samples for window in self._windows])
        earliest = self._first * WINDOW + round(EARLIEST_CUT * longest * SAMPLE_RATE)
        unvoiced = np.array([window.probability < GOES_ON for window in self._windows])
        gap = widest_gap(sound, earliest, len(sound), np.repeat(unvoiced, WINDOW))
        if gap is None:
            return self._overlap(sound)
        at = min(max((gap + WINDOW // 2) // WINDOW, self._first + 1), len(self._windows) - 1)
        rest = self._windows[at:]
        closed = self._closed(at)
        # The windows behind the cut are heard again from the beginning of a segment.
        self._windows = []
        for window in rest:
            self._add(window)
        return closed

    def _overlap(self, sound: Sound) -> list[Speech]:
        """Close with all that was heard, and go on with the last of it: where one word ends, sound does not tell."""

        def near(seconds: float) -> int:
            middle, aside = len(sound) - round(seconds * SAMPLE_RATE), round(ASIDE * SAMPLE_RATE)
            return quietest(sound, middle - aside, middle + aside)

        rest = self._windows[near(OVERLAP) // WINDOW :]
        seam = _time(self._windows, near(SEAM))
        closed = self._closed(len(self._windows))
        for speech in closed:
            speech.end, speech.open_end = seam, True
        self._windows = rest
        self._speaking = True
        voiced = [index for index, window in enumerate(rest) if window.probability >= GOES_ON]
        self._first, self._last = 0, voiced[-1] if voiced else 0
        self._seam = seam if closed else None
        return closed

    def _closed(self, until: int, *, stopped: bool = False) -> list[Speech]:
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
        seam, self._seam = self._seam, None
        self._windows = behind[-round(PRE_ROLL / WINDOW_SECONDS) :]
        if voiced < LEAST_VOICED:
            return []
        sound = np.concatenate([window.samples for window in taken])
        starts = (first - begin) * WINDOW
        ends = (last + 1 - begin) * WINDOW
        start, end = _time(taken, onset(sound, starts, ends)), _time(taken, offset(sound, starts, ends))
        open_end = stopped and end > taken[-1].time + WINDOW_SECONDS - TORN
        if seam is not None:
            return [Speech(seam, max(end, seam), taken[0].time, sound, voiced, True, open_end, continues=True)]
        open_start = taken[0].time == self._began and start < self._began + TORN
        return [Speech(start, end, taken[0].time, sound, voiced, open_start, open_end)]


def _time(windows: list[_Window], sample: int) -> float:
    """When a sample of the windows was."""
    index = min(sample // WINDOW, len(windows) - 1)
    return windows[index].time + (sample - index * WINDOW) / SAMPLE_RATE
