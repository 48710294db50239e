"""Names on tiles: a box with shaped text, the sign of who is muted, and where on the tile it stands."""

from __future__ import annotations

from typing import Any

import skia

from layouts.geometry import even
from layouts.painting.surface import Patch, argb, blank, canvas_on, paint, sealed, up
from layouts.scene import Border, Color, Label, Rect
from layouts.text import CAPITAL, TextShaper

_MUTED = Color(0xFF, 0x6B, 0x6B)


def gap_of(label: Label, border: Border | None) -> int:
    """From the tile's edge to the label's box: clear of a rounded corner, and the same while somebody speaks."""
    rounding = border.radius if border else 0
    return up(max(2, label.font_size * 0.45, rounding * 0.3))


def room_of(rect: Rect, gap: int, label: Label) -> int:
    """Pixels of width that a tile has for a label; below 2 where it has none."""
    return even(rect.width - 2 * (gap + label.margin_inline))


def draw_label(text: TextShaper, room: int, label: Label) -> tuple[Patch, ...]:
    """The label's box at the origin; nothing where a tile has no room for one."""
    font = label.font_size
    padding = round(font * 0.5) + label.border_width
    icon = round(font * 1.05) if label.muted else 0
    beside = 2 * padding + icon
    shown = text.shorten(label.text, font, room - beside) if room > beside else ""
    if not shown:
        return ()
    line = text.line(shown, font, label.text_color)
    width = min(room, up(line.MaxIntrinsicWidth + beside))
    height = up(font * 1.6 + 2 * label.border_width)
    pixels = blank(width, height)
    radius = min(label.radius, height / 2)
    box = skia.RRect.MakeRectXY(skia.Rect.MakeWH(width, height), radius, radius)
    with canvas_on(pixels) as canvas:
        canvas.drawRRect(box, paint(argb(label.background)))
        if label.border is not None and label.border_width:
            inside = skia.RRect(box)
            inside.inset(label.border_width, label.border_width)
            canvas.drawDRRect(box, inside, paint(argb(label.border)))
        if label.muted:
            _muted_icon(canvas, padding, height / 2, font)
        text.draw(canvas, line, padding + icon, height / 2 + CAPITAL / 2 * font)
    return (Patch(Rect(0, 0, width, height), sealed(pixels)),)


def placed(patch: Patch, rect: Rect, gap: int, label: Label) -> Patch | None:
    """A label's box at its place in the tile; None in a tile that is lower than a name."""
    width, height = patch.rect.width, patch.rect.height
    if height + gap > rect.height:
        return None
    free_x, free_y = rect.width - width, rect.height - height
    across = gap + label.margin_inline
    # A margin that leaves no room above or below the name gives way; the name does not.
    down = min(gap + label.margin_block, free_y)
    x = {"left": across, "center": free_x / 2, "right": free_x - across}[label.horizontal]
    y = {"top": down, "center": free_y / 2, "bottom": free_y - down}[label.vertical]
    return Patch(Rect(rect.x + even(min(max(x, 0), free_x)), rect.y + even(max(y, 0)), width, height), patch.rgba)


def _muted_icon(canvas: Any, left: float, middle: float, font: float) -> None:
    """A microphone that is struck through, about as high as the capitals beside it."""
    canvas.saveLayer()  # the gap beside the stroke is cut out of the microphone, not out of the box behind it
    canvas.translate(left, middle - font * 0.46)
    canvas.scale(font * 0.92 / 24, font * 0.92 / 24)
    solid = paint(argb(_MUTED))
    stroke = skia.Paint(
        Color=argb(_MUTED),
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
