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
from collections.abc import Callable

import httpx

from egress.browser.cutter import Cutter
from egress.browser.layout_page import LayoutPage
from egress.browser.studio import BrowserGone, Studio
from egress.browser.supplies import Supplies, reason_of
from egress.easel import NativeMaker
from egress.media.compositor import Decor
from egress.url_guard import UrlRefused
from layouts.images import ImageSource
from layouts.scene import Scene

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
CSS_TIMEOUT = 5.0
"""Seconds that the first picture waits for a style sheet; what comes later is taken at the next try."""
CSS_PAUSE = 30.0
"""Seconds after which a style sheet is asked for again that its server did not give."""
MOST_CSS_TRIES = 4
MOST_KEPT = 64 << 20
"""Bytes of decor that is kept for when a scene comes back."""

Warn = Callable[[str, str], None]
"""Told a code and a sentence, on any thread."""


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
        self._cutter = Cutter()
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
        decor = self._cutter.decor(
            scene, stills, self._generation, lambda area: self._studio.run(page.placeholders(area), DRAW_TIMEOUT)
        )
        self._drew = True
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
            where = self._studio.run(self._supplies.style_sheet(self._url, CSS_TIMEOUT), CSS_TIMEOUT + 2)
        except (UrlRefused, httpx.HTTPError, TimeoutError) as error:
            self._warn(NOT_STYLED, f"the layout is drawn without its style sheet: {reason_of(error)}")
            refused = isinstance(error, UrlRefused) or (
                isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
            )
            self._css_retry_at = math.inf if refused else time.monotonic() + CSS_PAUSE
        else:
            self._has_css = self._studio.run(page.use_style_sheet(where), DRAW_TIMEOUT)
            self._kept.clear()

    def _keep(self, scene: Scene, decor: Decor) -> None:
        self._kept[scene] = decor
        while sum(_bytes_of(kept) for kept in self._kept.values()) > MOST_KEPT:
            self._kept.popitem(last=False)


async def _closed(page: LayoutPage | None, supplies: Supplies) -> None:
    if page is not None:
        await page.close()
    await supplies.close()


def _bytes_of(decor: Decor) -> int:
    overlays = sum(plane.nbytes for over in decor.overlays for o in over for plane in (*o.add, *o.keep))
    return sum(plane.nbytes for plane in decor.ground) + overlays
