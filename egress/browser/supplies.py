"""What the page of a layout may load: our own files, and what its style sheet and its scene name, through the guard.

The browser itself reaches nothing. Everything it asks for comes here, and what is neither ours nor a style sheet, a
picture or a font that the guard lets through is refused.
"""

from __future__ import annotations

import asyncio
import logging
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
MOST_BYTES = 16 << 20
"""Bytes of all that a page loads."""
MOST_FILES = 200
"""How much a page may ask for, what is refused included."""
TIMEOUT = 10.0
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
    """What one page was given. Lives on the browser's event loop and outlives its page: nothing is fetched twice.

    ``refused`` is told why something cannot be had.
    """

    def __init__(self, guard: Guard, refused: Callable[[str], None]) -> None:
        self.generation = 0
        """Another number when the last of what the page waited for has come: it looks different now."""
        self._guard = guard
        self._http = async_client(guard)
        self._refused = refused
        self._fetched: dict[str, asyncio.Task[Supply]] = {}
        self._bytes = 0
        self._asked = 0
        self._waiting = 0

    @property
    def complete(self) -> bool:
        """Whether nothing is on its way."""
        return self._waiting == 0

    async def style_sheet(self, url: str) -> str:
        """Fetch the style sheet itself, ahead of the page. Returns where it was in the end: what it names counts from
        there. Raises UrlRefused, httpx.HTTPError or TimeoutError.
        """
        return (await self._get(url, MOST_CSS)).url

    async def serve(self, route: Route) -> None:
        """Answer what the page asks for."""
        request = route.request
        if request.url.startswith(f"{ORIGIN}/"):
            await self._serve_ours(route, request.url.removeprefix(f"{ORIGIN}/"))
            return
        limit = _KINDS.get(request.resource_type)
        if limit is None or request.method != "GET":
            await route.abort("blockedbyclient")
            return
        self._waiting += 1
        try:
            supply = await self._get(request.url, limit)
        except (UrlRefused, httpx.HTTPError, TimeoutError) as error:
            self._refused(f"a {request.resource_type} of the layout is not shown: {reason_of(error)}")
            await route.abort("blockedbyclient")
        else:
            # Style sheets count as such whatever their server calls them: many hosts of plain files know no CSS.
            kind = "text/css" if request.resource_type == "stylesheet" else supply.media_type
            await route.fulfill(body=supply.content, headers={"content-type": kind, "access-control-allow-origin": "*"})
        finally:
            self._waiting -= 1
            self.generation += self.complete

    async def close(self) -> None:
        for task in self._fetched.values():
            task.cancel()
        await asyncio.gather(*self._fetched.values(), return_exceptions=True)
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
        task = self._fetched.get(url)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._fetched[url] = asyncio.create_task(self._fetch(url, limit))
        return await asyncio.shield(task)

    async def _fetch(self, url: str, limit: int) -> Supply:
        self._asked += 1
        if self._asked > MOST_FILES:
            raise UrlRefused(f"a layout may load {MOST_FILES} files")
        got = await fetch(self._guard, self._http, url, limit=min(limit, MOST_BYTES - self._bytes), timeout=TIMEOUT)
        self._bytes += len(got.content)
        supply = Supply(got.url, got.content, got.media_type or "application/octet-stream")
        if got.url != url:
            self._fetched[got.url] = asyncio.create_task(_at_once(supply))
        return supply


async def _at_once(supply: Supply) -> Supply:
    return supply


def reason_of(error: Exception) -> str:
    """Why something could not be had, for people."""
    if isinstance(error, TimeoutError):
        return f"it did not come within {TIMEOUT:.0f} s"
    return str(error) or type(error).__name__
