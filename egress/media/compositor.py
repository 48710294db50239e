"""Draws scenes: decor is painted once per scene, pictures are scaled and pasted when they change.

The canvas is kept from tick to tick; what is handed out is a copy, because an encoder may hold on to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace
from numpy.typing import NDArray

from egress.media.glide import Glide, next_glide
from egress.media.scaling import Scaler, scaled_size
from egress.media.video_source import Picture, TrackKey
from egress.media.yuv import (
    Mask,
    Overlay,
    Planes,
    blank,
    blend,
    cut,
    from_rgba,
    overlay,
    paste,
    planes_of,
    resized,
    show_through,
    taken,
)
from layouts.scene import Rect, Scene, Tile


class Patch(Protocol):
    """A small premultiplied RGBA picture to draw above the video."""

    @property
    def rect(self) -> Rect: ...
    @property
    def rgba(self) -> NDArray[np.uint8]: ...


class Painting(Protocol):
    """The decor of a scene: an opaque RGBA ground (h, w, 4), and patches above the video."""

    @property
    def under(self) -> NDArray[np.uint8]: ...
    @property
    def over(self) -> Sequence[Patch]: ...
    @property
    def signs(self) -> int:
        """How many of the last of ``over`` belong to the canvas, not to a tile: they stand still when tiles move."""
        ...


class Painter(Protocol):
    """Draws everything of a scene but the video. What does not change comes back as the same array."""

    def paint(self, scene: Scene) -> Painting: ...

    def placeholder(self, tile: Tile) -> NDArray[np.uint8]:
        """The opaque RGBA picture (h, w, 4) of a tile without video."""
        ...


@dataclass(frozen=True, slots=True)
class Decor:
    """A painted scene, as planes. Made on any thread, shown on the media thread."""

    scene: Scene
    ground: Planes
    overlays: tuple[tuple[Overlay, ...], ...]
    """Per tile, what lies on it."""
    free: tuple[Overlay, ...]
    """What lies on no tile."""
    signs: tuple[Overlay, ...]
    """What belongs to the canvas and stands above all tiles, whole."""
    sign_parts: tuple[tuple[Overlay, ...], ...]
    """Per tile, what of the signs lies on it."""
    free_signs: tuple[Overlay, ...]
    """What of them lies on no tile."""
    placeholders: tuple[Planes, ...]
    masks: Mapping[int, Mask] = field(default_factory=dict)
    """For tiles that leave something to be seen of those that they lie on: what is seen of themselves."""


class DecorMaker:
    """Turns scenes into decor, keeping what did not change since the last one."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._placeholders: dict[Tile, tuple[NDArray[np.uint8], Planes]] = {}
        self._overlays: dict[tuple[int, int, int], tuple[object, Overlay]] = {}
        self._ground: tuple[NDArray[np.uint8], Planes] | None = None

    def make(self, scene: Scene) -> Decor:
        painting = self._painter.paint(scene)
        if self._ground is None or not (
            self._ground[0] is painting.under or np.array_equal(self._ground[0], painting.under)
        ):
            self._ground = (painting.under, from_rgba(painting.under))
        seen: dict[tuple[int, int, int], tuple[object, Overlay]] = {}
        made: list[Overlay] = []
        for patch in painting.over:
            # Painters keep unchanged patches, so their pictures are known by identity.
            key = (patch.rect.x, patch.rect.y, id(patch.rgba))
            known = self._overlays.get(key)
            ready = known[1] if known else overlay(patch.rect.x, patch.rect.y, patch.rgba)
            seen[key] = (patch.rgba, ready)
            made.append(ready)
        self._overlays = seen
        placeholders: dict[Tile, tuple[NDArray[np.uint8], Planes]] = {}
        for tile in scene.tiles:
            # An avatar may have come since, so a tile's placeholder is known by identity as well.
            pixels = self._painter.placeholder(tile)
            old = self._placeholders.get(tile)
            placeholders[tile] = old if old is not None and old[0] is pixels else (pixels, from_rgba(pixels))
        self._placeholders = placeholders
        rects = [tile.rect for tile in scene.tiles]
        own, signs = made[: len(made) - painting.signs], made[len(made) - painting.signs :]
        return Decor(
            scene,
            self._ground[1],
            *_parts(own, rects),
            tuple(signs),
            *_parts(signs, rects),
            tuple(placeholders[tile][1] for tile in scene.tiles),
        )


def _parts(
    overlays: Sequence[Overlay], rects: Sequence[Rect]
) -> tuple[tuple[tuple[Overlay, ...], ...], tuple[Overlay, ...]]:
    """What of overlays lies on each of some rectangles, and on none of them."""
    on_each = tuple(
        # What lies on a rectangle that comes later is drawn with that one.
        tuple(
            _on(o, part) for o in overlays for part in _outside(rect, rects[index + 1 :]) if _rect_of(o).overlaps(part)
        )
        for index, rect in enumerate(rects)
    )
    return on_each, tuple(_on(o, rest) for o in overlays for rest in _outside(_rect_of(o), rects))


def _rect_of(over: Overlay) -> Rect:
    return Rect(over.x, over.y, *over.size)


def _on(over: Overlay, rect: Rect) -> Overlay:
    """What of an overlay lies in a rectangle: no pixel may be blended again that was not drawn anew below it."""
    return cut(over, rect.x, rect.y, rect.right, rect.bottom)


def _outside(rect: Rect, others: Sequence[Rect]) -> list[Rect]:
    """What of a rectangle lies in none of the others, as rectangles."""
    left = [rect]
    for other in others:
        left = [piece for part in left for piece in (_less(part, other) if part.overlaps(other) else [part])]
    return left


def _less(rect: Rect, other: Rect) -> list[Rect]:
    """What of a rectangle lies outside one that overlaps it: above, below, left and right of that."""
    top, bottom = max(rect.y, other.y), min(rect.bottom, other.bottom)
    pieces = [
        Rect(rect.x, rect.y, rect.width, top - rect.y),
        Rect(rect.x, bottom, rect.width, rect.bottom - bottom),
        Rect(rect.x, top, other.x - rect.x, bottom - top),
        Rect(other.right, top, rect.right - other.right, bottom - top),
    ]
    return [piece for piece in pieces if piece.width > 0 and piece.height > 0]


@dataclass(slots=True)
class _TileState:
    key: tuple[TrackKey | None, int, bool]
    """Which picture is pasted: the track, the picture's serial number (-1: the placeholder), whether it is blurred."""


class Compositor:
    """One program's canvas. Media thread only."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self.pasted = 0
        self._canvas: Planes = blank(width, height)
        self._decor: Decor | None = None
        self._tiles: list[_TileState | None] = []
        self._glide: Glide | None = None
        self._scaler = Scaler()

    def show(self, decor: Decor, when: float = 0.0) -> None:
        """From the next picture on, which is of ``when`` (monotonic seconds), draw this scene."""
        before = self._decor.scene if self._decor is not None else None
        self._glide = next_glide(before, self._glide, decor.scene, when)
        self._decor = decor
        self._begin(decor)
        self._scaler.forget(but={(t.session_id, t.source) for t in decor.scene.tiles if t.source is not None})

    def _begin(self, decor: Decor) -> None:
        """An empty scene, in which every tile is to be drawn."""
        for plane, ground in zip(self._canvas, decor.ground, strict=True):
            plane[:] = ground
        for free in (*decor.free, *(decor.free_signs if self._glide is None else ())):
            blend(self._canvas, free)
        self._tiles = [None] * len(decor.scene.tiles)

    def compose(self, pictures: Mapping[TrackKey, Picture], when: float = 0.0) -> av.VideoFrame:
        """The canvas with the newest pictures, as a frame of its own."""
        decor = self._decor
        if decor is not None:
            places: list[Rect] | None = None
            if self._glide is not None:
                if self._glide.over(when):
                    self._glide = None
                else:
                    places = self._glide.places(when)
                self._begin(decor)
            covered = False
            for index, tile in enumerate(decor.scene.tiles):
                track: TrackKey | None = (tile.session_id, tile.source) if tile.source else None
                picture = pictures.get(track) if track else None
                blurred = picture is not None and (tile.blurred or picture.blurred)
                key = (track, picture.serial if picture else -1, blurred)
                state = self._tiles[index]
                if not covered and state is not None and state.key == key:
                    continue
                # A tile above this one has to be drawn again as well.
                covered = covered or any(tile.rect.overlaps(t.rect) for t in decor.scene.tiles[index + 1 :])
                self._draw(decor, index, tile.rect if places is None else places[index], picture)
                self._tiles[index] = _TileState(key)
            if places is not None:
                for sign in decor.signs:
                    blend(self._canvas, sign)
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        for to, plane in zip(planes_of(frame), self._canvas, strict=True):
            np.copyto(to, plane)
        frame.colorspace = Colorspace.ITU601
        frame.color_range = ColorRange.MPEG
        frame.time_base = Fraction(1, 1)
        return frame

    def _draw(self, decor: Decor, index: int, rect: Rect, picture: Picture | None) -> None:
        """Draw a tile at its place, or on its way there: then without what lies above it, which is for that place."""
        tile = decor.scene.tiles[index]
        mask = decor.masks.get(index) if rect == tile.rect else None
        before = taken(self._canvas, rect.x, rect.y, rect.width, rect.height) if mask is not None else None
        self.pasted += 1
        if tile.source is None or picture is None:
            holder = decor.placeholders[index]
            if (rect.width, rect.height) != (tile.rect.width, tile.rect.height):
                holder = resized(holder, rect.width, rect.height)
            paste(self._canvas, holder, rect.x, rect.y, 0, 0, rect.width, rect.height)
        else:
            width, height = picture.frame.width, picture.frame.height
            if picture.rotation in (90, 270):
                width, height = height, width
            w, h = scaled_size(width, height, rect.width, rect.height, tile.scale_mode == "fill")
            scaled = self._scaler.scale(
                (tile.session_id, tile.source),
                picture,
                w,
                h,
                blurred=tile.blurred or picture.blurred,
                mirrored=tile.mirrored,
                passing=(rect.width, rect.height) != (tile.rect.width, tile.rect.height),
            )
            if w < rect.width or h < rect.height:
                self._clear(decor, rect)
            shown_w, shown_h = min(w, rect.width), min(h, rect.height)
            paste(
                self._canvas,
                scaled,
                rect.x + _even((rect.width - shown_w) // 2),
                rect.y + _even((rect.height - shown_h) // 2),
                _even((w - shown_w) // 2),
                _even((h - shown_h) // 2),
                shown_w,
                shown_h,
            )
        if mask is not None and before is not None:
            show_through(self._canvas, before, mask, rect.x, rect.y)
        if rect == tile.rect:
            for over in (*decor.overlays[index], *(decor.sign_parts[index] if self._glide is None else ())):
                blend(self._canvas, over)

    def _clear(self, decor: Decor, rect: Rect) -> None:
        paste(self._canvas, decor.ground, rect.x, rect.y, rect.x, rect.y, rect.width, rect.height)


def _even(value: int) -> int:
    return value & ~1
