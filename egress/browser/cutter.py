"""Cuts the stills of a page into what lies under and over its videos, as decor is made of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from egress.browser.layout_page import Stills, pixels
from egress.browser.matte import beneath, keep_of, opaque, patches, share_of
from egress.media.compositor import Decor, DecorMaker
from egress.media.yuv import shares
from layouts.rearranged import rearranged
from layouts.scene import Placeholder, Rect, Scene, Tile

MOST_PLACEHOLDERS = 100
MOST_PATCHES = 1000
LEAST_SEEN = 0.005
"""Part of a video of which less shines through what covers it at its soft edges."""

Pixels = NDArray[np.uint8]
PlaceholderStill = Callable[[Rect], bytes]
"""Takes a still of a part of the page with what is in the slots where there is no video."""


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    rect: Rect
    rgba: Pixels


@dataclass(frozen=True, eq=False, slots=True)
class Painting:
    """Of a page. All that the page draws belongs to a place of the canvas, so nothing of it glides."""

    under: Pixels
    over: tuple[Patch, ...] = ()
    signs: int = 0
    masks: Mapping[int, Pixels] = field(default_factory=dict)
    """By tile, how much is seen of those that lie on others."""


class Cutter:
    """Keeps what does not change from one scene to the next. For one thread."""

    def __init__(self) -> None:
        self._maker = DecorMaker(self)
        self._patches: dict[tuple[Rect, bytes], Patch] = {}
        self._placeholders: OrderedDict[tuple[Rect, Placeholder, int], Pixels] = OrderedDict()
        self._painting: Painting | None = None
        self._generation = 0

    def decor(self, scene: Scene, stills: Stills, generation: int, still: PlaceholderStill) -> Decor:
        """The decor of a scene that the page shows, its tiles where the page has their videos.

        ``generation`` is another number whenever placeholders may look different, of which ``still`` is asked
        when one is new.
        """
        self._generation = generation
        drawn, self._painting = self._cut(rearranged(scene, stills.slots), stills, still)
        decor = self._maker.make(drawn)
        self._forget(self._painting)
        return replace(decor, masks={index: shares(mask) for index, mask in self._painting.masks.items()})

    # As the painter of what was cut last.

    def paint(self, scene: Scene) -> Painting:
        assert self._painting is not None
        return self._painting

    def placeholder(self, tile: Tile) -> Pixels:
        return self._placeholders[self._key(tile)]

    def _cut(self, scene: Scene, stills: Stills, still: PlaceholderStill) -> tuple[Scene, Painting]:
        """The scene without the tiles of which nothing can be seen, and its painting."""
        ground = pixels(stills.whole)
        if stills.white is None:
            return scene, Painting(opaque(ground))
        black = np.zeros_like(ground)
        keep = np.zeros(ground.shape[:2], np.uint8)
        inside = _of(black, stills.area)
        inside[:] = _of(ground, stills.area) if stills.black is None else pixels(stills.black)
        _of(keep, stills.area)[:] = keep_of(inside, pixels(stills.white))
        seen = [number for number, tile in enumerate(scene.tiles) if _of(keep, tile.rect).mean() > LEAST_SEEN * 255]
        tiles = tuple(scene.tiles[number] for number in seen)
        rects = [tile.rect for tile in tiles]
        self._see_to_placeholders(tiles, stills.area, black, keep, still)
        for tile in tiles:
            if tile.scale_mode == "fit":
                free = _of(ground, tile.rect)
                free[:] = beneath(free, _of(black, tile.rect), _of(keep, tile.rect))
        over = []
        for rect, rgba in patches(black, keep, rects):
            over.append(self._patches.setdefault((rect, rgba.tobytes()), Patch(rect, rgba)))
        masks: dict[int, Pixels] = {}
        for index, number in enumerate(seen):
            if number in stills.alone:
                at = rects[index]
                below = [Rect(r.x - at.x, r.y - at.y, r.width, r.height) for r in rects[:index]]
                masks[index] = share_of(pixels(stills.alone[number]), _of(black, at), _of(keep, at), below)
        return replace(scene, tiles=tiles), Painting(opaque(ground), tuple(over), masks=masks)

    def _see_to_placeholders(
        self, tiles: tuple[Tile, ...], area: Rect, black: Pixels, keep: Pixels, still: PlaceholderStill
    ) -> None:
        """Have one for each tile: a still of all is taken when one is new."""
        known = [key for tile in tiles if (key := self._key(tile)) in self._placeholders]
        for key in known:
            self._placeholders.move_to_end(key)
        if len(known) == len(tiles):
            return
        shown = np.zeros_like(black)
        _of(shown, area)[:] = pixels(still(area))
        for tile in tiles:
            parts = (_of(canvas, tile.rect) for canvas in (shown, black, keep))
            self._placeholders[self._key(tile)] = opaque(beneath(*parts))

    def _key(self, tile: Tile) -> tuple[Rect, Placeholder, int]:
        return tile.rect, tile.placeholder, self._generation

    def _forget(self, painting: Painting) -> None:
        """What was not used for long."""
        while len(self._placeholders) > MOST_PLACEHOLDERS:
            self._placeholders.popitem(last=False)
        if len(self._patches) > MOST_PATCHES:
            shown = set(map(id, painting.over))
            self._patches = {key: patch for key, patch in self._patches.items() if id(patch) in shown}


def _of(canvas: Pixels, rect: Rect) -> Pixels:
    """A view of what lies in a rectangle."""
    return canvas[rect.y : rect.bottom, rect.x : rect.right]
