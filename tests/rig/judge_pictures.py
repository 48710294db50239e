"""Reads every picture of a recording: which guest is seen where, which picture of their second, flashing or not."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.rig import picture
from tests.rig.picture import CODE, FLASH, Area, Plane

_GRID = 8
"""Every eighth chroma sample in both directions is looked at first."""
_LEAST_CELLS = 6
_FLASH_LUMA = (picture.WHITE + picture.BASE_LUMA) / 2
_ASPECT = 16 / 9
_TABLE = picture.identities_by_chroma()

Rect = tuple[int, int, int, int]
"""x, y, width, height in pixels of the canvas."""


@dataclass(slots=True)
class Sightings:
    """One identity through the file. All lists are parallel, one entry for each picture in which it is seen."""

    index: list[int] = field(default_factory=list)
    """Which picture of the file."""
    number: list[int] = field(default_factory=list)
    """Which picture of the guest's second (0 to 29); −1 when the code could not be read."""
    flash: list[bool] = field(default_factory=list)
    rect: list[Rect] = field(default_factory=list)
    """What is visible of it."""


@dataclass(slots=True)
class Pictures:
    """The video of a file (or of several, end to end)."""

    width: int
    height: int
    times: NDArray[np.float64]
    """Seconds of each picture."""
    duration: float
    """To the end of the last picture."""
    seen: dict[int, Sightings]


def read_pictures(path: Path) -> Pictures | None:
    """Decode and read all pictures; None when the file has no video."""
    with av.open(str(path)) as container:
        if not container.streams.video:
            return None
        stream = container.streams.video[0]
        times: list[float] = []
        reader: _Reader | None = None
        last = 0.0
        for frame in container.decode(stream):
            if frame.format.name not in ("yuv420p", "yuvj420p"):
                raise ValueError(f"pictures are {frame.format.name}, not yuv420p")
            if reader is None:
                reader = _Reader(frame.width, frame.height)
            assert frame.time is not None
            times.append(frame.time)
            last = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0
            reader.read(len(times) - 1, *(_plane(p) for p in frame.planes))
        if reader is None:
            raise ValueError(f"{path} has a video stream without pictures")
        if not last and len(times) > 1:
            last = (times[-1] - times[0]) / (len(times) - 1)
        return Pictures(reader.width, reader.height, np.array(times), times[-1] + last, reader.seen)


class _Reader:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.seen: dict[int, Sightings] = {}
        self._places: dict[tuple[int, bytes], tuple[Rect, list[tuple[slice, slice]]] | None] = {}

    def read(self, index: int, luma: Plane, blue: Plane, red: Plane) -> None:
        half = _GRID // 2
        cells = _TABLE[blue[half::_GRID, half::_GRID], red[half::_GRID, half::_GRID]]
        counts = np.bincount(cells.ravel() + 1, minlength=2 * picture.CAMERAS + 1)[1:]
        for identity in np.flatnonzero(counts >= _LEAST_CELLS):
            where = cells == identity
            key = (int(identity), where.tobytes())
            if key not in self._places:
                cluster = _cluster(where)
                self._places[key] = self._place(int(identity), cluster, blue, red) if cluster else None
            place = self._places[key]
            if place is None:
                continue
            rect, areas = place
            means = np.array([luma[area].mean() if luma[area].size else 0.0 for area in areas])
            number = picture.number_of(means[1:])
            sightings = self.seen.setdefault(int(identity), Sightings())
            sightings.index.append(index)
            sightings.number.append(-1 if number is None else number)
            sightings.flash.append(bool(means[0] > _FLASH_LUMA))
            sightings.rect.append(rect)

    def _place(
        self, identity: int, cluster: tuple[int, int, int, int], blue: Plane, red: Plane
    ) -> tuple[Rect, list[tuple[slice, slice]]]:
        """The exact rectangle around the coarse one, and where in it flash and code are."""
        top, bottom, left, right = cluster
        y0, y1 = max(0, top * _GRID - _GRID), (bottom + 2) * _GRID
        x0, x1 = max(0, left * _GRID - _GRID), (right + 2) * _GRID
        where = _TABLE[blue[y0:y1, x0:x1], red[y0:y1, x0:x1]] == identity
        # A line of the picture is its colour from end to end but for marks in the middle; noise is not.
        rows = np.flatnonzero(where.sum(axis=1) > where.sum(axis=1).max() * 0.3)
        columns = np.flatnonzero(where.sum(axis=0) > where.sum(axis=0).max() * 0.3)
        x, y = 2 * (x0 + int(columns[0])), 2 * (y0 + int(rows[0]))
        width, height = 2 * int(columns[-1] - columns[0] + 1), 2 * int(rows[-1] - rows[0] + 1)
        # A tile of another shape shows the middle of the picture.
        full_width, full_height = max(float(width), height * _ASPECT), max(float(height), width / _ASPECT)
        px, py = x + (width - full_width) / 2, y + (height - full_height) / 2

        def region(area: Area) -> tuple[slice, slice]:
            x_from, y_from, x_to, y_to = area.core().in_pixels(full_width, full_height, px, py)
            return slice(max(0, y_from), y_to), slice(max(0, x_from), x_to)

        return (x, y, width, height), [region(area) for area in (FLASH, *CODE)]


def _cluster(where: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right of the largest connected patch: other things may have a guest's colour too.

    Where marks cut a narrow picture across, its pieces lie above each other and are equally wide.
    """
    left_over = {(int(y), int(x)) for y, x in np.argwhere(where)}
    patches = []
    while left_over:
        patch = [left_over.pop()]
        for y, x in patch:
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left_over:
                    left_over.remove(near)
                    patch.append(near)
        rows, columns = zip(*patch, strict=True)
        patches.append((len(patch), min(rows), max(rows), min(columns), max(columns)))
    size, top, bottom, left, right = max(patches)
    if size < _LEAST_CELLS:
        return None
    for _, above, below, west, east in patches:
        if abs(west - left) <= 1 and abs(east - right) <= 1:
            top, bottom = min(top, above), max(bottom, below)
    return top, bottom, left, right


def who_is_in(frame: av.VideoFrame) -> list[int]:
    """Whose readable pictures one decoded frame shows."""
    return sorted(numbers_in(frame))


def numbers_in(frame: av.VideoFrame) -> dict[int, int]:
    """Which picture of their second (0 to 29) one decoded frame shows, by identity."""
    reader = _Reader(frame.width, frame.height)
    reader.read(0, *(_plane(plane) for plane in frame.planes))
    return {who: seen.number[0] for who, seen in reader.seen.items() if seen.number[0] >= 0}


def _plane(plane: Any) -> Plane:
    lines = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    return lines[:, : plane.width]


def end_to_end(parts: list[Pictures], offsets: list[float]) -> Pictures:
    """Several files as one: each part's time starts at its offset."""
    seen: dict[int, Sightings] = {}
    before = 0
    for part in parts:
        for identity, sightings in part.seen.items():
            whole = seen.setdefault(identity, Sightings())
            whole.index.extend(index + before for index in sightings.index)
            whole.number.extend(sightings.number)
            whole.flash.extend(sightings.flash)
            whole.rect.extend(sightings.rect)
        before += len(part.times)
    times = np.concatenate([part.times + offset for part, offset in zip(parts, offsets, strict=True)])
    return Pictures(parts[0].width, parts[0].height, times, parts[-1].duration + offsets[-1], seen)
