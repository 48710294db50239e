"""What every part of the native painter draws on: arrays of premultiplied pixels, seen by Skia as a canvas."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import skia

from layouts.geometry import even
from layouts.scene import Color, Rect

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class Patch:
    """A small picture to blend over the video. ``rect`` is even, ``rgba`` is (height, width, 4), premultiplied."""

    rect: Rect
    rgba: Pixels


def up(value: float) -> int:
    """The least even whole number that is not below ``value``."""
    return -even(-value)


def opaque(color: Color) -> tuple[int, int, int, int]:
    """A colour as it looks on black, for what nothing lies under."""
    share = color.alpha / 255
    return (round(color.red * share), round(color.green * share), round(color.blue * share), 255)


def argb(color: Color) -> int:
    return int(skia.ColorSetARGB(color.alpha, color.red, color.green, color.blue))


def paint(color: int) -> Any:
    """A paint (skia.Paint) with smooth edges."""
    return skia.Paint(Color=color, AntiAlias=True)


def blank(width: int, height: int) -> Pixels:
    return np.zeros((height, width, 4), np.uint8)


def sealed(pixels: Pixels) -> Pixels:
    """The same array, which nobody writes to any more."""
    pixels.setflags(write=False)
    return pixels


@contextmanager
def canvas_on(pixels: Pixels) -> Iterator[Any]:
    """A canvas (skia.Canvas) that draws into ``pixels``, and is done when the block is."""
    surface = skia.Surface(pixels, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kPremul_AlphaType)
    canvas = surface.getCanvas()
    yield canvas
    del canvas, surface


def draw_image(canvas: Any, image: Any, to: Any, part: Any | None = None) -> None:
    """Draw an image, or a ``part`` of it, into the rectangle ``to`` (skia.Rect both)."""
    part = part or skia.Rect.MakeWH(image.width(), image.height())
    if to.width() < part.width() or to.height() < part.height():
        # Sampling alone would leave out what lies between the samples.
        sampling = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)
    else:
        sampling = skia.SamplingOptions(skia.CubicResampler.CatmullRom())
    canvas.drawImageRect(image, part, to, sampling, skia.Paint(AntiAlias=True))
