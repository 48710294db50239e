"""The clock a guest's device believes in: right, wrong, stepping or drifting.

True time is this host's: ``time.monotonic()`` plus one offset taken once, the same in all processes of the rig. A
device's oscillator drives both its wall clock and its sampling: with a drift of +100 ppm its cameras and sound cards
deliver 100 ppm too much per true second, so its seconds, with their flashes and beeps, are that much shorter (9 ms
after 90 s; the log says when each really was). An offset or a step moves only what its sender reports say.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

NTP_EPOCH = 2_208_988_800
"""Seconds from 1900 to 1970."""


def epoch_offset() -> float:
    """Seconds to add to ``time.monotonic()`` for true (Unix) time; taken once by whoever starts a run."""
    return time.time() - time.monotonic()


@dataclass(frozen=True, slots=True)
class DeviceClock:
    """A device that was started at true time ``started``, on a whole second."""

    started: float
    offset: float = 0.0
    """Seconds the device's wall clock is ahead."""
    step_after: float | None = None
    """Seconds after the start when its wall clock is set."""
    step: float = 0.0
    drift_ppm: float = 0.0

    def true(self, media: float) -> float:
        """When the device's sampling has run for ``media`` seconds of its own."""
        return self.started + media / (1 + self.drift_ppm * 1e-6)

    def wall(self, true: float) -> float:
        """What the device's wall clock shows (Unix time)."""
        shown = self.started + (true - self.started) * (1 + self.drift_ppm * 1e-6) + self.offset
        if self.step_after is not None and true - self.started >= self.step_after:
            shown += self.step
        return shown


def ntp(unix: float) -> int:
    """64-bit NTP time stamp (RFC 5905)."""
    return round((unix + NTP_EPOCH) * (1 << 32)) & (1 << 64) - 1
