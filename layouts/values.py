"""The kinds of values that options take: how each is read, and how it is said what would have been right."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Literal
from urllib.parse import urlsplit

from layouts.colors import parse_color
from layouts.lengths import Length, parse_length

Kind = Literal[
    "color",
    "boolean",
    "choice",
    "integer",
    "number",
    "length",
    "length or auto",
    "radius",
    "stroke",
    "ratio",
    "text",
    "url",
    "background size",
    "background position",
    "limit",
    "layout",
    "filter",
    "actions",
]

LONGEST_TEXT = 500
LONGEST_URL = 2000
LONGEST_DATA_URL = 65_536
WIDEST_RATIO = 10.0
_LARGEST = 4000.0
"""Most of a length in pixels that is given with a unit, where its option has no other limit."""

_RATIO = re.compile(r"(\d{1,5}(?:\.\d{1,5})?)(?:\s*[/:]\s*(\d{1,5}(?:\.\d{1,5})?))?", re.ASCII)
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}", re.ASCII)
_IN_URL = re.compile(r"url\(\s*(['\"]?)(.*?)\1\s*\)", re.ASCII | re.IGNORECASE)
_SIDES = ("left", "right", "top", "bottom", "center")


class Refused(ValueError):
    """A value of another type, or out of range."""


def expected(kind: Kind, allowed: tuple[str, ...], minimum: float, maximum: float) -> str:
    """What values a kind takes, as a phrase that follows "must be"."""
    span = f"from {minimum:g} to {maximum:g}"
    lengths = 'a string such as "10px", ".875rem" or "20%"'
    return {
        "color": "a colour such as #1f1f1f, #1f1f1f80, rgb(31, 31, 31), hotpink or transparent",
        "boolean": "true or false",
        "choice": "one of " + ", ".join(allowed),
        "layout": "one of " + ", ".join(allowed),
        "integer": f"a whole number {span}",
        "number": f"a number {span}",
        "length": f"a number of pixels {span}, or {lengths}",
        "length or auto": f'a number of pixels {span}, {lengths}, or "auto"',
        "radius": f"a number (percent of the canvas's shorter side) {span}, or {lengths}",
        "stroke": f"true, false, a number of pixels {span}, or {lengths}",
        "ratio": 'a ratio of width to height such as "16/9", "4 / 3" or 1.5',
        "text": f"a string of at most {LONGEST_TEXT} characters",
        "url": "the address of a picture (http, https, or data:image/…;base64,…), or an empty string",
        "background size": '"cover", "contain", "auto", or one or two lengths such as "50% auto"',
        "background position": 'one or two of left, right, top, bottom, center and lengths, such as "right 20px"',
        "limit": f'"dynamic", or a whole number {span}',
        "filter": "a filter object",
        "actions": "a list of actions",
    }[kind]


def read(kind: Kind, value: Any, allowed: tuple[str, ...], minimum: float, maximum: float) -> Any:
    """The value as its kind is held.

    That is a Color, bool, str, int, float or Length; None for a stroke that is "true", a length that is "auto", an
    empty address and a dynamic limit. Raises Refused for anything else. Filters and actions are not read here.
    """
    match kind:
        case "color" if isinstance(value, str) and (color := parse_color(value)):
            return color
        case "boolean" if isinstance(value, bool):
            return value
        case "choice" | "layout" if isinstance(value, str) and value in allowed:
            return value
        case "integer":
            return _whole(value, minimum, maximum)
        case "number":
            return _number(value, minimum, maximum)
        case "limit":
            return None if value == "dynamic" else _whole(value, minimum, maximum)
        case "stroke" if isinstance(value, bool):
            return None if value else Length(0)
        case "length or auto" if value in ("auto", "initial"):
            return None
        case "length" | "length or auto" | "stroke" | "radius" if isinstance(value, str):
            return _length(value, _LARGEST if kind == "radius" else maximum)
        case "length" | "length or auto" | "stroke":
            return Length(_number(value, minimum, maximum))
        case "radius":
            return Length(_number(value, minimum, maximum), "vmin")
    if kind in _OF_STRINGS:
        return _OF_STRINGS[kind](value)
    raise Refused


def _whole(value: Any, minimum: float, maximum: float) -> int:
    number = _number(value, minimum, maximum)
    if not number.is_integer():
        raise Refused
    return int(number)


def _number(value: Any, minimum: float, maximum: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused
    # Compared before it becomes a float: an integer may be too great for one. NaN is in no range.
    if not minimum <= value <= maximum or not math.isfinite(value):
        raise Refused
    return float(value)


def _length(text: str, most: float) -> Length:
    found = parse_length(text)
    if found is None or found.value > (most if found.unit == "px" else 100):
        raise Refused
    return found


def _ratio(value: Any) -> float:
    if isinstance(value, str) and (found := _RATIO.fullmatch(value.strip())):
        beside = float(found.group(2) or 1)
        value = float(found.group(1)) / beside if beside else 0
    return _number(value, 1 / WIDEST_RATIO, WIDEST_RATIO)


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_TEXT:
        raise Refused
    return value


def _url(value: Any) -> str | None:
    """An address, also one in CSS's url(). Whether it may be fetched is for those to say who fetch it."""
    if not isinstance(value, str) or len(value) > LONGEST_DATA_URL:
        raise Refused
    text = value.strip()
    if text in ("", "none"):
        return None
    if found := _IN_URL.fullmatch(text):
        text = found.group(2)
    if _DATA_URL.fullmatch(text):
        return text
    if len(text) > LONGEST_URL:
        raise Refused
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or not text.isprintable() or " " in text:
        raise Refused
    return text


def _background_size(value: Any) -> str:
    words = _words(value)
    if words in (["cover"], ["contain"]) or all(word == "auto" or parse_length(word) for word in words):
        return " ".join(words)
    raise Refused


def _background_position(value: Any) -> str:
    words = _words(value)
    if not all(word in _SIDES or parse_length(word) for word in words):
        raise Refused
    # Two words for one direction say nothing of the other; and a length before a side is its horizontal one.
    across = [word in ("left", "right") for word in words]
    down = [word in ("top", "bottom") for word in words]
    if (all(across) and len(words) == 2) or (all(down) and len(words) == 2):
        raise Refused
    if len(words) == 2 and ((parse_length(words[0]) and across[1]) or (parse_length(words[1]) and down[0])):
        raise Refused
    return " ".join(words)


def _words(value: Any) -> list[str]:
    if not isinstance(value, str) or not 1 <= len(words := value.lower().split()) <= 2 or len(value) > 60:
        raise Refused
    return words


_OF_STRINGS: dict[str, Callable[[Any], Any]] = {
    "ratio": _ratio,
    "text": _text,
    "url": _url,
    "background size": _background_size,
    "background position": _background_position,
}
