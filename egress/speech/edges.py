"""Where in sound speech begins, ends and pauses, to a hundredth of a second: by how loud it is. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from egress.speech.contract import SAMPLE_RATE, Sound

STEP = SAMPLE_RATE // 100
"""Samples over which loudness is taken."""
_BEFORE = 24
"""Steps before the detector's first window in which the beginning is sought."""
_BEHIND = 20
"""Steps behind its last window in which the end is."""
_BELOW = 44.0
"""Decibels below the loud parts of a segment at which its edges lie at the lowest."""
_ABOVE = 8.0
"""Decibels above the noise at which they lie at the lowest."""
_GAP = 28.0
"""Decibels below the loud parts under which sound is a gap."""
_PAUSE = 15
"""Steps that a gap must have to lie between words: within one, a stop (p, t, k) is silent for up to a tenth of a
second."""


def loudness(sound: Sound) -> NDArray[np.float32]:
    """Decibels of full scale, one for each STEP samples that are whole."""
    steps = sound[: len(sound) // STEP * STEP].reshape(-1, STEP)
    power = np.einsum("ij,ij->i", steps, steps) / STEP
    level: NDArray[np.float32] = 10 * np.log10(power + 1e-10)
    return level


def onset(sound: Sound, first: int, last: int) -> int:
    """The sample at which the speech of samples ``first`` to ``last`` begins."""
    level, threshold = _judged(sound, first, last)
    if not len(level):
        return first
    at = min(first // STEP, len(level) - 1)
    limit = max(0, at - _BEFORE)
    loud = level >= threshold
    if not loud[at]:
        # The detector was early: the first loud step behind it.
        ahead = np.flatnonzero(loud[at : last // STEP + 1])
        return int(min((at + ahead[0]) * STEP, last)) if len(ahead) else first
    # It was late: back to the last pause of three steps.
    quiet = 0
    begin = at
    for step in range(at - 1, limit - 1, -1):
        quiet = 0 if loud[step] else quiet + 1
        if loud[step]:
            begin = step
        elif quiet >= 3:
            break
    return begin * STEP


def offset(sound: Sound, first: int, last: int) -> int:
    """The sample at which the speech of samples ``first`` to ``last`` ends."""
    level, threshold = _judged(sound, first, last)
    if not len(level):
        return last
    at = min(max(last // STEP - 1, 0), len(level) - 1)
    limit = min(len(level) - 1, at + _BEHIND)
    loud = level >= threshold
    if not loud[at]:
        behind = np.flatnonzero(loud[first // STEP : at + 1])
        return int((first // STEP + behind[-1] + 1) * STEP) if len(behind) else last
    quiet = 0
    end = at
    for step in range(at + 1, limit + 1):
        quiet = 0 if loud[step] else quiet + 1
        if loud[step]:
            end = step
        elif quiet >= 3:
            break
    return (end + 1) * STEP


def widest_gap(sound: Sound, earliest: int, latest: int, unvoiced: NDArray[np.bool_]) -> int | None:
    """The sample in the middle of the widest pause between the two; None where nothing is long enough to be one.

    ``unvoiced`` says of each sample whether the detector heard no speech there.
    """
    level = loudness(sound)
    low, high = earliest // STEP, min(latest // STEP, len(level))
    if high - low < _PAUSE:
        return None
    loud = np.percentile(level, 90)
    silent = unvoiced[: len(level) * STEP].reshape(-1, STEP).all(axis=1)
    quiet = (silent | (level < loud - _GAP))[low:high]
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    runs = edges.reshape(-1, 2)
    widths = runs[:, 1] - runs[:, 0]
    if not len(widths) or widths.max() < _PAUSE:
        return None
    # The last of the widest, so that captions are as long as they may be.
    best = runs[len(widths) - 1 - int(np.argmax(widths[::-1]))]
    return int((low + (best[0] + best[1]) / 2) * STEP)


def quietest(sound: Sound, earliest: int, latest: int) -> int:
    """The sample in the middle of the quietest twentieth of a second between the two."""
    level = loudness(sound[earliest:latest])
    if len(level) < 5:
        return (earliest + latest) // 2
    smooth = np.convolve(level, np.ones(5) / 5, "valid")
    return earliest + int((int(np.argmin(smooth)) + 2.5) * STEP)


def _judged(sound: Sound, first: int, last: int) -> tuple[NDArray[np.float32], float]:
    """How loud each step is, and from where on it is part of the speech."""
    level = loudness(sound)
    inside = level[first // STEP : max(last // STEP, first // STEP + 1)]
    if not len(inside):
        return level[:0], 0.0
    loud = float(np.percentile(inside, 90))
    noise = float(np.percentile(level, 5))
    return level, min(max(loud - _BELOW, noise + _ABOVE), loud - 12.0)
