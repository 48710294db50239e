"""Looks at recordings of any guests: where tiles are, what colour their lines have, whether something moves in them.

``film = Film.read(path)`` decodes a file once, keeps the time of every picture and a few pictures a second. Times are
seconds of the file, pictures (height, width, 3) RGB, places :class:`layouts.scene.Rect`.
"""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from layouts.scene import Rect

Picture = NDArray[np.uint8]

DARK = 48
"""Red, green and blue up to which a pixel is background, with what coding makes of it near edges."""
BRIGHT = 90
"""Mean luma from which a line counts as drawn."""
_LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(slots=True)
class Film:
    """``times`` are of all pictures, ``kept`` are (time, picture as coded) of some."""

    width: int
    height: int
    times: NDArray[np.float64]
    duration: float
    kept: list[tuple[float, av.VideoFrame]]

    @classmethod
    def read(cls, path: Path, every: float = 0.25) -> Film:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            times: list[float] = []
            kept: list[tuple[float, av.VideoFrame]] = []
            last = 0.0
            for frame in container.decode(stream):
                assert frame.time is not None and frame.time_base is not None
                if not kept or frame.time >= kept[-1][0] + every - 1e-6:
                    kept.append((frame.time, frame))
                times.append(frame.time)
                last = float(frame.duration * frame.time_base) if frame.duration else 0.0
            return cls(stream.width, stream.height, np.array(times), times[-1] + last, kept)

    def gaps(self, longer_than: float) -> list[tuple[float, float]]:
        """From when to when one picture was shown for longer than that."""
        ends = np.append(self.times[1:], self.duration)
        return [(float(a), float(b)) for a, b in zip(self.times, ends, strict=True) if b - a > longer_than]

    def at(self, time: float) -> Picture:
        """The kept picture nearest to a moment."""
        return _rgb(min(self.kept, key=lambda entry: abs(entry[0] - time))[1])

    def between(self, start: float, end: float) -> list[tuple[float, Picture]]:
        """The kept pictures of a time, one after the other."""
        return [(time, _rgb(frame)) for time, frame in self.kept if start <= time < end]

    def motion(self, place: Rect, start: float, end: float) -> float:
        """How much the middle of a tile changes over a time: the mean standard deviation of a pixel's luma.

        Lines and names are left out.
        """
        x, y = place.width // 5, place.height // 5
        inner = Rect(place.x + x, place.y + y, place.width - 2 * x, place.height - 2 * y)
        seen = [luma(cut(picture, inner)) for _, picture in self.between(start, end)]
        assert len(seen) > 2, f"only {len(seen)} pictures between {start} and {end}"
        return float(np.std(seen, axis=0).mean())


def cut(picture: Picture, place: Rect) -> Picture:
    return picture[place.y : place.bottom, place.x : place.right]


def luma(picture: Picture) -> NDArray[np.float64]:
    weighed: NDArray[np.float64] = picture.astype(np.float64) @ _LUMA
    return weighed


def line(picture: Picture, place: Rect, width: int) -> list[NDArray[np.float64]]:
    """Mean colour of each side of a tile's line, away from its corners: above, below, left, right."""
    tile = cut(picture, place)
    x, y = place.width // 4, place.height // 4
    sides = (tile[:width, x:-x], tile[-width:, x:-x], tile[y:-y, :width], tile[y:-y, -width:])
    return [side.reshape(-1, 3).mean(axis=0) for side in sides]


def is_framed(picture: Picture, place: Rect) -> bool:
    """Whether a line is drawn at all four edges of that place."""
    return all(float(side @ _LUMA) > BRIGHT for side in line(picture, place, 1))


def is_green(picture: Picture, place: Rect, width: int) -> bool:
    """Whether that line is #7CFC00, as around who speaks: twice as green as red, hardly blue."""
    return all(
        green > 1.5 * red and green > 2 * blue and green > 120 for red, green, blue in line(picture, place, width)
    )


def is_empty_beside(picture: Picture, places: Iterable[Rect]) -> bool:
    """Whether there is nothing but (black) background outside of these places."""
    outside = np.ones(picture.shape[:2], bool)
    for place in places:
        outside[max(0, place.y - 4) : place.bottom + 4, max(0, place.x - 4) : place.right + 4] = False
    return bool((picture[outside].max(axis=1) > DARK).mean() < 0.002)


def shows_tiles(picture: Picture, places: Sequence[Rect]) -> bool:
    """Whether tiles are exactly there."""
    return is_empty_beside(picture, places) and all(is_framed(picture, place) for place in places)


def hue(picture: Picture, place: Rect) -> float | None:
    """The colour of a tile's upper left part, in degrees; None where it is black."""
    part = cut(picture, Rect(place.x + 6, place.y + 6, place.width // 4, place.height // 4))
    red, green, blue = np.median(part.reshape(-1, 3), axis=0) / 255
    degrees, _, value = colorsys.rgb_to_hsv(red, green, blue)
    return degrees * 360 if value > 0.2 else None


def _rgb(frame: av.VideoFrame) -> Picture:
    return np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
