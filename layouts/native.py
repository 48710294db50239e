"""The native painter: everything of a scene but the video, drawn with Skia when the scene changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from layouts.images import AVATAR_SIDE, CANVAS_SIDE, ImageSource, NoImages
from layouts.lru import BoundedCache
from layouts.painting.borders import draw_border
from layouts.painting.ground import draw_ground, draw_tiles
from layouts.painting.labels import draw_label, gap_of, placed, room_of
from layouts.painting.placeholders import draw_placeholder
from layouts.painting.signs import draw_logo, draw_timestamp, draw_title
from layouts.painting.surface import Patch, Pixels
from layouts.scene import Scene, Tile
from layouts.text import TextShaper

__all__ = ["NativePainter", "Painting", "Patch"]

_PATCH_BYTES = 32 << 20
_PLACEHOLDER_BYTES = 24 << 20
_GROUND_BYTES = 48 << 20


@dataclass(frozen=True, eq=False, slots=True)
class Painting:
    """What lies under and over the video of one scene.

    ``under`` is (height, width, 4), opaque: the background and the tiles' backgrounds. ``placeholders`` maps
    the index of every tile without a source to its opaque picture, of the tile's size; for tiles whose
    picture has yet to come, ask ``NativePainter.placeholder``. ``over`` is to be blended in its order; the last
    ``signs`` of it belong to the canvas, not to a tile. Arrays are read-only and the same objects while nothing about
    them changes.
    """

    under: Pixels
    placeholders: dict[int, Pixels] = field(default_factory=dict)
    over: tuple[Patch, ...] = ()
    signs: int = 0


class NativePainter:
    """Paints scenes. What is drawn is remembered within fixed bounds of memory, until a picture in it changes.

    Not for more than one thread at a time.
    """

    def __init__(self, images: ImageSource | None = None) -> None:
        self._images = images or NoImages()
        self._text = TextShaper()
        self._patches: BoundedCache[tuple[Patch, ...]] = BoundedCache(_PATCH_BYTES, _bytes_of_patches)
        self._placeholders: BoundedCache[Pixels] = BoundedCache(_PLACEHOLDER_BYTES, _bytes_of)
        self._grounds: BoundedCache[Pixels] = BoundedCache(_GROUND_BYTES, _bytes_of)

    def paint(self, scene: Scene) -> Painting:
        """The parts of a scene that lie under and over its video."""
        key, ground = self._ground(scene)
        over: list[Patch] = []
        for tile in scene.tiles:
            over += self._border(tile, key, ground)
            over += self._label(tile)
        signs = self._signs(scene)
        return Painting(
            under=self._under(scene, key, ground),
            placeholders={
                index: self.placeholder(tile) for index, tile in enumerate(scene.tiles) if tile.source is None
            },
            over=(*over, *signs),
            signs=len(signs),
        )

    def placeholder(self, tile: Tile) -> Pixels:
        """What a tile shows without a picture: (height, width, 4), opaque."""
        size = (tile.rect.width, tile.rect.height)
        avatar = self._image(tile.placeholder.image, AVATAR_SIDE)
        return self._placeholders.get(
            (size, tile.placeholder, _identity(avatar)),
            lambda: draw_placeholder(self._text, size, tile.placeholder, avatar),
        )

    def _image(self, address: str | None, side: int = CANVAS_SIDE) -> Any | None:
        return self._images.get(address, side) if address else None

    def _ground(self, scene: Scene) -> tuple[object, Pixels]:
        """The canvas without tiles, and what it is known by."""
        image = self._image(scene.backdrop.image) if scene.backdrop else None
        backdrop = scene.backdrop if image is not None else None
        size = (scene.width, scene.height)
        key = (size, scene.background, backdrop, _identity(image))
        return key, self._grounds.get(key, lambda: draw_ground(size, scene.background, backdrop, image))

    def _under(self, scene: Scene, key: object, ground: Pixels) -> Pixels:
        # A picture must not show beside a video that does not fill its tile.
        shows = scene.backdrop is not None
        tiles = tuple((t.rect, t.background) for t in scene.tiles if shows or t.background != scene.background)
        return self._grounds.get((key, tiles), lambda: draw_tiles(ground, tiles)) if tiles else ground

    def _border(self, tile: Tile, key: object, ground: Pixels) -> tuple[Patch, ...]:
        border = tile.border
        if border is None:
            return ()
        return self._patches.get((tile.rect, border, key), lambda: tuple(draw_border(tile.rect, border, ground)))

    def _label(self, tile: Tile) -> tuple[Patch, ...]:
        label = tile.label
        if label is None:
            return ()
        # The pixels depend on the room for the name alone, their place on the tile: a tile that
        # moves keeps its shaped label.
        gap = gap_of(label, tile.border)
        room = room_of(tile.rect, gap, label)
        drawn = self._patches.get((room, label), lambda: draw_label(self._text, room, label))
        return self._patches.get(
            (tile.rect, gap, label),
            lambda: tuple(p for patch in drawn if (p := placed(patch, tile.rect, gap, label)) is not None),
        )

    def _signs(self, scene: Scene) -> tuple[Patch, ...]:
        """Logo, title and time, above all tiles."""
        canvas = (scene.width, scene.height)
        logo, title, shown = scene.logo, scene.title, scene.timestamp
        found: list[Patch | None] = []
        if logo is not None and (image := self._image(logo.image)) is not None:
            found += self._once(("logo", canvas, logo, _identity(image)), lambda: draw_logo(canvas, logo, image))
        if title is not None:
            found += self._once(("title", canvas, title), lambda: draw_title(self._text, canvas, title))
        if shown:
            found += self._once(("time", canvas, shown), lambda: draw_timestamp(self._text, canvas, shown))
        return tuple(patch for patch in found if patch is not None)

    def _once(self, key: object, draw: Callable[[], Patch | None]) -> tuple[Patch, ...]:
        return self._patches.get(key, lambda: () if (patch := draw()) is None else (patch,))


def _identity(image: Any | None) -> int | None:
    return None if image is None else int(image.uniqueID())


def _bytes_of(pixels: Pixels) -> int:
    return int(pixels.nbytes)


def _bytes_of_patches(patches: tuple[Patch, ...]) -> int:
    return sum(patch.rgba.nbytes for patch in patches) + 256
