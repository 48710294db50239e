"""The browser in which an attendant's layouts are drawn: one for all, on a thread of its own, there when it is needed.

The event loop of the attendant and its media thread never wait for it; who draws has a thread to wait on.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from egress.browser.layout_page import LayoutPage
from egress.browser.supplies import Supplies
from egress.url_guard import Guard

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext, Playwright

log = logging.getLogger(__name__)

CLOSING = 3.0
"""Seconds in which a browser may end by itself."""
_FLAGS = (
    "--hide-scrollbars",
    "--disable-lcd-text",
    # Whatever comes around the interception of requests, by whatever name or address, ends here.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://layout.invalid:9",
    "--proxy-bypass-list=<-loopback>",
)

Result = TypeVar("Result")


class BrowserGone(Exception):
    """The browser, or a page of it, is not to be had or does not answer. The text is one sentence for people."""


class Studio:
    """Opens pages, and starts the browser again when it is gone. For any thread but the attendant's event loop."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False
        # On the thread of the browser only.
        self._opening = asyncio.Lock()
        self._playwright: Playwright | None = None
        self._context: BrowserContext | None = None
        self._folder: Path | None = None

    def supplies(self, refused: Callable[[str], None]) -> Supplies:
        """What a page may load. ``refused`` is told on the browser's thread why something cannot be had."""

        async def made() -> Supplies:
            return Supplies(self._guard, refused)

        return self.run(made(), 5)

    def open(self, supplies: Supplies, size: tuple[int, int], timeout: float) -> LayoutPage:
        """A new page. Raises BrowserGone."""
        return self.run(self._open(supplies, size), timeout)

    def run(self, work: Coroutine[Any, Any, Result], timeout: float) -> Result:
        """Do something on the browser's thread and wait for it, at most that many seconds.

        Raises BrowserGone, and what the work itself raises that is no error of Playwright's.
        """
        from playwright.async_api import Error

        from egress.browser.chromium import BrowserMissing

        if self._closed:
            work.close()
            raise BrowserGone("the call is over")
        task = asyncio.run_coroutine_threadsafe(work, self._running())
        try:
            return task.result(timeout)
        except TimeoutError:
            if task.done():
                raise  # it is what was done that took too long, and says so
            task.cancel()
            raise BrowserGone(f"the browser did not answer within {timeout:g} s") from None
        except (BrowserMissing, Error) as error:
            raise BrowserGone(str(error).splitlines()[0]) from error
        except concurrent.futures.CancelledError:
            raise BrowserGone("the browser was closed") from None

    def discard(self) -> None:
        """End the browser: the next page starts another one."""
        try:
            self.run(self._end(), 2 * CLOSING + 2)
        except BrowserGone as error:
            log.warning("the browser could not be ended: %s", error)

    def close(self) -> None:
        """End it for good. Blocks a moment."""
        with self._lock:
            loop, thread = self._loop, self._thread
        if loop is not None:
            self.discard()
        self._closed = True
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                run = copy_context().run
                self._thread = threading.Thread(target=run, args=(self._serve, self._loop), name="browser", daemon=True)
                self._thread.start()
            return self._loop

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()

    # On the thread of the browser.

    async def _open(self, supplies: Supplies, size: tuple[int, int]) -> LayoutPage:
        async with self._opening:
            if self._context is None:
                self._context = await self._start()
        return await LayoutPage.open(self._context, supplies, size)

    async def _start(self) -> BrowserContext:
        from playwright.async_api import async_playwright

        from egress.browser.chromium import open_browser

        if self._playwright is None:
            self._playwright = await async_playwright().start()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        self._folder = Path(tempfile.mkdtemp(prefix="wallflower-layouts-"))
        context = await open_browser(self._playwright, self._folder, size=(64, 64), headless=True, flags=_FLAGS)
        context.on("close", self._lost)
        log.info("a browser draws layouts")
        return context

    def _lost(self, context: BrowserContext) -> None:
        if context is self._context:
            self._context = None

    async def _end(self) -> None:
        context, self._context = self._context, None
        playwright, self._playwright = self._playwright, None
        folder, self._folder = self._folder, None
        for ending in (context.close() if context else None, playwright.stop() if playwright else None):
            if ending is None:
                continue
            try:
                async with asyncio.timeout(CLOSING):
                    await ending
            except Exception as error:
                log.debug("while the browser was ended: %r", error)
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
