"""Judges a recording of the rig's guests by looking at it and listening to it.

``judged = judge(path)`` reads a file once; everything else is asked of what was read. Several paths are parts laid
end to end; ``python -m tests.rig.judge FILE …`` prints the summary. Times are seconds of the file unless said
otherwise. Guests are identities (see :mod:`tests.rig.picture`).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.rig import judge_pictures, judge_sound, picture, sound
from tests.rig.judge_pictures import Pictures, Rect, Sightings, read_pictures
from tests.rig.judge_sound import Sound, read_sound
from tests.rig.sound import Samples

FOREVER = float("inf")
_HOLE_RMS = 10 ** (-52 / 20)
_WINDOW = 0.002


@dataclass(frozen=True, slots=True)
class Stats:
    """Of some seconds or other; NaN when there were no values."""

    count: int
    median: float
    p95: float
    worst: float

    @classmethod
    def of(cls, values: Sequence[float] | NDArray[np.float64]) -> Stats:
        """p95 and worst are of absolute values, the median keeps its sign."""
        if len(values) == 0:
            return cls(0, float("nan"), float("nan"), float("nan"))
        size = np.abs(values)
        return cls(len(values), float(np.median(values)), float(np.percentile(size, 95)), float(size.max()))

    def __str__(self) -> str:
        return f"{self.median * 1000:+.1f}/{self.p95 * 1000:.1f}/{self.worst * 1000:.1f} ms (n={self.count})"


@dataclass(frozen=True, slots=True)
class Motion:
    """How a guest's pictures follow each other, picture by picture of the file."""

    pictures: int
    repeated: int
    dropped: int
    longest_frozen: float
    """Seconds without a new picture while in view."""

    @property
    def uneven(self) -> float:
        """Share of pictures that were repeated or dropped."""
        return (self.repeated + self.dropped) / max(1, self.pictures)


@dataclass
class Judged:
    """A file (or parts end to end) that was read."""

    pictures: Pictures | None
    sound: Sound | None
    container_duration: float
    part_durations: list[float] = field(default_factory=list)
    """The length of the picture (or else of the sound) of each part."""

    # Who is where

    def identities(self, least: float = 0.2) -> list[int]:
        """Who is seen, with a readable picture, for at least so many seconds."""
        if self.pictures is None:
            return []
        tick = self._tick
        return sorted(
            i for i, seen in self.pictures.seen.items() if sum(number >= 0 for number in seen.number) * tick >= least
        )

    def tiles_at(self, time: float) -> dict[int, Rect]:
        """Who is seen in the picture shown at that moment, and where."""
        assert self.pictures is not None
        index = int(np.searchsorted(self.pictures.times, time, side="right")) - 1
        found: dict[int, Rect] = {}
        for identity, seen in self.pictures.seen.items():
            place = int(np.searchsorted(seen.index, index))
            if place < len(seen.index) and seen.index[place] == index and seen.number[place] >= 0:
                found[identity] = seen.rect[place]
        return found

    def presence(self, identity: int, start: float = 0.0, end: float = FOREVER) -> float:
        """Share of the time between two moments in which the guest's picture is seen and readable."""
        assert self.pictures is not None
        times = self.pictures.times
        shown = np.diff(times, append=self.pictures.duration)
        inside = (times >= start) & (times < end)
        present = np.zeros(len(times), bool)
        seen = self.pictures.seen.get(identity, Sightings())
        present[[i for i, number in zip(seen.index, seen.number, strict=True) if number >= 0]] = True
        whole = float(shown[inside].sum())
        return float(shown[inside & present].sum()) / whole if whole else 0.0

    def views(self, identity: int, forgive: float = 0.2) -> list[tuple[float, float]]:
        """From when to when the guest is in view; shorter absences are forgiven."""
        spans: list[tuple[float, float]] = []
        for time, number, _ in self._seen(identity):
            if number < 0:
                continue
            if spans and time - spans[-1][1] <= forgive:
                spans[-1] = (spans[-1][0], time + self._tick)
            else:
                spans.append((time, time + self._tick))
        return spans

    # When

    def flashes(self, identity: int) -> list[float]:
        """The first picture of each flash."""
        found = []
        flashing, last = False, -FOREVER
        for time, number, flash in self._seen(identity):
            # What comes into view in the midst of a flash says nothing about when that began.
            begun = not flashing and (number < picture.FLASH_PICTURES or number < 0) and time - last < 0.2
            if flash and begun:
                found.append(time)
            flashing, last = flash, time
        return found

    def beeps(self, identity: int) -> list[float]:
        """The onset of each beep, to 2 ms."""
        if identity not in self._beeps:
            strength = self._strength(sound.beep_frequency(identity))
            self._beeps[identity] = sound.onsets(strength)
        return self._beeps[identity]

    def av_offsets(self, identity: int, start: float = 0.0) -> list[float]:
        """Flash minus beep, for each flash from ``start`` on that has a beep within half a second of it.

        Positive when the picture is late.
        """
        beeps = np.array(self.beeps(identity))
        if not len(beeps):
            return []
        nearest = [flash - beeps[np.abs(beeps - flash).argmin()] for flash in self.flashes(identity) if flash >= start]
        return [float(offset) for offset in nearest if abs(offset) < 0.5]

    def flash_spreads(self, identities: Sequence[int] | None = None) -> list[float]:
        """For each instant at which two or more guests flash: from the first of them to the last."""
        return _spreads([self.flashes(i) for i in self._cameras(identities)])

    def beep_spreads(self, identities: Sequence[int] | None = None) -> list[float]:
        """The same for beeps."""
        return _spreads([self.beeps(i) for i in self._cameras(identities)])

    def cadence(self, identity: int) -> list[float]:
        """For each two successive flashes: how far their distance is from whole seconds."""
        gaps = np.diff(self.flashes(identity))
        return [float(gap - round(gap)) for gap in gaps if gap > 0.5]

    def beep_cadence(self, identity: int) -> list[float]:
        gaps = np.diff(self.beeps(identity))
        return [float(gap - round(gap)) for gap in gaps if gap > 0.5]

    # How well

    def motion(self, identity: int, start: float = 0.0, end: float = FOREVER) -> Motion:
        """Repeated and dropped pictures, counted by their codes. The file must have the guests' frame rate."""
        repeated = dropped = pictures = 0
        frozen = since = 0.0
        before: tuple[float, int] | None = None
        for time, number, _ in self._seen(identity):
            if not start <= time < end:
                continue
            if before is None or time - before[0] > 1.5 * self._tick:
                since = time
            elif number >= 0 and before[1] >= 0:
                step = (number - before[1]) % picture.FPS
                pictures += 1
                repeated += step == 0
                dropped += max(0, step - 1) if step <= picture.FPS // 2 else 0
            if number >= 0 and before is not None and number != before[1] and before[1] >= 0:
                since = time
            frozen = max(frozen, time + self._tick - since)
            before = (time, number if number >= 0 else before[1] if before else -1)
        return Motion(pictures, repeated, dropped, frozen)

    def longest_video_gap(self, start: float = 0.0, end: float = FOREVER) -> float:
        """The longest time between two successive pictures of the file."""
        assert self.pictures is not None
        times = self.pictures.times
        inside = times[(times >= start) & (times < end)]
        return float(np.diff(inside).max()) if len(inside) > 1 else 0.0

    def holes(self, start: float = 0.0, end: float = FOREVER, shortest: float = 0.005) -> list[tuple[float, float]]:
        """Where nothing at all is heard (not even a hum), to 2 ms."""
        assert self.sound is not None
        return [
            (a * _WINDOW, b * _WINDOW)
            for a, b in sound.runs(self._loudness < _HOLE_RMS)
            if (b - a) * _WINDOW >= shortest and a * _WINDOW >= start and b * _WINDOW <= end
        ]

    def silences(
        self, identity: int, start: float = 0.0, end: float = FOREVER, shortest: float = 0.015
    ) -> list[tuple[float, float]]:
        """Where a guest's hum is gone, whatever others sound like. Holes shorter than 15 ms are not seen this way."""
        strength = self._strength(sound.hum_frequency(identity))
        usual = sound.HUM_AMPLITUDE / 2
        inside = [
            (max(a, start), min(b, end)) for a, b in sound.quiet(strength, usual, shortest) if b > start and a < end
        ]
        return [(a, b) for a, b in inside if b - a >= shortest]

    def hum_level(self, identity: int, start: float = 0.0, end: float = FOREVER) -> float:
        """Median level of a guest's hum, in dBFS (it was sent at −38)."""
        strength = self._strength(sound.hum_frequency(identity))
        per_second = sound.RATE / sound.STEP
        last = len(strength) if end == FOREVER else int(end * per_second)
        return sound.decibels(float(np.median(strength[int(start * per_second) : last])))

    def level(self, start: float = 0.0, end: float = FOREVER) -> float:
        """RMS of the mix in dBFS."""
        assert self.sound is not None
        last = None if end == FOREVER else int(end * sound.RATE)
        return judge_sound.rms(self.sound.mono[int(start * sound.RATE) : last])

    @property
    def frame_rate(self) -> float:
        """Pictures per second, from first to last."""
        return 1 / self._tick

    @property
    def video_duration(self) -> float:
        return self.pictures.duration if self.pictures else 0.0

    @property
    def audio_duration(self) -> float:
        return self.sound.duration if self.sound else 0.0

    def summary(self) -> str:
        """A table for people."""
        lines = [
            f"container {self.container_duration:.3f} s, video {self.video_duration:.3f} s, "
            f"audio {self.audio_duration:.3f} s, {len(self.part_durations)} part(s)"
        ]
        if self.pictures is not None:
            spread = Stats.of(self.flash_spreads())
            lines.append(
                f"{self.pictures.width}x{self.pictures.height} at {self.frame_rate:.2f} fps, longest gap "
                f"{self.longest_video_gap() * 1000:.0f} ms, flashes of guests apart {spread}"
            )
        if self.sound is not None:
            holes = [b - a for a, b in self.holes(0, self.video_duration or FOREVER)]
            lines.append(
                f"{self.sound.codec}, {self.sound.channels} channels, {self.level():.1f} dBFS, {len(holes)} holes, "
                f"longest {max(holes, default=0) * 1000:.0f} ms"
            )
        if self.pictures is not None:
            lines.append("who  in view  flashes beeps  A/V offset              cadence                 rep drop frozen")
            for identity in self.identities():
                motion = self.motion(identity)
                beeps = self.beeps(identity) if self.sound is not None and identity < picture.CAMERAS else []
                offsets = Stats.of(self.av_offsets(identity) if beeps else [])
                lines.append(
                    f"{identity:>3}  {self.presence(identity):7.1%}  {len(self.flashes(identity)):7} {len(beeps):5}  "
                    f"{offsets!s:22}  {Stats.of(self.cadence(identity))!s:22}  {motion.repeated:3} {motion.dropped:4} "
                    f"{motion.longest_frozen * 1000:.0f} ms"
                )
        return "\n".join(lines)

    def __post_init__(self) -> None:
        self._beeps: dict[int, list[float]] = {}
        self._strengths: dict[int, NDArray[np.float64]] = {}

    @cached_property
    def _tick(self) -> float:
        assert self.pictures is not None
        times = self.pictures.times
        return float(times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else self.pictures.duration

    @cached_property
    def _loudness(self) -> NDArray[np.float64]:
        assert self.sound is not None
        return np.maximum(sound.loudness(self.sound.stereo[0], _WINDOW), sound.loudness(self.sound.stereo[1], _WINDOW))

    @cached_property
    def _mono(self) -> Samples:
        assert self.sound is not None
        return self.sound.mono

    def _strength(self, frequency: int) -> NDArray[np.float64]:
        if frequency not in self._strengths:
            self._strengths[frequency] = sound.envelope(self._mono, frequency)
        return self._strengths[frequency]

    def _seen(self, identity: int) -> list[tuple[float, int, bool]]:
        assert self.pictures is not None
        seen = self.pictures.seen.get(identity, Sightings())
        times = self.pictures.times
        return [
            (float(times[i]), number, flash)
            for i, number, flash in zip(seen.index, seen.number, seen.flash, strict=True)
        ]

    def _cameras(self, identities: Sequence[int] | None) -> list[int]:
        if identities is not None:
            return list(identities)
        if self.pictures is None:
            return [i for i in range(picture.CAMERAS) if len(self.beeps(i)) > 1]
        return [i for i in self.identities() if i < picture.CAMERAS]


def judge(*paths: Path, offsets: Sequence[float] | None = None) -> Judged:
    """Read a file, or parts laid end to end: each begins where the picture (else the sound) of the one before ends.

    ``offsets`` places the parts otherwise, in seconds from the start of the first.
    """
    pictures = [read_pictures(path) for path in paths]
    sounds = [read_sound(path) for path in paths]
    lengths = [
        p.duration if p is not None else s.duration if s is not None else 0.0
        for p, s in zip(pictures, sounds, strict=True)
    ]
    places = list(offsets) if offsets is not None else [sum(lengths[:n]) for n in range(len(lengths))]
    seen = [p for p in pictures if p is not None]
    heard = [s for s in sounds if s is not None]
    if (seen and len(seen) != len(paths)) or (heard and len(heard) != len(paths)):
        raise ValueError("some parts have picture or sound and others do not")
    return Judged(
        judge_pictures.end_to_end(seen, places) if seen else None,
        judge_sound.end_to_end(heard, places) if heard else None,
        sum(_container_duration(path) for path in paths),
        lengths,
    )


def main(arguments: Sequence[str]) -> None:
    print(judge(*(Path(argument) for argument in arguments)).summary())


def _container_duration(path: Path) -> float:
    with av.open(str(path)) as container:
        return (container.duration or 0) / av.time_base


def _spreads(marks: list[list[float]]) -> list[float]:
    """Marks of all guests within half a second of the first belong to one instant."""
    every = sorted((time, guest) for guest, times in enumerate(marks) for time in times)
    found: list[float] = []
    at = 0
    while at < len(every):
        end = at
        while end < len(every) and every[end][0] - every[at][0] < 0.5:
            end += 1
        if len({guest for _, guest in every[at:end]}) > 1:
            found.append(every[end - 1][0] - every[at][0])
        at = end
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
