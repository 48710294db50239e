"""Text in any script, shaped by Skia: measuring, shortening by grapheme, and drawing on a baseline."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import skia
from skia import textlayout

from layouts.fonts import FAMILIES
from layouts.names import graphemes
from layouts.scene import Color

_ENDLESS = 100_000.0
_ELLIPSIS = "…"
CAPITAL = 0.71
"""Height of capitals, as a share of the size of a font: half of it below the middle centres them."""
# Text is isolated, so that its first strong letter gives its direction: the ellipsis of an Arabic name is at its left.
_ISOLATE, _END_OF_ISOLATE = "\u2068", "\u2069"


class TextShaper:
    """Shapes lines of text. Not for more than one thread at a time."""

    def __init__(self) -> None:
        self._fonts = textlayout.FontCollection()
        self._fonts.setDefaultFontManager(font_manager())
        self._unicode = skia.Unicodes.ICU.Make()

    def line(self, text: str, size: float, color: Color, bold: bool = False) -> Any:
        """One shaped line (skia.textlayout.Paragraph), as wide as it needs."""
        style = textlayout.TextStyle()
        style.setFontFamilies(list(FAMILIES))
        style.setFontSize(size)
        style.setFontStyle(skia.FontStyle.Bold() if bold else skia.FontStyle.Normal())
        style.setColor(skia.ColorSetARGB(color.alpha, color.red, color.green, color.blue))
        paragraph_style = textlayout.ParagraphStyle()
        paragraph_style.setTextStyle(style)
        builder = textlayout.ParagraphBuilder.make(paragraph_style, self._fonts, self._unicode)
        builder.addText(f"{_ISOLATE}{text}{_END_OF_ISOLATE}")
        paragraph = builder.Build()
        paragraph.layout(_ENDLESS)
        return paragraph

    def width(self, text: str, size: float, bold: bool = False) -> float:
        """Pixels that a line of text takes."""
        return float(self.line(text, size, Color(0, 0, 0), bold).MaxIntrinsicWidth)

    def shorten(self, text: str, size: float, room: float, bold: bool = False) -> str:
        """The text, or its longest beginning in whole graphemes that fits ``room`` pixels with an ellipsis.

        Empty where not even one grapheme fits.
        """
        if self.width(text, size, bold) <= room:
            return text
        parts = graphemes(text)
        fits, too_long = 0, len(parts)
        while too_long - fits > 1:
            middle = (fits + too_long) // 2
            if self.width(_cut(parts, middle), size, bold) <= room:
                fits = middle
            else:
                too_long = middle
        return _cut(parts, fits) if fits else ""

    def draw(self, canvas: Any, paragraph: Any, x: float, baseline: float) -> None:
        """Draw a shaped line whose baseline lies at ``baseline``, whatever fonts it fell back to."""
        paragraph.paint(canvas, x, baseline - paragraph.AlphabeticBaseline)


def _cut(parts: list[str], count: int) -> str:
    return "".join(parts[:count]).rstrip() + _ELLIPSIS


@cache
def font_manager() -> Any:
    """The fonts of this host (skia.FontMgr)."""
    with _without_fontconfig_warnings():
        return skia.FontMgr()


@contextmanager
def _without_fontconfig_warnings() -> Iterator[None]:
    """Keep what fontconfig says about the host's configuration off stderr.

    Skia brings an older fontconfig than most hosts, which warns of every element that it does not know, with no
    way to tell it not to. Whatever else is written meanwhile is passed on.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with tempfile.TemporaryFile() as said:
            os.dup2(said.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                said.seek(0)
                lines = [line for line in said.readlines() if not line.startswith(b"Fontconfig warning:")]
                os.write(2, b"".join(lines))
    finally:
        os.close(kept)
