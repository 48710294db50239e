"""How alike two pictures look: the structural similarity index (Wang, Bovik, Sheikh and Simoncelli, 2004)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_WINDOW = 7
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def similarity(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """The index at each pixel of two (h, w) pictures, 1 where they are the same; edges repeat outwards."""
    x, y = a.astype(np.float64), b.astype(np.float64)
    mean_x, mean_y = _mean(x), _mean(y)
    variance_x = _mean(x * x) - mean_x**2
    variance_y = _mean(y * y) - mean_y**2
    covariance = _mean(x * y) - mean_x * mean_y
    above = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    index: NDArray[np.float64] = above / ((mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2))
    return index


def _mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over a square window around each pixel."""
    half = _WINDOW // 2
    sums = np.pad(np.pad(values, half, mode="edge").cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    n = _WINDOW
    window: NDArray[np.float64] = (sums[n:, n:] - sums[:-n, n:] - sums[n:, :-n] + sums[:-n, :-n]) / (n * n)
    return window
