"""What of an exact guest arrived in delivered files, on the wall clock: where it is seen and heard, and where not.

Each file is placed by the start time that was told of it. A picture counts when it carries the number that belongs to
its moment, sound when the guest's hum is heard, so media in the wrong place are lost media. Times are seconds since
1970 unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tests.rig import picture
from tests.rig.judge import judge

Span = tuple[float, float]

LATE = 0.25
"""Seconds by which a file's times may be behind the guest's: coding, the way, and one picture of the file."""
EARLY = 0.05
FIRST = 1.0
"""Seconds that a recording may be ahead of a guest's first picture and sound."""
LEAST = 0.15
"""Seconds from which a hole is one. Between two parts laid end to end there may be less than a picture."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One delivered file and when it says it begins."""

    path: Path
    start: float


@dataclass(slots=True)
class Arrived:
    """All pieces of one recording, as one guest of it is found in them."""

    seen: list[Span] = field(default_factory=list)
    heard: list[Span] = field(default_factory=list)
    flashes: set[int] = field(default_factory=set)
    """Whole seconds whose flash is in a file."""
    beeps: set[int] = field(default_factory=set)
    pieces: list[Span] = field(default_factory=list)
    """From when to when each file lasts, by its own times."""
    behind: list[float] = field(default_factory=list)
    """Seconds by which each file's beeps are behind the whole seconds of the wall clock, in the order of the pieces."""

    @classmethod
    def of(cls, pieces: Iterable[Piece], identity: int = 0) -> Arrived:
        found = cls()
        for piece in sorted(pieces, key=lambda piece: piece.start):
            found._read(piece, identity)
        found.seen, found.heard = joined(found.seen), joined(found.heard)
        return found

    @property
    def begin(self) -> float:
        return self.pieces[0][0]

    @property
    def end(self) -> float:
        return max(end for _, end in self.pieces)

    def holes(self, least: float = LEAST) -> list[Span]:
        """Where the guest is not both seen and heard, from the first file's begin to the last one's end.

        A recording does not wait long for a first picture: what is missing at its very begin was not there yet.
        """
        missing = gaps(self.seen, self.begin, self.end) + gaps(self.heard, self.begin, self.end)
        return [
            (begin, end)
            for begin, end in joined(missing)
            if end - begin >= least and (begin > self.begin or end - begin > FIRST)
        ]

    def heard_through(self, hole: Span) -> bool:
        """Whether the guest is heard all through a hole: then only pictures were left out."""
        silences = gaps(self.heard, self.begin, self.end)
        return not any(end - begin >= LEAST and begin < hole[1] and end > hole[0] for begin, end in silences)

    def missing_marks(self) -> list[int]:
        """Whole seconds between begin and end whose flash or beep did not arrive.

        Of a mark in which a file begins or ends nobody can say when it set in: those count as there.
        """
        edges = [edge for piece in self.pieces for edge in piece]
        due = [
            second
            for second in range(int(self.begin + FIRST + 1), int(self.end - LATE))
            if not any(-LATE < edge - second < LATE + 0.1 for edge in edges)
        ]
        return [second for second in due if second not in self.flashes or second not in self.beeps]

    def _read(self, piece: Piece, identity: int) -> None:
        judged = judge(piece.path)
        assert judged.pictures is not None and judged.sound is not None, f"{piece.path} has no picture or no sound"
        length = max(judged.video_duration, judged.audio_duration)
        self.pieces.append((piece.start, piece.start + length))
        tick = 1 / judged.frame_rate
        for time, number, _ in judged._seen(identity):
            at = piece.start + time
            behind = (at % 1.0 - number / picture.FPS + 0.5) % 1.0 - 0.5
            if number >= 0 and -EARLY <= behind <= LATE:
                self.seen.append((at, at + 1.5 * tick))
        silent = judged.silences(identity, 0.0, judged.audio_duration, 0.03)
        self.heard += [(piece.start + a, piece.start + b) for a, b in gaps(silent, 0.0, judged.audio_duration)]
        self.flashes |= _marks(piece.start + at for at in judged.flashes(identity))
        beeps = [piece.start + at for at in judged.beeps(identity)]
        self.beeps |= _marks(beeps)
        offsets = [(at + 0.5) % 1.0 - 0.5 for at in beeps]
        self.behind.append(float(np.median(offsets)) if offsets else 0.0)


def _marks(times: Iterable[float]) -> set[int]:
    """The whole seconds to which marks belong that are behind them by no more than is allowed."""
    return {int(at + EARLY) for at in times if (at + EARLY) % 1.0 <= LATE + EARLY}


def joined(spans: Iterable[Span], apart: float = 1e-3) -> list[Span]:
    """Spans in order, those that touch or overlap as one."""
    found: list[Span] = []
    for begin, end in sorted(spans):
        if found and begin <= found[-1][1] + apart:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def gaps(spans: Sequence[Span], begin: float, end: float) -> list[Span]:
    """What no span covers between two moments. The spans are in order and do not overlap."""
    found, at = [], begin
    for first, last in spans:
        if first > at:
            found.append((at, min(first, end)))
        at = max(at, last)
    if at < end:
        found.append((at, end))
    return [(a, b) for a, b in found if b > a]
