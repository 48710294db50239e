"""Lengths as CSS writes them, turned into pixels of a canvas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from layouts.scene import Rect

Unit = Literal["px", "%", "vw", "vh", "vmin", "vmax"]

ROOT_FONT = 16
"""Pixels of one rem."""

_LENGTH = re.compile(r"(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})(px|rem|%|vw|vh|vmin|vmax)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Length:
    """A length in pixels of the canvas, in percent of what it measures, or in percent of the canvas (CSS's vw to
    vmax)."""

    value: float
    unit: Unit = "px"

    def pixels(self, canvas: Rect, of: float = 0) -> int:
        """Whole pixels on a canvas. ``of`` is what percentages are of, in pixels."""
        if self.unit == "px":
            return round(self.value)
        whole = {
            "%": of,
            "vw": canvas.width,
            "vh": canvas.height,
            "vmin": min(canvas.width, canvas.height),
            "vmax": max(canvas.width, canvas.height),
        }[self.unit]
        return round(self.value * whole / 100)


def parse_length(text: str) -> Length | None:
    """The length that ``text`` writes, or None when it writes none.

    Understood are px, rem, %, vw, vh, vmin, vmax, and a plain 0. Lengths below zero are none.
    """
    wanted = text.strip().lower()
    if wanted == "0":
        return Length(0)
    found = _LENGTH.fullmatch(wanted)
    if found is None:
        return None
    value, unit = float(found.group(1)), found.group(2)
    if unit == "rem":
        return Length(value * ROOT_FONT)
    known: dict[str, Unit] = {"px": "px", "%": "%", "vw": "vw", "vh": "vh", "vmin": "vmin", "vmax": "vmax"}
    return Length(value, known[unit])
