"""Where a recording is cut into files: at ticks where a picture and an AAC frame begin at the same instant.

At 30 pictures a second that is every 16th tick (25 AAC frames), so parts laid end to end repeat nothing and lose
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from egress.media.decode import SAMPLE_RATE
from egress.media.encode import AAC_FRAME


@dataclass(frozen=True, slots=True)
class PartPlan:
    """Cuts every ``period`` ticks of a program that makes ``fps`` pictures a second."""

    fps: int
    period: int

    @classmethod
    def every(cls, seconds: float, fps: int) -> PartPlan:
        """The plan whose parts are nearest to ``seconds`` long."""
        unit = fps * AAC_FRAME // gcd(SAMPLE_RATE, fps * AAC_FRAME)
        return cls(fps, max(1, round(seconds * fps / unit)) * unit)

    def is_cut(self, tick: int) -> bool:
        return tick > 0 and tick % self.period == 0

    def part_of_tick(self, tick: int) -> int:
        """0 for the first part."""
        return max(0, tick // self.period)

    def part_of_sample(self, sample: int) -> int:
        return max(0, sample // self.first_sample(1))

    def first_tick(self, part: int) -> int:
        return part * self.period

    def first_sample(self, part: int) -> int:
        return self.first_tick(part) * SAMPLE_RATE // self.fps
