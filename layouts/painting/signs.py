"""What stands above everything: the logo, the title, the time of day."""

from __future__ import annotations

from typing import Any

import skia

from layouts.geometry import even
from layouts.painting.surface import Patch, argb, blank, canvas_on, draw_image, paint, sealed, up
from layouts.scene import Color, Horizontal, Logo, Rect, Title, Vertical
from layouts.text import CAPITAL, TextShaper

_SHADOW = Color(0, 0, 0, 220)
_TIME_TEXT, _TIME_GROUND = Color(255, 255, 255), Color(0, 0, 0, 180)
_TIME_FONT = 0.03
"""Of the canvas's shorter side."""


def draw_logo(canvas: tuple[int, int], logo: Logo, image: Any) -> Patch | None:
    """A logo at its place; None where its margins leave no room for it."""
    room_x, room_y = canvas[0] - 2 * logo.margin_inline, canvas[1] - 2 * logo.margin_block
    if room_x < 2 or room_y < 2:
        return None
    width, height = logo_size(logo, (image.width(), image.height()), (room_x, room_y))
    x = _along(logo.horizontal, logo.margin_inline, canvas[0], width)
    y = _along(logo.vertical, logo.margin_block, canvas[1], height)
    rect = _around(x, y, width, height, canvas)
    pixels = blank(rect.width, rect.height)
    with canvas_on(pixels) as onto:
        draw_image(onto, image, skia.Rect.MakeXYWH(x - rect.x, y - rect.y, width, height))
    return Patch(rect, sealed(pixels))


def logo_size(logo: Logo, picture: tuple[int, int], room: tuple[int, int]) -> tuple[float, float]:
    """Width and height: as asked for, the picture's shape kept, and never more than there is room for.

    Of two sides that were asked for, the picture takes as much as its shape allows.
    """
    shape = picture[0] / picture[1]
    width, height = logo.width or room[0], logo.height or room[1]
    if logo.width is None and logo.height is None:
        width, height = picture
    width, height = min(width, room[0]), min(height, room[1])
    return min(float(width), height * shape), min(float(height), width / shape)


def draw_title(text: TextShaper, canvas: tuple[int, int], title: Title) -> Patch | None:
    """A title at its place, with a shadow that parts it from what is behind; None where there is no room for it."""
    font = title.font_size
    room = canvas[0] - 2 * title.margin_inline
    shown = text.shorten(title.text, font, room) if room > 0 else ""
    if not shown:
        return None
    line = text.line(shown, font, title.color)
    width, height = line.MaxIntrinsicWidth, font * 1.25
    # The shadow reaches beyond the letters, which alone keep the margins.
    blur = max(1.0, font * 0.08)
    x = _along(title.horizontal, title.margin_inline, canvas[0], width)
    y = _along(title.vertical, title.margin_block, canvas[1], height)
    rect = _around(x - 3 * blur, y - 3 * blur, width + 6 * blur, height + 6 * blur, canvas)
    if rect.width < 2 or rect.height < 2:
        return None
    pixels = blank(rect.width, rect.height)
    with canvas_on(pixels) as onto:
        shadow = skia.Paint(
            ImageFilter=skia.ImageFilters.DropShadow(0, blur * 0.6, blur, blur, skia.ColorSetARGB(*_argb4(_SHADOW)))
        )
        onto.saveLayer(None, shadow)
        text.draw(onto, line, x - rect.x, y - rect.y + height / 2 + CAPITAL / 2 * font)
        onto.restore()
    return Patch(rect, sealed(pixels))


def draw_timestamp(text: TextShaper, canvas: tuple[int, int], shown: str) -> Patch:
    """The time of day on a dark box, in the middle of the upper edge."""
    font = max(10, round(min(canvas) * _TIME_FONT))
    line = text.line(shown, font, _TIME_TEXT)
    width, height = min(up(line.MaxIntrinsicWidth + font), canvas[0]), min(up(font * 1.6), canvas[1])
    pixels = blank(width, height)
    with canvas_on(pixels) as onto:
        box = skia.RRect.MakeRectXY(skia.Rect.MakeWH(width, height), font * 0.3, font * 0.3)
        onto.drawRRect(box, paint(argb(_TIME_GROUND)))
        text.draw(onto, line, font / 2, height / 2 + CAPITAL / 2 * font)
    return Patch(Rect(even((canvas[0] - width) / 2), 0, width, height), sealed(pixels))


def _argb4(color: Color) -> tuple[int, int, int, int]:
    return color.alpha, color.red, color.green, color.blue


def _along(side: Horizontal | Vertical, margin: int, whole: int, length: float) -> float:
    """Where something begins that stands at a side of the canvas."""
    if side == "center":
        return (whole - length) / 2
    return float(margin) if side in ("left", "top") else whole - margin - length


def _around(x: float, y: float, width: float, height: float, canvas: tuple[int, int]) -> Rect:
    """The least even rectangle around something, as far as it lies on the canvas."""
    left, top = max(0, even(x)), max(0, even(y))
    right, bottom = min(canvas[0], up(x + width)), min(canvas[1], up(y + height))
    return Rect(left, top, max(0, right - left), max(0, bottom - top))
