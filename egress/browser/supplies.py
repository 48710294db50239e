"""What the page of a layout may load: our own files, and what its style sheet and its scene name, through the guard.

The browser itself reaches nothing. Everything it asks for comes here, and what is neither ours nor a style sheet, a
picture or a font that the guard lets through is refused.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

import layouts
from egress.guarded_http import async_client, fetch
from egress.url_guard import Guard, UrlRefused

if TYPE_CHECKING:
    from playwright.async_api import Route

log = logging.getLogger(__name__)

ORIGIN = "http://layout.invalid"
"""Where our files are, for the page. No name server knows it."""
MOST_CSS = 512 << 10
"""Bytes of one style sheet."""
MOST_BYTES = 32 << 20
"""Bytes of what is kept for a page; it may load more, and Chromium keeps what is shown."""
MOST_FILES = 200
"""Files that a page may load in a minute."""
TIMEOUT = 10.0
LACKING = 120.0
"""Seconds for which what could not be had is not asked for again."""
CSP = (
    "default-src 'none'; script-src 'self'; style-src * 'unsafe-inline'; img-src * data:; font-src * data:; "
    "base-uri 'none'; form-action 'none'"
)
_APP = Path(layouts.__path__[0]) / "app"
_OURS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
}
_KINDS = {"stylesheet": MOST_CSS, "image": 8 << 20, "font": 4 << 20}
"""Bytes of one thing, by what Chromium calls its kind."""


@dataclass(frozen=True, slots=True)
class Supply:
    url: str
    """Where it was in the end."""
    content: bytes
    media_type: str


class Supplies:
    """What one page was given. Lives on the browser's event loop and outlives its page: little is fetched twice.

    ``refused`` is told why something cannot be had.
    """

    def __init__(self, guard: Guard, refused: Callable[[str], None]) -> None:
        self.generation = 0
        """Another number when the last of what the page waited for has come: it looks different now."""
        self._guard = guard
        self._http = async_client(guard)
        self._refused = refused
        self._fetching: dict[str, asyncio.Task[Supply]] = {}
        self._held: OrderedDict[str, Supply] = OrderedDict()
        self._lacking: dict[str, float] = {}
        """What could not be had, and until when it is not asked for again."""
        self._asked: deque[float] = deque(maxlen=MOST_FILES)
        self._waiting = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is on its way."""
        return self._waiting == 0

    async def style_sheet(self, url: str, timeout: float) -> str:
        """Fetch the style sheet itself, ahead of the page. Returns where it was in the end: what it names counts from
        there. Raises UrlRefused, httpx.HTTPError or TimeoutError; what is late is fetched to its end all the same.
        """
        async with asyncio.timeout(timeout):
            return (await self._get(url, MOST_CSS)).url

    async def serve(self, route: Route) -> None:
        """Answer what the page asks for."""
        from playwright.async_api import Error

        try:
            await self._serve(route)
        except Error as error:
            log.debug("the page was gone before it had %s: %s", route.request.url[:100], error)

    async def _serve(self, route: Route) -> None:
        request = route.request
        if request.url.startswith(f"{ORIGIN}/"):
            await self._serve_ours(route, request.url.removeprefix(f"{ORIGIN}/"))
            return
        limit = _KINDS.get(request.resource_type)
        if limit is None or request.method != "GET" or self._lacking.get(request.url, 0.0) > time.monotonic():
            await route.abort("blockedbyclient")
            return
        news = request.url not in self._held
        self._waiting += news
        try:
            supply = await self._get(request.url, limit)
        except (UrlRefused, httpx.HTTPError, TimeoutError) as error:
            self._lacking[request.url] = time.monotonic() + LACKING
            self._refused(f"a {request.resource_type} of the layout is not shown: {reason_of(error)}")
            await route.abort("blockedbyclient")
        else:
            # Style sheets count as such whatever their server calls them: many hosts of plain files know no CSS.
            kind = "text/css" if request.resource_type == "stylesheet" else supply.media_type
            await route.fulfill(body=supply.content, headers={"content-type": kind, "access-control-allow-origin": "*"})
        finally:
            self._waiting -= news
            self.generation += news and self.complete

    async def close(self) -> None:
        tasks = list(self._fetching.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._http.aclose()

    async def _serve_ours(self, route: Route, name: str) -> None:
        path = _APP / (name or "index.html")
        kind = _OURS.get(path.suffix)
        if kind is None or path.parent != _APP or not path.is_file():
            await route.fulfill(status=404)
            return
        content = await asyncio.to_thread(path.read_bytes)
        await route.fulfill(body=content, headers={"content-type": kind, "content-security-policy": CSP})

    async def _get(self, url: str, limit: int) -> Supply:
        if url in self._held:
            self._held.move_to_end(url)
            return self._held[url]
        task = self._fetching.get(url)
        if task is None:
            task = self._fetching[url] = asyncio.create_task(self._fetch(url, limit))
            task.add_done_callback(lambda _: self._fetching.pop(url, None))
        return await asyncio.shield(task)

    async def _fetch(self, url: str, limit: int) -> Supply:
        now = time.monotonic()
        if len(self._asked) == MOST_FILES and now - self._asked[0] < 60:
            raise UrlRefused(f"a layout may load {MOST_FILES} files in a minute")
        self._asked.append(now)
        got = await fetch(self._guard, self._http, url, limit=limit, timeout=TIMEOUT)
        supply = Supply(got.url, got.content, got.media_type or "application/octet-stream")
        self._held[url] = self._held[got.url] = supply
        while sum(len(held.content) for held in self._held.values()) > MOST_BYTES:
            self._held.popitem(last=False)
        return supply


def reason_of(error: Exception) -> str:
    """Why something could not be had, for people."""
    if isinstance(error, TimeoutError):
        return "it did not come in time"
    return str(error) or type(error).__name__
