"""Decor by a style sheet from elsewhere: drawn by a browser, by ourselves where that cannot be had.

A scene that was drawn before is not drawn again, so a call in which people speak in turn costs a browser nothing after
a while. A browser that fails is started again a few times, ever later; meanwhile, and after that, scenes look as
they do without a style sheet.
"""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import httpx
import numpy as np
from numpy.typing import NDArray

from egress.browser.layout_page import LayoutPage, Stills, pixels
from egress.browser.matte import beneath, keep_of, opaque, patches, share_of
from egress.browser.studio import BrowserGone, Studio
from egress.browser.supplies import TIMEOUT, Supplies, reason_of
from egress.easel import NativeMaker
from egress.media.compositor import Decor, DecorMaker
from egress.media.yuv import shares
from egress.url_guard import UrlRefused
from layouts.images import ImageSource
from layouts.rearranged import rearranged
from layouts.scene import Placeholder, Rect, Scene, Tile

log = logging.getLogger(__name__)

NOT_STYLED = "layout_not_styled"
"""The layout is not, or not always, drawn by its style sheet."""
CSS_INCOMPLETE = "layout_css_incomplete"
"""Something that the style sheet names could not be had."""
START_TIMEOUT = 8.0
DRAW_TIMEOUT = 5.0
PAUSES = (5.0, 30.0, 120.0)
"""Seconds for which a browser that fails again and again is left alone; after as many failures, for good."""
HEALTHY = 600.0
"""Seconds after which failures before are forgotten."""
CSS_PAUSE = 30.0
"""Seconds after which a style sheet is asked for again that its server did not give."""
MOST_CSS_TRIES = 4
MOST_KEPT = 64 << 20
"""Bytes of decor that is kept for when a scene comes back."""
MOST_PLACEHOLDERS = 100
LEAST_SEEN = 0.005
"""Part of a video of which less shines through what covers it at its soft edges."""

Warn = Callable[[str, str], None]
"""Told a code and a sentence, on any thread."""
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False, slots=True)
class _Patch:
    rect: Rect
    rgba: Pixels


@dataclass(frozen=True, eq=False, slots=True)
class _Painting:
    under: Pixels
    over: tuple[_Patch, ...]
    signs: int = 0
    masks: Mapping[int, Pixels] = field(default_factory=dict)
    """By tile, how much is seen of those that lie on others."""


class StyledMaker:
    """Decor of one program's scenes. ``make`` is for one thread, which it makes wait for the browser.

    ``images`` are for when they are painted without it.
    """

    def __init__(self, studio: Studio, url: str, size: tuple[int, int], images: ImageSource, warn: Warn) -> None:
        self._studio = studio
        self._url = url
        self._size = size
        self._warn = warn
        self._native = NativeMaker(images)
        self._styled = DecorMaker(self)
        self._supplies: Supplies | None = None
        self._page: LayoutPage | None = None
        self._failures = 0
        self._failed_at = -math.inf
        self._retry_at = -math.inf
        self._drew = False
        """Whether the browser has drawn something since it failed the last time."""
        self._reason = ""
        self._has_css = False
        self._css_tries = 0
        self._css_retry_at = -math.inf
        self._generation = 0
        """That of the supplies, when what is drawn now was begun."""
        self._kept: OrderedDict[Scene, Decor] = OrderedDict()
        self._patches: dict[tuple[Rect, bytes], _Patch] = {}
        self._placeholders: OrderedDict[tuple[Rect, Placeholder, int], Pixels] = OrderedDict()
        self._painting: _Painting | None = None

    @property
    def generation(self) -> int:
        arrived = 0 if self._supplies is None else self._supplies.generation
        return self._native.generation + arrived

    def make(self, scene: Scene) -> Decor:
        """The scene as it is to be shown; its tiles lie where the style sheet put them."""
        if self._supplies is not None and self._generation != self._supplies.generation:
            self._generation = self._supplies.generation
            self._kept.clear()
        known = self._kept.get(scene)
        if known is not None:
            self._kept.move_to_end(scene)
            return known
        while self._may_try():
            try:
                return self._draw(scene)
            except BrowserGone as error:
                self._failed(str(error))
            except Exception as error:
                log.exception("a layout could not be drawn by the browser")
                self._failed(f"drawing it failed: {error!r}")
        self._warn(NOT_STYLED, f"the layout is drawn without its style sheet for a time: {self._reason}")
        return self._native.make(scene)

    def close(self) -> None:
        """Nothing more is to be drawn."""
        if self._supplies is not None:
            try:
                self._studio.run(_closed(self._page, self._supplies), 2)
            except BrowserGone as error:
                log.debug("a page was not closed: %s", error)

    # What is drawn now, as the painter of its decor.

    def paint(self, scene: Scene) -> _Painting:
        assert self._painting is not None
        return self._painting

    def placeholder(self, tile: Tile) -> Pixels:
        return self._placeholders[self._placeholder_key(tile)]

    def _may_try(self) -> bool:
        now = time.monotonic()
        if now - self._failed_at > HEALTHY:
            self._failures = 0
        return self._failures <= len(PAUSES) and now >= self._retry_at

    def _failed(self, reason: str) -> None:
        log.warning("a layout could not be drawn by the browser: %s", reason)
        now = time.monotonic()
        self._failures += 1
        if not self._drew:
            # It was started just now, in vain.
            self._retry_at = now + PAUSES[min(self._failures, len(PAUSES)) - 1]
        self._reason, self._failed_at, self._drew, self._page = reason, now, False, None
        self._studio.discard()

    def _draw(self, scene: Scene) -> Decor:
        page = self._page or self._open()
        if not self._has_css and self._css_tries < MOST_CSS_TRIES and time.monotonic() >= self._css_retry_at:
            self._style(page)
        stills = self._studio.run(page.show(scene), DRAW_TIMEOUT)
        drawn = rearranged(scene, stills.slots)
        self._painting, drawn = self._paint(drawn, stills, page)
        decor = self._styled.make(drawn)
        decor = replace(decor, masks={index: shares(mask) for index, mask in self._painting.masks.items()})
        self._drew = True
        self._prune()
        if stills.settled and self._supplies is not None and self._supplies.generation == self._generation:
            self._keep(scene, decor)
        return decor

    def _open(self) -> LayoutPage:
        if self._supplies is None:
            self._supplies = self._studio.supplies(lambda reason: self._warn(CSS_INCOMPLETE, reason))
        self._page = self._studio.open(self._supplies, self._size, START_TIMEOUT)
        self._has_css = False
        self._css_tries = 0
        return self._page

    def _style(self, page: LayoutPage) -> None:
        """Lay the style sheet over ours. Without it, the page looks as we would paint it."""
        assert self._supplies is not None
        self._css_tries += 1
        try:
            where = self._studio.run(self._supplies.style_sheet(self._url), TIMEOUT + 2)
        except (UrlRefused, httpx.HTTPError, TimeoutError) as error:
            self._warn(NOT_STYLED, f"the layout is drawn without its style sheet: {reason_of(error)}")
            refused = isinstance(error, UrlRefused) or (
                isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            )
            self._css_retry_at = math.inf if refused else time.monotonic() + CSS_PAUSE
        else:
            self._has_css = self._studio.run(page.use_style_sheet(where), DRAW_TIMEOUT)
            self._kept.clear()

    def _paint(self, drawn: Scene, stills: Stills, page: LayoutPage) -> tuple[_Painting, Scene]:
        """Ground and patches; and the scene without the tiles of which nothing can be seen."""
        ground = pixels(stills.whole)
        if stills.white is None:
            return _Painting(opaque(ground), ()), drawn
        area = stills.area
        inside = (slice(area.y, area.bottom), slice(area.x, area.right))
        black = np.zeros_like(ground)
        keep = np.zeros(ground.shape[:2], np.uint8)
        black[inside] = ground[inside] if stills.black is None else pixels(stills.black)
        keep[inside] = keep_of(black[inside], pixels(stills.white))
        seen = [number for number, tile in enumerate(drawn.tiles) if _of(keep, tile.rect).mean() > LEAST_SEEN * 255]
        tiles = tuple(drawn.tiles[number] for number in seen)
        rects = [tile.rect for tile in tiles]
        self._take_placeholders(tiles, area, black, keep, page)
        for tile in tiles:
            if tile.scale_mode == "fit":
                rows, columns = slice(tile.rect.y, tile.rect.bottom), slice(tile.rect.x, tile.rect.right)
                ground[rows, columns] = beneath(ground[rows, columns], black[rows, columns], keep[rows, columns])
        over = []
        for rect, rgba in patches(black, keep, rects):
            key = (rect, rgba.tobytes())
            over.append(self._patches.setdefault(key, _Patch(rect, rgba)))
        masks: dict[int, Pixels] = {}
        for index, number in enumerate(seen):
            if number in stills.alone:
                at = rects[index]
                below = [Rect(r.x - at.x, r.y - at.y, r.width, r.height) for r in rects[:index]]
                masks[index] = share_of(pixels(stills.alone[number]), _of(black, at), _of(keep, at), below)
        return _Painting(opaque(ground), tuple(over), masks=masks), _with(drawn, tiles)

    def _take_placeholders(
        self, tiles: tuple[Tile, ...], area: Rect, black: Pixels, keep: Pixels, page: LayoutPage
    ) -> None:
        """See to it that there is one for each tile: a still of them is taken when one is new."""
        keys = [self._placeholder_key(tile) for tile in tiles]
        for key in keys:
            if key in self._placeholders:
                self._placeholders.move_to_end(key)
        if all(key in self._placeholders for key in keys):
            return
        still = pixels(self._studio.run(page.placeholders(area), DRAW_TIMEOUT))
        for key, tile in zip(keys, tiles, strict=True):
            rect = tile.rect
            part = still[rect.y - area.y : rect.bottom - area.y, rect.x - area.x : rect.right - area.x]
            self._placeholders[key] = opaque(beneath(part, _of(black, rect), _of(keep, rect)))

    def _placeholder_key(self, tile: Tile) -> tuple[Rect, Placeholder, int]:
        return tile.rect, tile.placeholder, self._generation

    def _keep(self, scene: Scene, decor: Decor) -> None:
        self._kept[scene] = decor
        while sum(_bytes_of(kept) for kept in self._kept.values()) > MOST_KEPT:
            self._kept.popitem(last=False)

    def _prune(self) -> None:
        """Forget what no decor has that may be shown again."""
        while len(self._placeholders) > MOST_PLACEHOLDERS:
            self._placeholders.popitem(last=False)
        if len(self._patches) > 1000 and self._painting is not None:
            shown = set(map(id, self._painting.over))
            self._patches = {key: patch for key, patch in self._patches.items() if id(patch) in shown}


async def _closed(page: LayoutPage | None, supplies: Supplies) -> None:
    if page is not None:
        await page.close()
    await supplies.close()


def _of(canvas: Pixels, rect: Rect) -> Pixels:
    return canvas[rect.y : rect.bottom, rect.x : rect.right]


def _with(scene: Scene, tiles: tuple[Tile, ...]) -> Scene:
    return scene if tiles == scene.tiles else replace(scene, tiles=tiles)


def _bytes_of(decor: Decor) -> int:
    overlays = sum(plane.nbytes for over in decor.overlays for o in over for plane in (*o.add, *o.keep))
    return sum(plane.nbytes for plane in decor.ground) + overlays
