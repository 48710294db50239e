"""What the overlays of a picture cost: painted for the first time, and again when somebody else speaks."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from egress.media.compositor import DecorMaker
from layouts.engine import compose
from layouts.native import NativePainter
from layouts.scene import CallView
from workers.preview.people import call_of

GUESTS = 9
SIZE = (1280, 720)
ROUNDS = 15


@dataclass(frozen=True, slots=True)
class Painted:
    """Milliseconds of processor time, each the median of some rounds."""

    first: float
    """All nine names, borders and initials, by a painter that has painted before, but none of them."""
    speaker: float
    """The same when another one speaks, as planes for the compositor."""
    unchanged: float
    """The same scene again."""
    scene: float
    """To decide the scene, for comparison."""

    @property
    def repeated(self) -> float:
        """What a change of speaker costs, as a share of the first time."""
        return self.speaker / self.first


def run(rounds: int = ROUNDS) -> Painted:
    """Paint nine guests over and over."""
    return Painted(*(statistics.median(values) for values in zip(*map(_round, range(rounds)), strict=True)))


def _round(number: int) -> tuple[float, float, float, float]:
    # Other names each time: what is measured is not what was painted before.
    began, spoken = _named(call_of(GUESTS, speaking=1), number), _named(call_of(GUESTS, speaking=4), number)
    scene = compose("grid", {}, SIZE, began)
    later = compose("grid", {}, SIZE, spoken, scene)
    maker = DecorMaker(NativePainter())
    maker.make(compose("grid", {}, SIZE, _named(call_of(1), -1)))
    return (
        _milliseconds(lambda: maker.make(scene)),
        _milliseconds(lambda: maker.make(later)),
        _milliseconds(lambda: maker.make(later)),
        _milliseconds(lambda: compose("grid", {}, SIZE, spoken, scene)),
    )


def _named(call: CallView, round_: int) -> CallView:
    return CallView(tuple(replace(who, name=f"{who.name} {round_}") for who in call.participants))


def _milliseconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1000
