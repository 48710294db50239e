"""What lies over a video, from stills of it black and white."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from egress.browser.matte import beneath, keep_of, opaque, patches
from layouts.scene import Rect

SLOT = Rect(20, 10, 200, 120)
GROUND, LABEL = 90, 200


def page(video: NDArray[np.float64] | float, *, cover: float = 1.0) -> NDArray[np.uint8]:
    """A page with one video: rounded below, a label of half opacity on it, the ground around it."""
    shown = np.full((160, 260), float(GROUND))
    y, x = np.mgrid[0:160, 0:260]
    inside = (x >= SLOT.x) & (x < SLOT.right) & (y >= SLOT.y) & (y < SLOT.bottom)
    inside &= ((x - SLOT.x) + (SLOT.bottom - y)) > 16
    shown[inside] = ((video * np.ones_like(shown)) * cover + (1 - cover) * GROUND)[inside]
    label = (x >= 30) & (x < 90) & (y >= 20) & (y < 40)
    shown[label] = 0.5 * shown[label] + 0.5 * LABEL
    rgb: NDArray[np.uint8] = np.repeat(np.round(shown)[..., None], 3, axis=2).astype(np.uint8)
    return rgb


def drawn(black: NDArray[np.uint8], white: NDArray[np.uint8], under: NDArray[np.uint8]) -> NDArray[np.float64]:
    """``under``, with the patches drawn over it."""
    canvas = under[..., :3].astype(float)
    for rect, rgba in patches(black, keep_of(black, white), [SLOT]):
        part = canvas[rect.y : rect.bottom, rect.x : rect.right]
        part[:] = rgba[..., :3] + part * (255 - rgba[..., 3:].astype(float)) / 255
    return canvas


def test_a_video_under_its_patches_looks_as_on_the_page():
    video = 40 + np.mgrid[0:160, 0:260][1] * 0.5
    black, white, wanted = page(0), page(255), page(video)
    under = wanted.copy()
    under[SLOT.y : SLOT.bottom, SLOT.x : SLOT.right] = video[SLOT.y : SLOT.bottom, SLOT.x : SLOT.right, None]
    assert np.abs(drawn(black, white, under) - wanted).max() <= 2


def test_what_lies_behind_a_video_is_found_under_what_lies_over_it():
    nothing, black, white = page(120), page(0), page(255)
    keep = keep_of(black, white)
    under = beneath(nothing, black, keep)
    inside = under[60:100, 60:180]
    assert np.abs(inside.astype(int) - 120).max() <= 2
    assert np.abs(under[22:38, 32:88].astype(int) - 120).max() <= 2, "under the label too"
    assert (under[0:8] == GROUND).all()


def test_a_video_that_is_half_transparent_is_kept_by_half():
    keep = keep_of(page(0, cover=0.5), page(255, cover=0.5))
    assert abs(int(keep[80, 120]) - 128) <= 1


def test_only_what_covers_a_video_becomes_patches():
    found = list(patches(page(0), keep_of(page(0), page(255)), [SLOT]))
    area = sum(rect.width * rect.height for rect, _ in found)
    assert area < 0.2 * SLOT.width * SLOT.height
    assert list(patches(np.zeros((40, 40, 3), np.uint8), np.full((40, 40), 255, np.uint8), [Rect(0, 0, 40, 40)])) == []


@given(st.lists(st.tuples(*(st.integers(0, 90) for _ in range(4))), max_size=12))
def test_patches_hold_all_that_covers_and_do_not_overlap(boxes: list[tuple[int, int, int, int]]):
    keep = np.full((96, 96), 255, np.uint8)
    for x, y, width, height in boxes:
        keep[y : y + height // 3, x : x + width // 3] = 7
    seen = np.zeros(keep.shape, int)
    for rect, rgba in patches(np.zeros((96, 96, 3), np.uint8), keep, [Rect(0, 0, 96, 96)]):
        assert rect.x % 2 == rect.y % 2 == rect.width % 2 == rect.height % 2 == 0
        assert rgba.shape == (rect.height, rect.width, 4)
        seen[rect.y : rect.bottom, rect.x : rect.right] += 1
    assert seen.max(initial=0) <= 1
    assert (seen[keep != 255] == 1).all()


def test_opaque_is_opaque():
    assert opaque(page(0))[..., 3].min() == 255
