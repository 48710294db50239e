"""What a tile shows of somebody without a picture: their avatar, or their initials, in a circle."""

from __future__ import annotations

from typing import Any

import skia

from layouts.names import graphemes
from layouts.painting.surface import Pixels, argb, blank, canvas_on, draw_image, opaque, paint, sealed
from layouts.scene import Placeholder
from layouts.text import CAPITAL, TextShaper

RADIUS = 0.23
"""Of the circle, as a share of the tile's shorter side."""
# Keeps two Arabic initials from joining into one shape.
_NON_JOINER = "\u200c"


def draw_placeholder(text: TextShaper, size: tuple[int, int], look: Placeholder, avatar: Any | None) -> Pixels:
    """A whole tile, opaque; ``avatar`` is the picture (skia.Image) of the placeholder, where it has come."""
    width, height = size
    pixels = blank(width, height)
    pixels[:] = opaque(look.background)
    radius = min(width, height) * RADIUS
    with canvas_on(pixels) as canvas:
        if avatar is not None:
            _avatar(canvas, avatar, width / 2, height / 2, radius)
        else:
            canvas.drawCircle(width / 2, height / 2, radius, paint(argb(look.avatar)))
            _initials(canvas, text, look, width / 2, height / 2, radius)
    return sealed(pixels)


def _avatar(canvas: Any, image: Any, x: float, y: float, radius: float) -> None:
    """The square in the middle of an image, cut to a circle."""
    circle = skia.Rect.MakeXYWH(x - radius, y - radius, 2 * radius, 2 * radius)
    side = min(image.width(), image.height())
    part = skia.Rect.MakeXYWH((image.width() - side) / 2, (image.height() - side) / 2, side, side)
    canvas.save()
    canvas.clipRRect(skia.RRect.MakeOval(circle), True)
    draw_image(canvas, image, circle, part)
    canvas.restore()


def _initials(canvas: Any, text: TextShaper, look: Placeholder, x: float, y: float, radius: float) -> None:
    shown = _NON_JOINER.join(graphemes(look.initials)[:2])
    font = radius * 0.82
    line = text.line(shown, font, look.text_color)
    if line.MaxIntrinsicWidth > 1.6 * radius:
        font *= 1.6 * radius / line.MaxIntrinsicWidth
        line = text.line(shown, font, look.text_color)
    text.draw(canvas, line, x - line.MaxIntrinsicWidth / 2, y + CAPITAL / 2 * font)
