"""The kinds of values that options take: how each is read, and how it is said what would have been right."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Literal

from layouts.colors import parse_color

Kind = Literal["color", "boolean", "choice", "integer", "percentage", "size", "radius", "stroke"]

_PIXELS = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)px", re.ASCII)
_LARGEST_RADIUS = 4000.0


class Refused(ValueError):
    """A value of another type, or out of range."""


@dataclass(frozen=True, slots=True)
class Length:
    """A length in pixels of the canvas, or relative: in percent of the canvas's shorter side."""

    value: float
    relative: bool = False

    def pixels(self, shorter_side: int) -> int:
        return round(self.value * shorter_side / 100 if self.relative else self.value)


def expected(kind: Kind, allowed: tuple[str, ...], minimum: float, maximum: float) -> str:
    """What values a kind takes, as a phrase that follows "must be"."""
    span = f"from {minimum:g} to {maximum:g}"
    match kind:
        case "color":
            return "a colour such as #1f1f1f, #1f1f1f80, rgb(31, 31, 31), hotpink or transparent"
        case "boolean":
            return "true or false"
        case "choice":
            return "one of " + ", ".join(allowed)
        case "integer":
            return f"a whole number {span}"
        case "percentage":
            return f"a number {span}"
        case "size":
            return f'a number of pixels {span}, or a string such as "10px"'
        case "radius":
            return f'a number (percent of the canvas\'s shorter side) {span}, or a string such as "8px"'
        case "stroke":
            return f'true, false, a number of pixels {span}, or a string such as "2px"'


def read(kind: Kind, value: Any, allowed: tuple[str, ...], minimum: float, maximum: float) -> Any:
    """The value as its kind is held: Color, bool, str, int, float, Length, or None for a stroke that is "true".

    Raises Refused for anything else.
    """
    match kind:
        case "color" if isinstance(value, str) and (color := parse_color(value)):
            return color
        case "boolean" if isinstance(value, bool):
            return value
        case "choice" if isinstance(value, str) and value in allowed:
            return value
        case "integer" if (number := _number(value, minimum, maximum)).is_integer():
            return int(number)
        case "percentage":
            return _number(value, minimum, maximum)
        case "stroke" if isinstance(value, bool):
            return None if value else Length(0)
        case "size" | "stroke" | "radius" if isinstance(value, str):
            return _pixels(value, _LARGEST_RADIUS if kind == "radius" else maximum)
        case "size" | "stroke" | "radius":
            return Length(_number(value, minimum, maximum), relative=kind == "radius")
    raise Refused


def _pixels(text: str, most: float) -> Length:
    found = _PIXELS.fullmatch(text.strip())
    if found is None or float(found.group(1)) > most:
        raise Refused
    return Length(float(found.group(1)))


def _number(value: Any, minimum: float, maximum: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused
    # Compared before it becomes a float: an integer may be too great for one. NaN is in no range.
    if not minimum <= value <= maximum or not math.isfinite(value):
        raise Refused
    return float(value)
