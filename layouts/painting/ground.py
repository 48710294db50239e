"""What lies under everything: the canvas's colour, a picture on it, and the tiles' backgrounds."""

from __future__ import annotations

import logging
import math
from typing import Any

import skia

from layouts.painting.background import Placement, place
from layouts.painting.surface import Pixels, argb, blank, canvas_on, draw_image, opaque, sealed
from layouts.scene import Backdrop, Color, Rect

log = logging.getLogger(__name__)

_SMALL = 16
"""Sides of pictures below which so many would be drawn that a pattern is made of one first."""


def draw_ground(size: tuple[int, int], color: Color, backdrop: Backdrop | None, image: Any | None) -> Pixels:
    """The canvas without tiles, opaque; ``image`` is the backdrop's picture (skia.Image), where it has come."""
    pixels = blank(*size)
    pixels[:] = opaque(color)
    if backdrop is not None and image is not None:
        try:
            placed = place(backdrop.size, backdrop.position, backdrop.repeat, size, (image.width(), image.height()))
        except ValueError as error:
            log.warning("the picture behind the tiles is left out: %s", error)
        else:
            with canvas_on(pixels) as canvas:
                _tile(canvas, image, size, placed)
    return sealed(pixels)


def draw_tiles(ground: Pixels, tiles: tuple[tuple[Rect, Color], ...]) -> Pixels:
    """The ground with the backgrounds of tiles on it."""
    pixels = ground.copy()
    with canvas_on(pixels) as canvas:
        for rect, color in tiles:
            canvas.drawRect(skia.Rect.MakeXYWH(rect.x, rect.y, rect.width, rect.height), skia.Paint(Color=argb(color)))
    return sealed(pixels)


def _tile(canvas: Any, image: Any, size: tuple[int, int], placed: Placement) -> None:
    across = _count(placed.x, placed.step_x, size[0])
    down = _count(placed.y, placed.step_y, size[1])
    if (across > 1 and placed.step_x < _SMALL) or (down > 1 and placed.step_y < _SMALL):
        _pattern(canvas, image, size, placed)
        return
    for row in range(down):
        for column in range(across):
            to = skia.Rect.MakeXYWH(
                placed.x + column * placed.step_x, placed.y + row * placed.step_y, placed.width, placed.height
            )
            draw_image(canvas, image, to)


def _count(start: float, step: float, length: int) -> int:
    return max(1, math.ceil((length - start) / step)) if step else 1


def _pattern(canvas: Any, image: Any, size: tuple[int, int], placed: Placement) -> None:
    """Very many small pictures: one of whole pixels, which Skia repeats."""
    wide, high = (min(max(1, round(side)), 2 * whole) for side, whole in zip(_cell(placed), size, strict=True))
    cell = blank(wide, high)
    with canvas_on(cell) as onto:
        draw_image(onto, image, skia.Rect.MakeWH(min(wide, placed.width), min(high, placed.height)))
    pattern = skia.Image.fromarray(
        cell, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType, copy=True
    )
    repeat, once = skia.TileMode.kRepeat, skia.TileMode.kDecal
    shader = pattern.makeShader(
        repeat if placed.step_x else once,
        repeat if placed.step_y else once,
        skia.SamplingOptions(),
        skia.Matrix.Translate(round(placed.x), round(placed.y)),
    )
    canvas.drawPaint(skia.Paint(Shader=shader))


def _cell(placed: Placement) -> tuple[float, float]:
    return placed.step_x or placed.width, placed.step_y or placed.height
