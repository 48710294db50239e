"""What lies behind and above the tiles: backdrop, logo, title, time of day."""

from __future__ import annotations

from datetime import UTC, datetime

from layouts.plan import Options
from layouts.scene import Backdrop, Logo, Rect, Title


def backdrop(asked: Options) -> Backdrop | None:
    if asked.backdrop_image is None:
        return None
    return Backdrop(asked.backdrop_image, asked.backdrop_size, asked.backdrop_position, asked.backdrop_repeat)


def logo(asked: Options, canvas: Rect) -> Logo | None:
    if asked.logo_image is None:
        return None
    width, height = asked.logo_width, asked.logo_height
    if width is not None and "logo_height" not in asked.given:
        height = None  # the picture keeps its shape
    return Logo(
        image=asked.logo_image,
        width=None if width is None else max(1, width.pixels(canvas, canvas.width)),
        height=None if height is None else max(1, height.pixels(canvas, canvas.height)),
        horizontal=asked.logo_horizontal,
        vertical=asked.logo_vertical,
        margin_inline=asked.logo_margin_inline.pixels(canvas, canvas.width),
        margin_block=asked.logo_margin_block.pixels(canvas, canvas.width),
    )


def title(asked: Options, canvas: Rect) -> Title | None:
    text = " ".join(asked.title_text.split())
    if not text:
        return None
    return Title(
        text=text,
        color=asked.title_color,
        font_size=max(1, asked.title_size.pixels(canvas, min(canvas.width, canvas.height))),
        horizontal=asked.title_horizontal,
        vertical=asked.title_vertical,
        margin_inline=asked.title_margin_inline.pixels(canvas, canvas.width),
        margin_block=asked.title_margin_block.pixels(canvas, canvas.width),
    )


def timestamp(asked: Options, wall: float | None) -> str:
    """The second of ``wall`` (Unix time), where it is to be shown."""
    if not asked.show_timestamp or wall is None:
        return ""
    return datetime.fromtimestamp(int(wall), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
