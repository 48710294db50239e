"""What the painter draws is what somebody looked at and found good."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from tests.layouts.golden_overlays.scenes import FOLDER, SCENES, drawn, golden

SQUARE = 6
"""Pixels over which both pictures are averaged: hinting and the version of a font move edges by less."""
WORST = 40.0
"""By how much one square may differ (of 255)."""
MEAN = 1.0


def squares(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    height, width = (side // SQUARE * SQUARE for side in pixels.shape[:2])
    cut = pixels[:height, :width].astype(np.float64)
    return cut.reshape(height // SQUARE, SQUARE, width // SQUARE, SQUARE, 3).mean(axis=(1, 3))


def differences(name: str, pixels: npt.NDArray[np.uint8]) -> tuple[float, float]:
    """Of the worst square, and of all of them."""
    apart = np.abs(squares(pixels) - squares(golden(name)))
    return float(apart.max()), float(apart.mean())


@pytest.mark.parametrize("name", SCENES)
def test_the_overlay_is_the_golden_one(name: str) -> None:
    pixels = drawn(name)
    assert pixels.shape == golden(name).shape
    worst, mean = differences(name, pixels)
    assert worst < WORST and mean < MEAN


def test_a_label_that_moves_or_a_name_in_boxes_would_be_seen() -> None:
    pixels = drawn("names")
    moved = np.roll(pixels, 8, axis=1)
    worst, mean = differences("names", moved)
    assert worst > WORST and mean > MEAN
    blank = pixels.copy()
    blank[pixels.min(axis=2) > 150] = 20
    assert differences("names", blank)[0] > WORST


def test_there_are_few_of_them_and_none_is_left_over() -> None:
    files = {path.stem: path.stat().st_size for path in FOLDER.glob("*.png")}
    assert set(files) == set(SCENES)
    assert sum(files.values()) < 400_000
