"""A layout as it would be recorded, without a call: the real scene, painter and compositor, over stills of guests."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import skia
from numpy.typing import NDArray

from egress.browser.studio import Studio
from egress.easel import Maker, NativeMaker
from egress.images.store import ImageStore
from egress.media.compositor import Compositor
from egress.protocol.job import GuardRules
from egress.styled import StyledMaker
from layouts.engine import compose
from layouts.images import NoImages
from layouts.scene import CallView
from workers.preview.beside import ADDRESS, served
from workers.preview.people import pictures_of

Pixels = NDArray[np.uint8]

SETTLED = 0.6
"""Seconds without news of a style sheet's fonts and pictures after which there are none to wait for."""
LONGEST = 15.0


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
    """``rgb`` is (height, width, 3). ``missing`` says of what could not be had where it is, and why."""

    rgb: Pixels
    missing: list[str] = field(default_factory=list)


def draw(wanted: Wanted, maker: Maker | None = None) -> Pixels:
    """The picture, (height, width, 3). Raises LayoutError for a layout or options that cannot be honoured."""
    scene = compose(wanted.layout, wanted.options, wanted.size, wanted.call, wall=time.time())
    decor = (maker or NativeMaker(NoImages())).make(scene)
    compositor = Compositor(*wanted.size)
    compositor.show(decor)
    return compositor.compose(pictures_of(wanted.call)).to_ndarray(format="rgb24").astype(np.uint8, copy=False)


async def see(wanted: Wanted, rules: GuardRules) -> Seen:
    """The same once the pictures that its options name have come. Raises LayoutError, and OSError for a style sheet
    that is no file."""
    missing: list[str] = []
    with contextlib.ExitStack() as stack:
        css = wanted.css
        if css is not None and not is_url(css):
            css = stack.enter_context(served(Path(css)))
            rules = GuardRules(schemes=rules.schemes | {"http"}, allow_private=(*rules.allow_private, f"{ADDRESS}/32"))
        guard = rules.guard()
        images = ImageStore(guard, lambda shown, reason: missing.append(f"{shown}: {reason}"), pauses=())
        try:
            if css is None:
                return Seen(await _drawn(wanted, NativeMaker(images), images, 0.0), missing)
            studio = Studio(guard)
            styled = StyledMaker(studio, css, wanted.size, images, lambda code, reason: missing.append(reason))
            try:
                return Seen(await _drawn(wanted, styled, images, SETTLED), missing)
            finally:
                await asyncio.to_thread(_put_away, styled, studio)
        finally:
            await images.close()


def is_url(css: str) -> bool:
    return "://" in css


async def _drawn(wanted: Wanted, maker: Maker, images: ImageStore, settled: float) -> Pixels:
    """Draw until nothing comes any more that it waited for."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LONGEST
    with ThreadPoolExecutor(1) as thread:
        while True:
            generation = maker.generation
            rgb = await loop.run_in_executor(thread, draw, wanted, maker)
            await _quiet(images, lambda before=generation: maker.generation != before, settled)  # type: ignore[misc]
            if maker.generation == generation or loop.time() > until:
                return rgb


async def _quiet(images: ImageStore, news: Callable[[], bool], settled: float) -> None:
    """Wait until the pictures are there, and then for other news, but not long."""
    await asyncio.sleep(0)  # what was asked for on another thread is fetched from the next turn of the loop on
    await images.idle()
    until = asyncio.get_running_loop().time() + settled
    while not news() and asyncio.get_running_loop().time() < until:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


def _put_away(styled: StyledMaker, studio: Studio) -> None:
    styled.close()
    studio.close()


def png(rgb: Pixels) -> bytes:
    """A picture (height, width, 3) as a file."""
    return encoded(rgb, skia.EncodedImageFormat.kPNG, 100)


def encoded(rgb: Pixels, kind: skia.EncodedImageFormat, quality: int) -> bytes:
    rgba = np.full((*rgb.shape[:2], 4), 255, np.uint8)
    rgba[..., :3] = rgb
    image = skia.Image.fromarray(rgba, skia.ColorType.kRGBA_8888_ColorType, skia.AlphaType.kOpaque_AlphaType)
    return bytes(image.encodeToData(kind, quality))
