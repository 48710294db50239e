"""Where the picture behind the tiles lies, as CSS Backgrounds and Borders Level 3 says it: size, position, repeat.

Lengths are pixels of the canvas (``px``), percentages, ``em`` and ``rem`` of 16 pixels, or shares of the canvas
(``vw``, ``vh``, ``vmin``, ``vmax``). All three properties of one layer are understood; what is not raises ValueError.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LENGTH = re.compile(r"([+-]?(?:\d{1,6}(?:\.\d{1,6})?|\.\d{1,6}))(px|em|rem|%|vw|vh|vmin|vmax)?", re.ASCII)
_EM = 16.0
_STYLES = ("repeat", "no-repeat", "space", "round")
_SIDES = {"left": 0.0, "top": 0.0, "center": 0.5, "right": 1.0, "bottom": 1.0}
_HORIZONTAL = ("left", "right")
_VERTICAL = ("top", "bottom")

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Length:
    """Pixels and a share of something, added."""

    pixels: float = 0.0
    share: float = 0.0

    def of(self, whole: float) -> float:
        return self.pixels + self.share * whole


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the first picture lies, how large it is, and from one to the next (0 where it stands once)."""

    x: float
    y: float
    width: float
    height: float
    step_x: float
    step_y: float


def place(size: str, position: str, repeat: str, area: Pair, picture: Pair) -> Placement:
    """Where a picture of (width, height) lies in an area of (width, height). Raises ValueError.

    Repeated pictures begin at or before the area's upper left corner.
    """
    styles = read_repeat(repeat)
    sides = list(_sized(read_size(size, area), area, picture))
    automatic = [side == "auto" for side in _words_of_size(size)]
    for axis in (0, 1):
        if styles[axis] == "round":
            fitting = max(1, round(area[axis] / sides[axis]))
            before, sides[axis] = sides[axis], area[axis] / fitting
            # A side that was left to follow the other still does.
            if automatic[1 - axis] and styles[1 - axis] != "round":
                sides[1 - axis] *= sides[axis] / before
    offsets = read_position(position, area)
    first: list[float] = []
    steps: list[float] = []
    for axis in (0, 1):
        free = area[axis] - sides[axis]
        start, step = offsets[axis].of(free), sides[axis]
        if styles[axis] == "no-repeat":
            step = 0.0
        elif styles[axis] == "space":
            fitting = int(area[axis] // sides[axis])
            if fitting >= 2:
                start, step = 0.0, sides[axis] + (area[axis] - fitting * sides[axis]) / (fitting - 1)
            else:
                step = 0.0
        if step:
            start = start % step - step if start % step else 0.0
        first.append(start)
        steps.append(step)
    return Placement(first[0], first[1], sides[0], sides[1], steps[0], steps[1])


def read_size(text: str, area: Pair = (0, 0)) -> str | tuple[Length | None, Length | None]:
    """``cover``, ``contain``, or two lengths of which None is auto. Raises ValueError."""
    words = _words_of_size(text)
    if words[0] in ("cover", "contain") and len(text.split()) == 1:
        return words[0]
    width, height = (None if word == "auto" else _length(word, text, area, least=0.0) for word in words)
    return width, height


def read_repeat(text: str) -> tuple[str, str]:
    """The style of each axis: repeat, no-repeat, space or round. Raises ValueError."""
    words = text.lower().split()
    if words == ["repeat-x"]:
        return "repeat", "no-repeat"
    if words == ["repeat-y"]:
        return "no-repeat", "repeat"
    if len(words) not in (1, 2) or any(word not in _STYLES for word in words):
        raise ValueError(f"{text[:60]!r} is no background-repeat such as no-repeat, repeat-x or space")
    return words[0], words[-1]


def read_position(text: str, area: Pair = (0, 0)) -> tuple[Length, Length]:
    """Offsets of the left and upper edge; shares are of what the picture leaves free. Raises ValueError."""
    words = text.lower().split()
    if len(words) in (3, 4):
        return _from_edges(words, text, area)
    if len(words) == 1:
        words = ["center", words[0]] if words[0] in _VERTICAL else [words[0], "center"]
    if len(words) != 2:
        raise _no_position(text)
    if (words[0] in _VERTICAL and words[1] in (*_HORIZONTAL, "center")) or (
        words[1] in _HORIZONTAL and words[0] == "center"
    ):
        words.reverse()
    if words[0] in _VERTICAL or words[1] in _HORIZONTAL:
        raise _no_position(text)
    x, y = (Length(0, _SIDES[word]) if word in _SIDES else _length(word, text, area) for word in words)
    return x, y


def _from_edges(words: list[str], text: str, area: Pair) -> tuple[Length, Length]:
    """``right 10px bottom 20px``: each side with an offset, which one of the two may lack."""
    found: dict[str, Length] = {}
    centred = 0
    index = 0
    while index < len(words):
        side = words[index]
        index += 1
        if side == "center":
            centred += 1
            continue
        if side not in _SIDES:
            raise _no_position(text)
        offset = Length()
        if index < len(words) and words[index] not in _SIDES:
            offset = _length(words[index], text, area)
            index += 1
        axis = "x" if side in _HORIZONTAL else "y"
        if axis in found:
            raise _no_position(text)
        far = side in ("right", "bottom")
        found[axis] = Length(-offset.pixels, 1 - offset.share) if far else offset
    if len(found) + centred != 2:
        raise _no_position(text)
    middle = Length(0, 0.5)
    return found.get("x", middle), found.get("y", middle)


def _sized(size: str | tuple[Length | None, Length | None], area: Pair, picture: Pair) -> Pair:
    if isinstance(size, str):
        by_width, by_height = area[0] / picture[0], area[1] / picture[1]
        factor = max(by_width, by_height) if size == "cover" else min(by_width, by_height)
        return picture[0] * factor, picture[1] * factor
    width = None if size[0] is None else size[0].of(area[0])
    height = None if size[1] is None else size[1].of(area[1])
    if width is None and height is None:
        width, height = picture
    elif height is None:
        assert width is not None
        height = width * picture[1] / picture[0]
    elif width is None:
        width = height * picture[0] / picture[1]
    # What is nothing wide would be drawn without end.
    return max(width, 1.0), max(height, 1.0)


def _words_of_size(text: str) -> list[str]:
    words = text.lower().split()
    if len(words) not in (1, 2):
        raise ValueError(f"{text[:60]!r} is no background-size such as cover, contain, auto or 50% 200px")
    return words if len(words) == 2 else [words[0], "auto"]


def _length(word: str, text: str, area: Pair, least: float = -1e9) -> Length:
    found = _LENGTH.fullmatch(word)
    if found is None or (found.group(2) is None and float(found.group(1)) != 0) or float(found.group(1)) < least:
        raise ValueError(f"{text[:60]!r} holds {word[:30]!r}, which is no length such as 20px or 50%")
    number, unit = float(found.group(1)), found.group(2) or "px"
    if unit == "%":
        return Length(0, number / 100)
    wholes = {"vw": area[0], "vh": area[1], "vmin": min(area), "vmax": max(area)}
    if unit in wholes:
        return Length(number / 100 * wholes[unit])
    return Length(number * (1 if unit == "px" else _EM))


def _no_position(text: str) -> ValueError:
    return ValueError(f"{text[:60]!r} is no background-position such as center, left top or 50% 20px")
