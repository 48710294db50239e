"""A scene as a style sheet rearranged it: where its videos lie now, as the compositor can follow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from layouts.scene import Rect, ScaleMode, Scene


@dataclass(frozen=True, slots=True)
class Slot:
    """Where the page put a tile's video: pixels of the canvas, not rounded, perhaps reaching beyond it."""

    tile: int
    x: float
    y: float
    width: float
    height: float
    fit: str
    """CSS's object-fit."""

    @property
    def fills(self) -> bool:
        """Whether a video leaves nothing of its slot free."""
        return self.fit in ("cover", "fill")


def rearranged(scene: Scene, slots: Sequence[Slot]) -> Scene:
    """The scene with the tiles alone that have a slot on the canvas, at their slots, the lowest first.

    Each is the smallest even rectangle around what of its slot lies on the canvas: what belongs to the slot only in
    part, at its edges, is for the painter to cover. Everything else of a tile is the painter's as well. A video
    whose slot reaches beyond the canvas is scaled to what can be seen of the slot.
    """
    tiles = []
    for slot in slots:
        rect = even_around(slot, scene.width, scene.height)
        if rect is None:
            continue
        tile = scene.tiles[slot.tile]
        fit: ScaleMode = "fill" if slot.fills else "fit"
        # Whoever compares tiles must find those equal of which the compositor draws the same.
        bare = replace(tile, rect=rect, scale_mode=fit, label=None, border=None, participant=None)
        tiles.append(bare)
    return replace(scene, tiles=tuple(tiles), backdrop=None, logo=None, title=None, timestamp="", transition_ms=0)


def even_around(slot: Slot, width: int, height: int) -> Rect | None:
    """The smallest even rectangle around what of a slot lies on a canvas; None when that is nothing."""
    # A hundredth of a pixel is arithmetic, not a place.
    left, top = _down(max(slot.x + 0.01, 0)), _down(max(slot.y + 0.01, 0))
    right = min(_up(slot.x + slot.width - 0.01), width)
    bottom = min(_up(slot.y + slot.height - 0.01), height)
    if right <= left or bottom <= top:
        return None
    return Rect(left, top, right - left, bottom - top)


def _down(value: float) -> int:
    return math.floor(value) & ~1


def _up(value: float) -> int:
    return -_down(-value)
