"""A layout as it would be recorded, without a call: the real scene, painter and compositor, over stills of guests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import skia
from numpy.typing import NDArray

from egress.images.store import ImageStore
from egress.media.compositor import Compositor, DecorMaker
from egress.url_guard import Guard
from layouts.engine import compose
from layouts.images import ImageSource
from layouts.native import NativePainter
from layouts.scene import CallView
from workers.preview.people import pictures_of

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be seen: a layout with its options, on a canvas of (width, height), of a call.

    ``css`` is the address of a style sheet, or the path of one.
    """

    layout: str
    options: Mapping[str, Any]
    size: tuple[int, int]
    call: CallView
    css: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """``rgb`` is (height, width, 3). ``missing`` says of each picture that could not be had where it is, and why."""

    rgb: Pixels
    missing: list[str] = field(default_factory=list)


def draw(wanted: Wanted, images: ImageSource | None = None) -> Pixels:
    """The picture, (height, width, 3). Raises LayoutError for a layout or options that cannot be honoured."""
    scene = compose(wanted.layout, wanted.options, wanted.size, wanted.call)
    compositor = Compositor(*wanted.size)
    compositor.show(DecorMaker(NativePainter(images)).make(scene))
    return compositor.compose(pictures_of(wanted.call)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)


async def see(wanted: Wanted, guard: Guard) -> Seen:
    """The same once the pictures that its options name have come. Raises LayoutError."""
    missing: list[str] = []
    images = ImageStore(guard, lambda shown, reason: missing.append(f"{shown}: {reason}"), pauses=())
    try:
        rgb = draw(wanted, images)
        # What was asked for is fetched from the next turn of the loop on.
        await asyncio.sleep(0)
        await images.idle()
        return Seen(draw(wanted, images) if images.generation else rgb, missing)
    finally:
        await images.close()


def png(rgb: Pixels) -> bytes:
    """A picture (height, width, 3) as a file."""
    return encoded(rgb, skia.EncodedImageFormat.kPNG, 100)


def encoded(rgb: Pixels, kind: skia.EncodedImageFormat, quality: int) -> bytes:
    rgba = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = rgb
    image = skia.Image.fromarray(rgba, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kOpaque_AlphaType)
    return bytes(image.encodeToData(kind, quality))
