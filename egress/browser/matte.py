"""From stills of a page whose videos are one colour to what lies under and over the videos.

Whatever a style sheet does, the page shows at each pixel ``add + keep × video``, as long as it treats the video's
colours alike: labels over it add and cover, rounded corners, clipping, opacity and shadows cover. Two stills of the
page, the videos black and white, tell both: ``add`` is the black one, ``keep`` the difference. So corners are cut with
their soft edges, and nothing has to be known of what covers what. A still more, with nothing in the slots, tells what
lies behind a video that leaves part of its slot free; it is taken only where there may be one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from layouts.scene import Rect

Pixels = NDArray[np.uint8]

_BLOCK = 4
"""Pixels of the squares in which it is looked for what covers a video. Even."""
_PATCH_COST = 2500
"""Pixels that a patch may have for nothing: blending one more patch would cost as much before its first pixel."""


def keep_of(black: Pixels, white: Pixels) -> Pixels:
    """How much of a video can be seen, 0 to 255, of (h, w, 3) stills."""
    # All channels tell the same, as far as a page treats a video's colours alike.
    shares: Pixels = np.where(white[..., 1] > black[..., 1], white[..., 1] - black[..., 1], 0).astype(np.uint8)
    return shares


def beneath(still: Pixels, black: Pixels, keep: Pixels) -> Pixels:
    """What lies under everything that is over the videos, so that it looks like ``still`` when that is drawn on it.

    Where nothing of it could be seen it is taken as it is.
    """
    seen = keep[..., None].astype(np.float32)
    under = (still.astype(np.float32) - black) * 255 / np.maximum(seen, 1)
    found: Pixels = np.where(seen > 0, np.clip(under + 0.5, 0, 255), still).astype(np.uint8)
    return found


def opaque(rgb: Pixels) -> Pixels:
    """An (h, w, 3) picture as (h, w, 4)."""
    rgba = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = rgb
    return rgba


def patches(black: Pixels, keep: Pixels, slots: Sequence[Rect]) -> Iterator[tuple[Rect, Pixels]]:
    """What covers the videos in their slots: even rectangles, premultiplied RGBA.

    Slots are told the lowest first. What lies where two overlap belongs to the upper one, and to no patch of the lower.
    """
    covered = (keep != 255) | ((black[..., 0] | black[..., 1] | black[..., 2]) != 0)
    for number, slot in enumerate(slots):
        own = np.ones((slot.height, slot.width), bool)
        for upper in slots[number + 1 :]:
            if slot.overlaps(upper):
                own[
                    max(upper.y - slot.y, 0) : upper.bottom - slot.y, max(upper.x - slot.x, 0) : upper.right - slot.x
                ] = False
        for part in _rectangles(covered[slot.y : slot.bottom, slot.x : slot.right] & own):
            rect = Rect(slot.x + part.x, slot.y + part.y, part.width, part.height)
            rows, columns = slice(rect.y, rect.bottom), slice(rect.x, rect.right)
            rgba = np.empty((rect.height, rect.width, 4), np.uint8)
            rgba[..., :3] = black[rows, columns]
            rgba[..., 3] = 255 - keep[rows, columns]
            rgba[~own[part.y : part.bottom, part.x : part.right]] = 0
            yield rect, rgba


def share_of(alone: Pixels, black: Pixels, keep: Pixels, below: Sequence[Rect]) -> Pixels:
    """How much of a video is seen where it lies on others, 0 to 255; 255 where it lies on none.

    All are of the video's slot: ``alone`` is a still with it white and all others black. ``below`` are the others.
    """
    share = np.full(keep.shape, 255, np.uint8)
    own = keep_of(black, alone).astype(np.float32)
    found = np.where(keep > 0, np.minimum(own * 255 / np.maximum(keep, 1) + 0.5, 255), 255).astype(np.uint8)
    for rect in below:
        part = (slice(max(rect.y, 0), max(rect.bottom, 0)), slice(max(rect.x, 0), max(rect.right, 0)))
        share[part] = found[part]
    return share


def _rectangles(marked: NDArray[np.bool_]) -> list[Rect]:
    """Few rectangles of little area that hold all that is marked, aligned to blocks, inside the array, disjoint."""
    height, width = marked.shape
    down, across = -(-height // _BLOCK), -(-width // _BLOCK)
    padded = np.zeros((down * _BLOCK, across * _BLOCK), bool)
    padded[:height, :width] = marked
    blocks: NDArray[np.bool_] = np.logical_or.reduce(padded.reshape(down, _BLOCK, across, _BLOCK), axis=(1, 3))
    found = (_scaled(box) for box in _boxes(blocks, 0, 0))
    return [Rect(r.x, r.y, min(r.right, width) - r.x, min(r.bottom, height) - r.y) for r in found]


def _scaled(box: Rect) -> Rect:
    return Rect(box.x * _BLOCK, box.y * _BLOCK, box.width * _BLOCK, box.height * _BLOCK)


def _boxes(blocks: NDArray[np.bool_], x: int, y: int) -> Iterator[Rect]:
    """Boxes around what is marked, cut until little in them is not (after Berger and Rigoutsos, 1991)."""
    rows, columns = np.flatnonzero(blocks.any(axis=1)), np.flatnonzero(blocks.any(axis=0))
    if not len(rows):
        return
    top, left = int(rows[0]), int(columns[0])
    blocks = blocks[top : rows[-1] + 1, left : columns[-1] + 1]
    x, y = x + left, y + top
    height, width = blocks.shape
    unused = (blocks.size - int(blocks.sum())) * _BLOCK * _BLOCK
    if unused <= _PATCH_COST:
        yield Rect(x, y, width, height)
        return
    (strength, row), (other, column) = _cut(blocks.sum(axis=1)), _cut(blocks.sum(axis=0))
    if strength >= other:
        yield from _boxes(blocks[:row], x, y)
        yield from _boxes(blocks[row:], x, y + row)
    else:
        yield from _boxes(blocks[:, :column], x, y)
        yield from _boxes(blocks[:, column:], x + column, y)


def _cut(counts: NDArray[np.int_]) -> tuple[float, int]:
    """Where to cut a box, told how much is marked in each of its lines, and how good a place that is."""
    if len(counts) < 2:
        return -1.0, 0
    empty = np.flatnonzero(counts == 0)
    if len(empty):
        return math.inf, int(empty[len(empty) // 2])
    steps = np.abs(np.diff(counts))
    best = int(np.argmax(steps))
    if steps[best] == 0:
        return 0.0, len(counts) // 2
    return float(steps[best]), best + 1
