"""Where rectangles go: tiles of one size in an area, a box of a given shape in another, all on even pixels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from layouts.scene import Rect


@dataclass(frozen=True, slots=True)
class Shape:
    """The shapes (width / height) that a tile may take: as ``widest`` by choice, down to ``tallest`` for room.

    A ``free`` one takes all the room there is, in the arrangement that suits its shape.
    """

    widest: float
    tallest: float
    free: bool = False


# A landscape canvas keeps the shape of cameras. A portrait one is mostly seen on phones, whose cameras are
# tall: tiles are chosen at 4:3 and then grow up to squares, so that less of the canvas stays empty.
LANDSCAPE = Shape(16 / 9, 16 / 9)
PORTRAIT = Shape(4 / 3, 1.0)


def shape_of(width: int, height: int) -> Shape:
    """The shape of tiles on a canvas of this size."""
    return PORTRAIT if height > width else LANDSCAPE


def even(value: float) -> int:
    """The greatest even whole number that is not above ``value``."""
    return math.floor(value / 2) * 2


def inset(area: Rect, horizontal: float, vertical: float) -> Rect:
    """The area less a margin on each side, even, never empty where the area holds a 2×2 square."""
    x = min(even(horizontal), max(0, even((area.width - 2) / 2)))
    y = min(even(vertical), max(0, even((area.height - 2) / 2)))
    return Rect(area.x + x, area.y + y, even(area.width - 2 * x), even(area.height - 2 * y))


def box(area: Rect, shape: Shape) -> Rect:
    """The greatest rectangle of a shape in an area, centred."""
    width, height = _tile(area.width, area.height, shape)
    return _centred(area, width, height)


@lru_cache(maxsize=512)
def tiles(count: int, area: Rect, gap: int, shape: Shape, columns: int, rows: int) -> tuple[Rect, ...]:
    """Rectangles of one size for ``count`` tiles, row by row, in at most ``columns`` × ``rows``.

    The arrangement is the one with the greatest tiles. Rows that are not full are centred. Where the area is too small
    for so many tiles of 2×2 pixels, fewer come back.
    """
    count = min(count, columns * rows, even(area.width) * even(area.height) // 4)
    while count > 0:
        found = _arrangement(count, area, gap, shape, columns, rows)
        if found is None and gap > 0:
            found = _arrangement(count, area, 0, shape, columns, rows)
            gap = 0
        if found is not None:
            return _place(count, area, gap, *found)
        count -= 1
    return ()


def _arrangement(
    count: int, area: Rect, gap: int, shape: Shape, columns: int, rows: int
) -> tuple[int, int, int] | None:
    """Columns, and width and height of a tile; None where nothing of 2×2 fits."""
    best: tuple[tuple[int, int], tuple[int, int, int]] | None = None
    for across in range(1, min(count, columns) + 1):
        down = math.ceil(count / across)
        if down > rows:
            continue
        cell_width = (area.width - gap * (across - 1)) / across
        cell_height = (area.height - gap * (down - 1)) / down
        if cell_width < 2 or cell_height < 2:
            continue
        # Chosen by the wide shape alone; of two equal ones the fuller grid is the calmer picture.
        wide_width, wide_height = _tile(cell_width, cell_height, Shape(shape.widest, shape.widest))
        merit = (wide_width * wide_height, -(across * down - count))
        if best is None or merit > best[0]:
            best = (merit, (across, *_tile(cell_width, cell_height, shape)))
    return best[1] if best else None


def _tile(width: float, height: float, shape: Shape) -> tuple[int, int]:
    """Even width and height of the greatest tile of a shape in a cell, at least 2×2."""
    if shape.free:
        return max(2, even(width)), max(2, even(height))
    across = min(width, height * shape.widest)
    down = min(height, across / shape.tallest)
    return max(2, even(across)), max(2, even(down))


def _place(count: int, area: Rect, gap: int, across: int, width: int, height: int) -> tuple[Rect, ...]:
    down = math.ceil(count / across)
    top = area.y + (area.height - down * height - (down - 1) * gap) / 2
    placed = []
    for index in range(count):
        row, column = divmod(index, across)
        in_row = min(across, count - row * across)
        left = area.x + (area.width - in_row * width - (in_row - 1) * gap) / 2
        placed.append(Rect(even(left + column * (width + gap)), even(top + row * (height + gap)), width, height))
    return tuple(placed)


def _centred(area: Rect, width: int, height: int) -> Rect:
    return Rect(even(area.x + (area.width - width) / 2), even(area.y + (area.height - height) / 2), width, height)
