"""Lines around tiles, and the corners that hide what lies outside their rounding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import skia

from layouts.geometry import even
from layouts.painting.surface import Patch, Pixels, argb, blank, canvas_on, paint, sealed, up
from layouts.scene import Border, Color, Rect


def draw_border(rect: Rect, border: Border, ground: Pixels) -> Iterator[Patch]:
    """Four strips, and four corners with what ``ground``, the whole canvas's, shows there."""
    shorter = min(rect.width, rect.height)
    width = min(border.width, shorter // 4)
    radius = min(border.radius, even(shorter / 2))
    strip = up(width)
    corner = min(max(up(radius), strip), even(shorter / 2)) if radius else 0
    if radius:
        for at_right in (False, True):
            for at_bottom in (False, True):
                place = Rect(
                    rect.right - corner if at_right else rect.x,
                    rect.bottom - corner if at_bottom else rect.y,
                    corner,
                    corner,
                )
                yield _corner(place, rect, width, radius, border.color, ground)
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
        upper = blank(across, strip)
        upper[:width] = ink
        lower = blank(across, strip)
        lower[strip - width :] = ink
        yield Patch(Rect(rect.x + corner, rect.y, across, strip), sealed(upper))
        yield Patch(Rect(rect.x + corner, rect.bottom - strip, across, strip), sealed(lower))
    if down > 0:
        left = blank(strip, down)
        left[:, :width] = ink
        right = blank(strip, down)
        right[:, strip - width :] = ink
        top = rect.y + (corner or strip)
        yield Patch(Rect(rect.x, top, strip, down), sealed(left))
        yield Patch(Rect(rect.right - strip, top, strip, down), sealed(right))


def _corner(place: Rect, rect: Rect, width: int, radius: int, color: Color, ground: Pixels) -> Patch:
    pixels = blank(place.width, place.height)
    outer = skia.RRect.MakeRectXY(skia.Rect.MakeWH(rect.width, rect.height), radius, radius)
    with canvas_on(pixels) as canvas:
        canvas.translate(rect.x - place.x, rect.y - place.y)
        # The ground reaches under half of the line, so that no video shines through between the two. Under a line that
        # lets it through, it would be seen to end there.
        edge = skia.RRect(outer)
        if color.alpha == 255:
            edge.inset(width / 2, width / 2)
        beyond = skia.RRect.MakeRect(skia.Rect.MakeWH(rect.width, rect.height))
        canvas.drawDRRect(beyond, edge, paint(skia.ColorBLACK))
    # What was drawn is black, so its colours are all the ground's, by as much as it covers.
    covers = pixels[..., 3:].astype(np.uint16)
    below = ground[place.y : place.bottom, place.x : place.right]
    pixels[..., :3] = (below[..., :3] * covers + 127) // 255
    if width:
        with canvas_on(pixels) as canvas:
            canvas.translate(rect.x - place.x, rect.y - place.y)
            inner = skia.RRect(outer)
            inner.inset(width, width)
            canvas.drawDRRect(outer, inner, paint(argb(color)))
    return Patch(place, sealed(pixels))
