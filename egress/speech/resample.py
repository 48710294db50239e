"""From 48 kHz, as Opus decodes, to the 16 kHz of detectors and engines; piece by piece, without a seam."""

from __future__ import annotations

import numpy as np

from egress.speech.contract import SAMPLE_RATE, Sound

FACTOR = 3
IN_RATE = SAMPLE_RATE * FACTOR
_TAPS = 48
_CUTOFF = 7400.0
"""Hz, below the 8 kHz that 16 kHz can hold."""


def _low_pass() -> Sound:
    at = np.arange(_TAPS) - (_TAPS - 1) / 2
    taps = np.sinc(2 * _CUTOFF / IN_RATE * at) * np.blackman(_TAPS)
    low: Sound = (taps / taps.sum()).astype(np.float32)
    return low


_FILTER = _low_pass()


class Decimator:
    """One track's. The sound comes out half a millisecond late."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """What comes next does not follow what came before."""
        self._kept: Sound = np.zeros(_TAPS - 1, np.float32)

    def take(self, sound: Sound) -> Sound:
        """``sound`` at 48 kHz, to 16 kHz; samples that make no whole one yet wait for the next call."""
        told = np.concatenate([self._kept, sound])
        count = (len(told) - _TAPS + 1) // FACTOR
        if count <= 0:
            self._kept = told
            return np.zeros(0, np.float32)
        self._kept = told[count * FACTOR :]
        # The overlapping pieces that the filter goes over; numpy's own view of them costs more than the filter.
        pieces: Sound = np.ndarray((count, _TAPS), np.float32, told, 0, (FACTOR * told.itemsize, told.itemsize))
        made: Sound = pieces @ _FILTER
        return made
