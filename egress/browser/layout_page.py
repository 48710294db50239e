"""One page of a browser that shows the scenes of a program, laid out by a style sheet, and stills of it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray

from egress.browser.supplies import ORIGIN, Supplies
from layouts.rearranged import Slot, even_around
from layouts.scene import Rect, Scene

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, CDPSession, Page

SETTLING = 0.4
"""Seconds that fonts and pictures are waited for before a still is taken without them."""


@dataclass(frozen=True, slots=True)
class Stills:
    """A scene as the page shows it: PNG pictures, and where the slots of its videos are."""

    slots: tuple[Slot, ...]
    """Those that reach into the canvas, the lowest first."""
    whole: bytes
    """The whole page: nothing is in the slots where a video may leave part of its slot free, else they are black."""
    area: Rect
    """What of the canvas the others show: all that the slots take."""
    black: bytes | None
    """With black slots; None where ``whole`` has them."""
    white: bytes | None
    """With white slots; None where no slot is seen."""
    alone: Mapping[int, bytes]
    """For each slot that lies over another, by its place among the slots: its even rectangle, with that slot alone
    white and the others black."""
    settled: bool
    """Whether everything that the page wanted was there."""


class LayoutPage:
    """Shows one scene at a time. Every method raises Playwright's errors when the browser or the page is gone."""

    def __init__(self, page: Page, devtools: CDPSession, supplies: Supplies, size: tuple[int, int]) -> None:
        self._page = page
        self._devtools = devtools
        self._supplies = supplies
        self._size = size

    @classmethod
    async def open(cls, context: BrowserContext, supplies: Supplies, size: tuple[int, int]) -> LayoutPage:
        """Open a page of that size in pixels that loads nothing but what ``supplies`` gives it."""
        page = await context.new_page()
        await page.set_viewport_size({"width": size[0], "height": size[1]})
        await page.route("**/*", supplies.serve)
        await page.goto(f"{ORIGIN}/")
        return cls(page, await context.new_cdp_session(page), supplies, size)

    async def use_style_sheet(self, url: str) -> bool:
        """Lay a style sheet over ours, in the place of the one before. Whether Chromium could load it."""
        return bool(await self._page.evaluate("url => useStyleSheet(url)", url))

    async def show(self, scene: Scene) -> Stills:
        """Show a scene and take its stills."""
        generation = self._supplies.generation
        await self._page.evaluate("scene => showScene(scene)", asdict(scene))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLING):
                await self._page.evaluate("settled()")
        told = map(_slot, await self._page.evaluate("fill('nothing')"))
        slots = tuple(slot for slot in told if even_around(slot, *self._size) is not None)
        area = _around(slots, self._size)
        black = white = None
        if area is None:
            whole = await self.whole()
        elif all(slot.fills for slot in slots):
            whole = await self._filled("black", Rect(0, 0, *self._size))
        else:
            whole = await self.whole()
            black = await self._filled("black", area)
        if area is not None:
            white = await self._filled("white", area)
        alone = {}
        for number, rect in _lying_over(slots, self._size):
            await self._page.evaluate("tile => fill('white', tile)", slots[number].tile)
            alone[number] = await self._still(rect)
        settled = self._supplies.complete and self._supplies.generation == generation
        return Stills(slots, whole, area or Rect(0, 0, 0, 0), black, white, alone, settled)

    async def placeholders(self, area: Rect) -> bytes:
        """A still of what is in the slots where there is no video, of the scene that is shown."""
        await self._page.evaluate("fill('placeholders')")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLING):
                await self._page.evaluate("settled()")
        return await self._still(area)

    async def whole(self) -> bytes:
        """A still of the page as it is."""
        return await self._still(Rect(0, 0, *self._size))

    async def close(self) -> None:
        await self._page.close()

    async def _filled(self, filling: str, area: Rect) -> bytes:
        await self._page.evaluate("filling => fill(filling)", filling)
        return await self._still(area)

    async def _still(self, area: Rect) -> bytes:
        told = await self._devtools.send(
            "Page.captureScreenshot",
            {
                "format": "png",
                "optimizeForSpeed": True,
                "clip": {"x": area.x, "y": area.y, "width": area.width, "height": area.height, "scale": 1},
            },
        )
        return base64.b64decode(told["data"])


def pixels(png: bytes) -> NDArray[np.uint8]:
    """A still as (h, w, 3)."""
    decoder = av.CodecContext.create("png", "r")
    frame = decoder.decode(av.Packet(png))[0]
    return frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)


def _slot(told: dict[str, Any]) -> Slot:
    rect = told["rect"]
    return Slot(told["tile"], rect["x"], rect["y"], rect["width"], rect["height"], told["fit"])


def _lying_over(slots: Sequence[Slot], size: tuple[int, int]) -> Iterator[tuple[int, Rect]]:
    """Which slots lie over others, and their even rectangles."""
    rects = [even_around(slot, *size) for slot in slots]
    for number, rect in enumerate(rects):
        if rect is not None and any(below is not None and rect.overlaps(below) for below in rects[:number]):
            yield number, rect


def _around(slots: Sequence[Slot], size: tuple[int, int]) -> Rect | None:
    """The smallest even rectangle of the canvas around the slots."""
    rects = [rect for slot in slots if (rect := even_around(slot, *size)) is not None]
    if not rects:
        return None
    x, y = min(r.x for r in rects), min(r.y for r in rects)
    return Rect(x, y, max(r.right for r in rects) - x, max(r.bottom for r in rects) - y)
