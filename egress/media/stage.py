"""The clockwork of an attendant: one thread that ticks a fixed delay behind live, decodes what is due, drives programs.

All programs of a call share it, so every track is decoded once. A late tick catches up; when it is too late its picture
is left out, never its sound. When every program has an end, what is left is drained faster than real time.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from egress.media.decode import SAMPLE_RATE, Samples
from egress.media.mixer import Voice, mix, play
from egress.media.program import Program
from egress.media.restraint import Restraints
from egress.media.source import PictureSource, SoundSource
from egress.media.video_source import Picture, TrackKey

log = logging.getLogger(__name__)

MAX_LATE = 0.5
"""Seconds by which a tick may be late and still get its picture."""
DRAIN = 1.0
"""Seconds that draining may take with every picture; after that only sound is drained, so that a stop stays quick on a
machine that is too slow for its call."""
LINGER = 0.5
"""Seconds that a track which is gone is still played out, beyond the delay."""


@dataclass(slots=True)
class _VideoEntry:
    key: TrackKey
    source: PictureSource
    until: float | None = None


@dataclass(slots=True)
class _AudioEntry:
    session_id: str
    source: SoundSource
    until: float | None = None
    begun: bool = False


@dataclass(slots=True)
class _Running:
    program: Program
    start: float
    end: float | None = None
    ticks_at: int | None = None
    """The stage's tick number at the program's tick 0."""
    left_out: frozenset[str] | None = None
    """Whose voices its last tick left out; None before the first."""


@dataclass(slots=True)
class StageCounts:
    ticks: int = 0
    late: int = 0
    skipped: int = 0
    worst_late: float = 0.0
    last_late: float = 0.0
    """Seconds by which the latest tick came after its plan."""
    errors: dict[str, int] = field(default_factory=dict)


class Stage:
    """Runs programs. Every public method may be called from the event loop; ``delay`` and times are seconds."""

    def __init__(self, fps: int, delay: float) -> None:
        self.fps = fps
        self.delay = delay
        self.counts = StageCounts()
        self.restraints = Restraints()
        """What no program shows or lets hear."""
        self._lock = threading.Condition()
        self._video: list[_VideoEntry] = []
        self._audio: list[_AudioEntry] = []
        self._programs: list[_Running] = []
        self._origin: float | None = None
        self._tick = 0
        self._draining_since: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def add_video(self, key: TrackKey, source: PictureSource) -> None:
        with self._lock:
            self._video.append(_VideoEntry(key, source))

    def add_audio(self, session_id: str, source: SoundSource) -> None:
        """A track of that participant."""
        with self._lock:
            self._audio.append(_AudioEntry(session_id, source))

    def remove(self, source: PictureSource | SoundSource) -> None:
        """The track is gone: play out what happened until now."""
        until = time.monotonic() + LINGER
        with self._lock:
            entries: list[_VideoEntry | _AudioEntry] = [*self._video, *self._audio]
            for entry in entries:
                if entry.source is source and entry.until is None:
                    entry.until = until

    def start(self, program: Program, start: float) -> float:
        """Run a program whose first picture is taken at ``start`` (monotonic), or at the first tick after it.

        Returns the wall-clock time of that picture, in seconds since 1970. It is composed a delay later.
        """
        with self._lock:
            if self._origin is None:
                self._origin = start
            start = self._time(self._tick_at(start))
            epoch = time.time() - time.monotonic() + start
            program.begin(epoch)
            self._programs.append(_Running(program, start))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="media", daemon=True)
                self._thread.start()
            self._lock.notify_all()
            return epoch

    def stop(self, program: Program, end: float) -> None:
        """End a program with what happened at ``end`` (monotonic)."""
        with self._lock:
            for running in self._programs:
                if running.program is program and running.end is None:
                    # A recording that was begun has a picture.
                    running.end = max(end, running.start + 1 / self.fps)
            self._lock.notify_all()

    def close(self) -> None:
        """Stop the thread; programs that still run are ended where they are."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()
        if self._thread is not None:
            self._thread.join()

    # On the media thread.

    def _run(self) -> None:
        while True:
            with self._lock:
                while not self._programs and not self._closed:
                    self._lock.wait()
                if self._closed:
                    for running in self._programs:
                        running.program.end()
                    self._programs.clear()
                    return
                when = self._time(self._tick)
                earliest = min(r.start for r in self._programs)
                if when < earliest:
                    self._skip_to(earliest)
                    when = self._time(self._tick)
                draining = all(r.end is not None for r in self._programs)
                if draining:
                    self._draining_since = self._draining_since or time.monotonic()
                else:
                    self._draining_since = None
                    wait = when + self.delay - time.monotonic()
                    if wait > 0.001:
                        self._lock.wait(wait)
                        continue
                due = [r for r in self._programs if r.start <= when]
                ending = [r for r in self._programs if r.end is not None and when >= r.end]
                for running in ending:
                    self._programs.remove(running)
                video, audio = self._prune(when)
            for running in ending:
                if not running.program.over:
                    running.program.end()
            self._make_tick(when, [r for r in due if r not in ending], video, audio)

    def _time(self, tick: int) -> float:
        assert self._origin is not None
        return self._origin + tick / self.fps

    def _tick_at(self, when: float) -> int:
        """The first tick at ``when`` or after it, but for rounding."""
        assert self._origin is not None
        return math.ceil((when - self._origin) * self.fps - 1e-6)

    def _skip_to(self, when: float) -> None:
        """Leave out the time in which no program runs."""
        self._tick = max(self._tick, self._tick_at(when))
        for entry in self._audio:
            entry.begun = False

    def _prune(self, when: float) -> tuple[list[_VideoEntry], list[_AudioEntry]]:
        self._video = [e for e in self._video if e.until is None or when < e.until]
        self._audio = [e for e in self._audio if e.until is None or when < e.until]
        return list(self._video), list(self._audio)

    def _make_tick(self, when: float, due: list[_Running], video: list[_VideoEntry], audio: list[_AudioEntry]) -> None:
        number = self._tick
        self._tick += 1
        if not due:
            return
        self.counts.ticks += 1
        late = time.monotonic() - (when + self.delay)
        self.counts.last_late = max(0.0, late) if self._draining_since is None else 0.0
        patience = MAX_LATE - max(0.0, late)
        if self._draining_since is not None:
            patience = self._draining_since + DRAIN - time.monotonic()
        if late > 1 / self.fps:
            self.counts.late += 1
            self.counts.worst_late = max(self.counts.worst_late, late)
        self.counts.skipped += patience <= 0
        pictures: dict[TrackKey, Picture] = {}
        for entry in video:
            # Decoding goes on for skipped pictures too: those that follow build on them.
            picture = self._guard("video", lambda e=entry: e.source.advance(when))  # type: ignore[misc]
            if picture is not None:
                pictures[entry.key] = picture
        first = round(number * SAMPLE_RATE / self.fps)
        count = round((number + 1) * SAMPLE_RATE / self.fps) - first
        assert self._origin is not None
        for heard in audio:
            if not heard.begun:
                heard.begun = True
                heard.source.begin(first)
            self._guard("audio", lambda e=heard: e.source.advance(when + 2 / self.fps, self._origin))  # type: ignore[misc]
        voices = play(((e.session_id, e.source) for e in audio), first, count)
        silenced = self.restraints.silenced(when)
        mixes: dict[tuple[frozenset[str], frozenset[str]], Samples] = {}
        shown = self.restraints.shown(pictures)
        for running in due:
            if running.ticks_at is None:
                running.ticks_at = number
            sound = _mixed(running, voices, silenced | running.program.left_out(when), count, mixes)
            if not running.program.over:
                position = first - round(running.ticks_at * SAMPLE_RATE / self.fps)
                try:
                    running.program.tick(when, shown, sound, position, patience=patience)
                except Exception as error:
                    # The other programs of the call go on.
                    log.exception("the program %s could not be drawn", running.program.name)
                    running.end = when
                    running.program.abandon("internal_error", f"the program could not be drawn: {error!r}")

    def _guard(self, what: str, advance: Callable[[], Picture | None]) -> Picture | None:
        """One bad track must not stop the call: its error is counted and logged."""
        try:
            return advance()
        except Exception:
            self.counts.errors[what] = self.counts.errors.get(what, 0) + 1
            if self.counts.errors[what] <= 5:
                log.exception("a %s track could not be played", what)
            return None


def _mixed(
    running: _Running,
    voices: list[Voice],
    now: frozenset[str],
    count: int,
    mixes: dict[tuple[frozenset[str], frozenset[str]], Samples],
) -> Samples:
    """What a program hears: the same mix for all that leave out the same voices."""
    before = now if running.left_out is None else running.left_out
    running.left_out = now
    if (before, now) not in mixes:
        mixes[(before, now)] = mix(voices, count, before, now)
    return mixes[(before, now)]
