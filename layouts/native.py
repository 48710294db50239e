"""The native painter: everything of a scene but the video, drawn with Skia when the scene changes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import skia

from layouts.geometry import even
from layouts.lru import BoundedCache
from layouts.names import graphemes
from layouts.scene import Border, Color, Label, Placeholder, Rect, Scene, Tile
from layouts.text import TextShaper

Pixels = npt.NDArray[np.uint8]

_PATCH_BYTES = 16 << 20
_PLACEHOLDER_BYTES = 24 << 20
_UNDER_BYTES = 32 << 20
_MUTED = Color(0xFF, 0x6B, 0x6B)
# Keeps two Arabic initials from joining into one shape.
_NON_JOINER = "\u200c"


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """A small picture to blend over the video. ``rect`` is even, ``rgba`` is (height, width, 4), premultiplied."""

    rect: Rect
    rgba: Pixels


@dataclass(frozen=True, eq=False, slots=True)
class Painting:
    """What lies under and over the video of one scene.

    ``under`` is (height, width, 4), opaque: the background and the tiles' backgrounds. ``placeholders`` maps
    the index of every tile without a source to its opaque picture, of the tile's size; for tiles whose
    picture has yet to come, ask ``NativePainter.placeholder``. ``over`` is to be blended in its order. Arrays are
    read-only and the same objects while nothing about them changes.
    """

    under: Pixels
    placeholders: dict[int, Pixels] = field(default_factory=dict)
    over: tuple[Patch, ...] = ()


class NativePainter:
    """Paints scenes. Labels, borders and placeholders are remembered within fixed bounds of memory.

    Not for more than one thread at a time.
    """

    def __init__(self) -> None:
        self._text = TextShaper()
        self._patches: BoundedCache[tuple[Patch, ...]] = BoundedCache(_PATCH_BYTES, _bytes_of_patches)
        self._placeholders: BoundedCache[Pixels] = BoundedCache(_PLACEHOLDER_BYTES, _bytes_of)
        self._unders: BoundedCache[Pixels] = BoundedCache(_UNDER_BYTES, _bytes_of)

    def paint(self, scene: Scene) -> Painting:
        """The parts of a scene that lie under and over its video."""
        over: list[Patch] = []
        for tile in scene.tiles:
            over += self._border(tile, scene.background)
            over += self._label(tile)
        return Painting(
            under=self._under(scene),
            placeholders={
                index: self.placeholder(tile) for index, tile in enumerate(scene.tiles) if tile.source is None
            },
            over=tuple(over),
        )

    def placeholder(self, tile: Tile) -> Pixels:
        """What a tile shows without a picture: (height, width, 4), opaque."""
        size = (tile.rect.width, tile.rect.height)
        return self._placeholders.get(
            (size, tile.placeholder), lambda: _placeholder(self._text, size, tile.placeholder)
        )

    def _under(self, scene: Scene) -> Pixels:
        backgrounds = tuple((tile.rect, tile.background) for tile in scene.tiles)
        size = (scene.width, scene.height)
        return self._unders.get(
            (size, scene.background, backgrounds), lambda: _under(size, scene.background, backgrounds)
        )

    def _border(self, tile: Tile, outside: Color) -> tuple[Patch, ...]:
        border = tile.border
        if border is None:
            return ()
        key = (tile.rect, border, outside)
        return self._patches.get(key, lambda: tuple(_border(tile.rect, border, outside)))

    def _label(self, tile: Tile) -> tuple[Patch, ...]:
        label = tile.label
        if label is None:
            return ()
        # The pixels depend on the room for the name alone, their place on the tile: a tile that
        # moves keeps its shaped label.
        gap = _label_gap(label, tile.border)
        room = even(tile.rect.width - 2 * gap)
        drawn = self._patches.get((room, label), lambda: _label(self._text, room, label))
        if any(patch.rect.height + gap > tile.rect.height for patch in drawn):
            return ()  # a tile lower than a name
        return self._patches.get(
            (tile.rect, gap, label), lambda: tuple(_placed(patch, tile.rect, gap, label) for patch in drawn)
        )


def _bytes_of(pixels: Pixels) -> int:
    return int(pixels.nbytes)


def _bytes_of_patches(patches: tuple[Patch, ...]) -> int:
    return sum(patch.rgba.nbytes for patch in patches) + 256


def _up(value: float) -> int:
    """The least even whole number that is not below ``value``."""
    return -even(-value)


def _opaque(color: Color) -> tuple[int, int, int, int]:
    """A colour as it looks on black, for what nothing lies under."""
    share = color.alpha / 255
    return (round(color.red * share), round(color.green * share), round(color.blue * share), 255)


def _argb(color: Color) -> int:
    return int(skia.ColorSetARGB(color.alpha, color.red, color.green, color.blue))


def _paint(color: int) -> Any:
    return skia.Paint(Color=color, AntiAlias=True)


def _canvas(pixels: Pixels) -> Any:
    return skia.Surface(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType)


def _blank(width: int, height: int) -> Pixels:
    return np.zeros((height, width, 4), np.uint8)


def _sealed(pixels: Pixels) -> Pixels:
    pixels.setflags(write=False)
    return pixels


def _under(size: tuple[int, int], background: Color, backgrounds: tuple[tuple[Rect, Color], ...]) -> Pixels:
    pixels = _blank(*size)
    pixels[:] = _opaque(background)
    for rect, color in backgrounds:
        if color != background:
            pixels[rect.y : rect.bottom, rect.x : rect.right] = _opaque(color)
    return _sealed(pixels)


def _placeholder(text: TextShaper, size: tuple[int, int], look: Placeholder) -> Pixels:
    """A circle in the participant's colour with their initials, in the middle of the tile."""
    width, height = size
    pixels = _blank(width, height)
    pixels[:] = _opaque(look.background)
    surface = _canvas(pixels)
    canvas = surface.getCanvas()
    radius = min(width, height) * 0.23
    middle_x, middle_y = width / 2, height / 2
    canvas.drawCircle(middle_x, middle_y, radius, _paint(_argb(look.avatar)))
    shown = _NON_JOINER.join(graphemes(look.initials)[:2])
    font = radius * 0.82
    line = text.line(shown, font, look.text_color)
    if line.MaxIntrinsicWidth > 1.6 * radius:
        font *= 1.6 * radius / line.MaxIntrinsicWidth
        line = text.line(shown, font, look.text_color)
    # Capitals are about 0.71 of the font's size high: half of that below the middle centres them.
    text.draw(canvas, line, middle_x - line.MaxIntrinsicWidth / 2, middle_y + 0.355 * font)
    del canvas, surface
    return _sealed(pixels)


def _label_gap(label: Label, border: Border | None) -> int:
    """From the tile's edge to the label's box: clear of a rounded corner, and the same while somebody speaks."""
    rounding = border.radius if border else 0
    return _up(max(2, label.font_size * 0.45, rounding * 0.3))


def _label(text: TextShaper, room: int, label: Label) -> tuple[Patch, ...]:
    """The label's box at the origin; nothing where a tile has no room for one."""
    font = label.font_size
    padding = round(font * 0.5) + label.border_width
    icon = round(font * 1.05) if label.muted else 0
    beside = 2 * padding + icon
    shown = text.shorten(label.text, font, room - beside) if room > beside else ""
    if not shown:
        return ()
    line = text.line(shown, font, label.text_color)
    width = min(room, _up(line.MaxIntrinsicWidth + beside))
    height = _up(font * 1.6 + 2 * label.border_width)
    pixels = _blank(width, height)
    surface = _canvas(pixels)
    canvas = surface.getCanvas()
    radius = min(label.radius, height / 2)
    box = skia.RRect.MakeRectXY(skia.Rect.MakeWH(width, height), radius, radius)
    canvas.drawRRect(box, _paint(_argb(label.background)))
    if label.border is not None and label.border_width:
        inside = skia.RRect(box)
        inside.inset(label.border_width, label.border_width)
        canvas.drawDRRect(box, inside, _paint(_argb(label.border)))
    if label.muted:
        _muted_icon(canvas, padding, height / 2, font)
    text.draw(canvas, line, padding + icon, height / 2 + 0.355 * font)
    del canvas, surface
    return (Patch(Rect(0, 0, width, height), _sealed(pixels)),)


def _muted_icon(canvas: Any, left: float, middle: float, font: float) -> None:
    """A microphone that is struck through, about as high as the capitals beside it."""
    canvas.saveLayer()  # the gap beside the stroke is cut out of the microphone, not out of the box behind it
    canvas.translate(left, middle - font * 0.46)
    canvas.scale(font * 0.92 / 24, font * 0.92 / 24)
    solid = _paint(_argb(_MUTED))
    stroke = skia.Paint(
        Color=_argb(_MUTED),
        AntiAlias=True,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=2.4,
        StrokeCap=skia.Paint.kRound_Cap,
    )
    canvas.drawRRect(skia.RRect.MakeRectXY(skia.Rect.MakeXYWH(6, 1, 8, 13), 4, 4), solid)
    canvas.drawArc(skia.Rect.MakeXYWH(3, 2, 14, 16), 0, 180, False, stroke)
    canvas.drawLine(10, 18.5, 10, 22, stroke)
    gap = skia.Paint(stroke)
    gap.setBlendMode(skia.BlendMode.kClear)
    gap.setStrokeWidth(6)
    canvas.drawLine(2, 2, 19, 22, gap)
    canvas.drawLine(1, 2, 19, 22, stroke)
    canvas.restore()


def _placed(patch: Patch, rect: Rect, gap: int, label: Label) -> Patch:
    """A label's box at its place in the tile."""
    width, height = patch.rect.width, patch.rect.height
    free_x, free_y = rect.width - width, rect.height - height
    x = {"left": gap, "center": free_x / 2, "right": free_x - gap}[label.horizontal]
    y = {"top": gap, "center": free_y / 2, "bottom": free_y - gap}[label.vertical]
    return Patch(Rect(rect.x + even(min(max(x, 0), free_x)), rect.y + even(max(y, 0)), width, height), patch.rgba)


def _border(rect: Rect, border: Border, outside: Color) -> Iterator[Patch]:
    """Four strips, and four corners that hide the picture outside the rounding."""
    shorter = min(rect.width, rect.height)
    width = min(border.width, shorter // 4)
    radius = min(border.radius, even(shorter / 2))
    strip = _up(width)
    corner = min(max(_up(radius), strip), even(shorter / 2)) if radius else 0
    if radius:
        for at_right in (False, True):
            for at_bottom in (False, True):
                place = Rect(
                    rect.right - corner if at_right else rect.x,
                    rect.bottom - corner if at_bottom else rect.y,
                    corner,
                    corner,
                )
                yield _corner(place, rect, width, radius, border.color, outside)
    if width:
        yield from _strips(rect, width, strip, corner, border.color)


def _strips(rect: Rect, width: int, strip: int, corner: int, color: Color) -> Iterator[Patch]:
    """The sides of a border: even rectangles of ``strip`` pixels, of which the outer ``width`` are coloured.

    Without corners, the upper and lower strips run from edge to edge and the sides lie between them.
    """
    share = color.alpha / 255
    ink = (round(color.red * share), round(color.green * share), round(color.blue * share), color.alpha)
    across, down = rect.width - 2 * corner, rect.height - 2 * (corner or strip)
    if across > 0:
        upper = _blank(across, strip)
        upper[:width] = ink
        lower = _blank(across, strip)
        lower[strip - width :] = ink
        yield Patch(Rect(rect.x + corner, rect.y, across, strip), _sealed(upper))
        yield Patch(Rect(rect.x + corner, rect.bottom - strip, across, strip), _sealed(lower))
    if down > 0:
        left = _blank(strip, down)
        left[:, :width] = ink
        right = _blank(strip, down)
        right[:, strip - width :] = ink
        top = rect.y + (corner or strip)
        yield Patch(Rect(rect.x, top, strip, down), _sealed(left))
        yield Patch(Rect(rect.right - strip, top, strip, down), _sealed(right))


def _corner(place: Rect, rect: Rect, width: int, radius: int, color: Color, outside: Color) -> Patch:
    pixels = _blank(place.width, place.height)
    surface = _canvas(pixels)
    canvas = surface.getCanvas()
    canvas.translate(rect.x - place.x, rect.y - place.y)
    outer = skia.RRect.MakeRectXY(skia.Rect.MakeWH(rect.width, rect.height), radius, radius)
    # The background reaches under half of the line, so that no video shines through between the two.
    edge = skia.RRect(outer)
    edge.inset(width / 2, width / 2)
    beyond = skia.RRect.MakeRect(skia.Rect.MakeWH(rect.width, rect.height))
    canvas.drawDRRect(beyond, edge, _paint(skia.ColorSetARGB(255, *_opaque(outside)[:3])))
    if width:
        inner = skia.RRect(outer)
        inner.inset(width, width)
        canvas.drawDRRect(outer, inner, _paint(_argb(color)))
    del canvas, surface
    return Patch(place, _sealed(pixels))
