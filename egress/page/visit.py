"""One visit: a browser with the page in it, from its start until it is ready, and until something goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, ConsoleMessage, Page, Playwright, Response
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import TimeoutError as PlaywrightTimeout

from egress.browser.chromium import BrowserMissing, kill_browser, open_browser
from egress.page.console import END, START, Console
from egress.page.display import window_size
from egress.page.handshake import MARKER
from egress.page.proxy import REFUSED
from egress.page.trouble import PageTrouble, led_away, refused

log = logging.getLogger(__name__)

LOAD_TIMEOUT = 30.0
_NO_TUNNEL = "net::ERR_TUNNEL_CONNECTION_FAILED"
"""What the browser says when the proxy does not let it go to an https address."""
READY_AFTER = 4.0
"""Seconds after the page has loaded at which it is captured though it has not said that it is ready."""
START_SIGNAL_TIMEOUT = 60.0
"""Seconds in which a page that is waited for must say that it is ready."""
CLOSING = 3.0
"""Seconds that a browser has to end by itself."""
HEARTBEAT = 2.0
STUCK = 15.0
"""Seconds in which a page must answer."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What to do with a page."""

    url: str
    shown: str
    """The URL without its secrets, for people."""
    size: tuple[int, int]
    setup: Mapping[str, Any] | None
    """What ``window.setupLayout`` is called with, where the page has it; None for pages that are no app."""
    await_start: bool
    """Whether it is captured only once it says that it is ready."""
    proxy: str
    webrtc: bool
    """Whether WebRTC may speak to others than the proxy."""


class Visit:
    """Event loop only. ``on_end`` is called with the time when the page says that the recording is to end.

    ``not_allowed`` has the proxy's sentences on what was asked for last that is not allowed.
    """

    def __init__(
        self,
        playwright: Playwright,
        errand: Errand,
        console: Console,
        on_end: Callable[[float], None],
        not_allowed: Sequence[str],
    ):
        loop = asyncio.get_running_loop()
        self._playwright = playwright
        self._errand = errand
        self._console = console
        self._on_end = on_end
        self._not_allowed = not_allowed
        self._ready: asyncio.Future[float] = loop.create_future()
        self._trouble: asyncio.Future[PageTrouble] = loop.create_future()
        self._context: BrowserContext | None = None
        self._page: Page | None = None
        self._folder: Path | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._setting_up: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Start the browser and load the page. Raises PageTrouble."""
        self._folder = folder
        width, height = window_size(self._errand.size)
        policy = "default_public_interface_only" if self._errand.webrtc else "disable_non_proxied_udp"
        try:
            self._context = await open_browser(
                self._playwright,
                folder,
                size=self._errand.size,
                headless=False,
                flags=(
                    *("--kiosk", "--window-position=0,0", f"--window-size={width},{height}"),
                    *(f"--proxy-server={self._errand.proxy}", "--proxy-bypass-list=<-loopback>"),
                    *(f"--force-webrtc-ip-handling-policy={policy}", "--deny-permission-prompts"),
                ),
                more_environment=environment,
            )
        except BrowserMissing as error:
            raise PageTrouble("browser_missing", str(error), final=True) from None
        except PlaywrightError as error:
            raise PageTrouble("browser_failed", f"the browser could not be started: {_first_line(error)}") from None
        context = self._context
        try:
            # An empty list: whatever a page asks for is denied, and nobody is asked.
            await context.grant_permissions([])
            page = self._page = context.pages[0] if context.pages else await context.new_page()
            await page.set_viewport_size({"width": self._errand.size[0], "height": self._errand.size[1]})
            self._listen(context, page)
            await self._go(page)
        except PlaywrightError as error:
            if self._trouble.done():
                raise self._trouble.result() from None
            raise PageTrouble("browser_failed", f"the browser failed: {_first_line(error)}") from None
        page.on("response", self._answered)
        self._do(self._introduce(page))
        self._do(self._feel(page))

    def _do(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _listen(self, context: BrowserContext, page: Page) -> None:
        page.on("domcontentloaded", self._begun)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self._console.take("uncaught", str(error)))
        page.on("crash", lambda _: self._fail("page_crashed", "the page crashed"))
        page.on("close", lambda _: self._fail("page_closed", "the page closed itself"))
        context.on("close", lambda _: self._fail("browser_gone", "the browser ended"))
        # Nothing may lie above the page that is captured.
        context.on("page", lambda opened: self._do(_shut(opened)))

    async def _go(self, page: Page) -> None:
        shown = self._errand.shown
        try:
            going = page.goto(self._errand.url, wait_until="domcontentloaded", timeout=LOAD_TIMEOUT * 1000)
            response = await self._unless_trouble(asyncio.ensure_future(going))
        except PlaywrightTimeout:
            raise PageTrouble("page_unreachable", f"{shown} did not load within {LOAD_TIMEOUT:.0f} s") from None
        except PlaywrightError as error:
            reason = _net_error(error)
            if reason == _NO_TUNNEL and self._not_allowed:
                raise led_away(shown, self._not_allowed[-1]) from None
            raise PageTrouble("page_unreachable", f"{shown} could not be loaded: {reason}") from None
        if response is not None and REFUSED in response.headers and self._not_allowed:
            raise led_away(shown, self._not_allowed[-1])
        if response is not None and response.status >= 400:
            raise refused(shown, response.status)

    async def _unless_trouble(self, waited: asyncio.Future[Any]) -> Any:
        await asyncio.wait({waited, self._trouble}, return_when=asyncio.FIRST_COMPLETED)
        if waited.done():
            return waited.result()
        waited.cancel()
        await asyncio.gather(waited, return_exceptions=True)
        raise self._trouble.result()

    async def ready(self) -> float:
        """When the page was ready to be captured (monotonic seconds). Raises PageTrouble."""
        timeout = asyncio.timeout(START_SIGNAL_TIMEOUT) if self._errand.await_start else contextlib.nullcontext()
        try:
            async with timeout:
                when: float = await self._unless_trouble(asyncio.ensure_future(asyncio.shield(self._ready)))
                return when
        except TimeoutError:
            said = f"{self._errand.shown} did not say within {START_SIGNAL_TIMEOUT:.0f} s that it is ready"
            raise PageTrouble("page_not_ready", said, final=True) from None

    async def watch(self) -> PageTrouble:
        """Wait for what goes wrong."""
        return await asyncio.shield(self._trouble)

    async def close(self) -> None:
        self._closing = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._context is not None:
            with contextlib.suppress(PlaywrightError, TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await self._context.close()
        if self._folder is not None:
            # One whose page is stuck does not always go when it is asked to.
            await asyncio.to_thread(kill_browser, self._folder)

    def _said(self, message: ConsoleMessage) -> None:
        now = time.monotonic()
        text = message.text
        if text.strip() == START:
            self._is_ready(now, "it said so")
        elif text.strip() == END:
            self._on_end(now)
        else:
            self._console.take(message.type, text)

    def _is_ready(self, now: float, why: str) -> None:
        if not self._ready.done():
            log.info("the page is ready: %s", why)
            self._ready.set_result(now)

    def _fail(self, code: str, message: str) -> None:
        self._trouble_is(PageTrouble(code, message))

    def _trouble_is(self, trouble: PageTrouble) -> None:
        if not self._closing and not self._trouble.done():
            self._trouble.set_result(trouble)

    def _begun(self, page: Page) -> None:
        """There is a document: the first one, or one to which the page went by itself. Each is told of the call."""
        if self._setting_up is not None:
            self._setting_up.cancel()
        if not self._closing:
            self._setting_up = self._do(_quietly(self._set_up(page)))

    def _answered(self, response: Response) -> None:
        """Something that the page asked for later is answered: perhaps where it went by itself."""
        with contextlib.suppress(PlaywrightError):  # what a worker asks for has no frame
            request = response.request
            if response.status < 400 or not request.is_navigation_request() or request.frame.parent_frame is not None:
                return
            log.info("the page went by itself to what answers with the HTTP status %d", response.status)
            if REFUSED in response.headers and self._not_allowed:
                self._trouble_is(led_away(self._errand.shown, self._not_allowed[-1]))
            else:
                self._trouble_is(refused(f"{self._errand.shown} went by itself to a page that", response.status))

    async def _introduce(self, page: Page) -> None:
        """Wait for the page to be ready."""
        await asyncio.gather(_quietly(self._find_marker(page)), _quietly(self._settle(page)))

    async def _set_up(self, page: Page) -> None:
        if self._errand.setup is not None:
            await page.wait_for_function("typeof window.setupLayout === 'function'", timeout=0)
            await page.evaluate("told => { window.setupLayout(told) }", dict(self._errand.setup))

    async def _find_marker(self, page: Page) -> None:
        await page.wait_for_selector(MARKER, state="attached", timeout=0)
        self._is_ready(time.monotonic(), f"it has {MARKER}")

    async def _settle(self, page: Page) -> None:
        if self._errand.await_start:
            return
        with contextlib.suppress(PlaywrightTimeout):
            await page.wait_for_load_state("load", timeout=LOAD_TIMEOUT * 1000)
        await asyncio.sleep(READY_AFTER)
        self._is_ready(time.monotonic(), f"it has loaded {READY_AFTER:.0f} s ago")

    async def _feel(self, page: Page) -> None:
        """Ask the page for a sign of life again and again."""
        while True:
            await asyncio.sleep(HEARTBEAT)
            try:
                async with asyncio.timeout(STUCK):
                    await page.evaluate("0")
            except TimeoutError:
                self._fail("page_hung", f"the page has not answered for {STUCK:.0f} s")
                return
            except PlaywrightError as error:
                if page.is_closed():
                    self._fail("browser_gone", "the browser ended")
                    return
                # While it goes to another page there is nobody to answer.
                log.debug("no sign of life: %s", _first_line(error))


async def _quietly(work: Any) -> None:
    """Whatever ends it is told by the page's own events."""
    with contextlib.suppress(PlaywrightError):
        await work


async def _shut(opened: Page) -> None:
    log.info("a window that the page opened is closed")
    with contextlib.suppress(PlaywrightError):
        await opened.close()


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _net_error(error: PlaywrightError) -> str:
    """Chromium's own word for it: the rest of the message has the whole URL."""
    words = [word for word in str(error).split() if word.startswith("net::")]
    return words[0] if words else "the browser gives no reason"
