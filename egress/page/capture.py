"""Captures one page: screen, sound, browser and visit together, begun anew when one of them fails."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Playwright, async_playwright

from egress.browser.children import private_folder
from egress.browser.chromium import BrowserMissing, Chromium, chromium
from egress.page.console import Console
from egress.page.display import Display
from egress.page.loudspeaker import SINK, Loudspeaker
from egress.page.pictures import PagePictures
from egress.page.proxy import GuardedProxy
from egress.page.sound import PageSound
from egress.page.trouble import PageTrouble, Tries
from egress.page.visit import Errand, Visit
from egress.url_guard import Guard, UrlRefused

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What is captured."""

    url: str
    size: tuple[int, int]
    """Of the page, in pixels."""
    guard: Guard
    errand: Callable[[str, str], Errand]
    """From the URL as it may be shown, and the proxy's URL, to the errand; asked for anew for each visit."""


class CaptureListener:
    """Told on the event loop."""

    def ready(self, when: float) -> None:
        """The page is there: for the first time, or anew. ``when`` is in monotonic seconds."""

    def asked_to_end(self, when: float) -> None:
        """The page says that the recording is to end."""

    def failed(self, code: str, message: str) -> None:
        """It is given up."""


class Capture:
    """``run`` until it is cancelled, or given up."""

    def __init__(self, plan: Plan, pictures: PagePictures | None, sound: PageSound, listener: CaptureListener) -> None:
        self.restarts = 0
        self._plan = plan
        self._pictures = pictures
        self._sound = sound
        self._listener = listener
        self._console = Console()
        self._tries = Tries()
        self._ready_at: float | None = None

    async def run(self) -> None:
        """Capture the page, again and again if need be. Nothing is left behind when this is cancelled."""
        try:
            checked, _ = await self._plan.guard.check_async(self._plan.url)
        except UrlRefused as error:
            self._listener.failed("url_refused", f"the page may not be captured: {error}")
            return
        try:
            found = await asyncio.to_thread(chromium)
        except BrowserMissing as error:
            self._listener.failed("browser_missing", str(error))
            return
        async with async_playwright() as playwright:
            while True:
                trouble = await self._try(playwright, found, checked.shown)
                healthy = 0.0 if self._ready_at is None else time.monotonic() - self._ready_at
                pause = None if trouble.final else self._tries.pause(healthy)
                if pause is None:
                    self._give_up(trouble)
                    return
                log.warning("%s; it is loaded anew in %.1f s%s", trouble, pause, self._console.said)
                self.restarts += 1
                await asyncio.sleep(pause)

    def _give_up(self, trouble: PageTrouble) -> None:
        times = f", {self._tries.failed} times in a row" if self._tries.failed > 1 else ""
        self._listener.failed(trouble.code, f"{trouble}{times}{self._console.said}")

    async def _try(self, playwright: Playwright, found: Chromium, shown: str) -> PageTrouble:
        """Capture the page until something goes wrong."""
        self._ready_at = None
        proxy = GuardedProxy(self._plan.guard)
        try:
            async with AsyncExitStack() as stack:
                folder = await stack.enter_async_context(_scratch(found))
                await proxy.open()
                stack.push_async_callback(proxy.close)
                display = await Display.open(folder, self._plan.size, found.user)
                stack.push_async_callback(display.close)
                loudspeaker = await Loudspeaker.open(folder, found.user)
                stack.push_async_callback(loudspeaker.close)
                broken: asyncio.Future[PageTrouble] = asyncio.get_running_loop().create_future()
                self._sound.open(loudspeaker.samples, _breaker(broken, "sound_failed"))
                errand = self._plan.errand(shown, proxy.url)
                visit = Visit(playwright, errand, self._console, self._listener.asked_to_end, proxy.refused)
                stack.push_async_callback(visit.close)
                if self._pictures is not None:
                    self._pictures.open(display, self._plan.size, _breaker(broken, "display_failed"))
                    stack.push_async_callback(asyncio.to_thread, self._pictures.close)
                around = {
                    "DISPLAY": display.name,
                    "XAUTHORITY": str(display.authority),
                    "PULSE_SERVER": loudspeaker.server,
                    "PULSE_SINK": SINK,
                }
                await visit.open(folder, around)
                self._ready_at = await visit.ready()
                if self._pictures is not None:
                    self._pictures.holding = False
                self._listener.ready(self._ready_at)
                watching = asyncio.ensure_future(visit.watch())
                await asyncio.wait({watching, broken}, return_when=asyncio.FIRST_COMPLETED)
                if self._pictures is not None:
                    self._pictures.holding = True
                if watching.done():
                    return watching.result()
                watching.cancel()
                return broken.result()
        except PageTrouble as trouble:
            for sentence in proxy.refused if trouble.code != "url_refused" else ():
                self._console.take("not allowed", sentence)
            return trouble
        except OSError as error:
            return PageTrouble("capture_failed", f"the page cannot be captured: {error}")


def _breaker(broken: asyncio.Future[PageTrouble], code: str) -> Callable[[str], None]:
    """What a thread calls when its work is at an end."""
    loop = asyncio.get_running_loop()

    def set_trouble(message: str) -> None:
        if not broken.done():
            broken.set_result(PageTrouble(code, message))

    def called(message: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(set_trouble, message)

    return called


@asynccontextmanager
async def _scratch(found: Chromium) -> AsyncIterator[Path]:
    """A folder for browser, screen and sound, which goes with us, also when we are killed.

    It lies in the system's scratch folder, which whom the browser runs as can reach, unlike a worker's own.
    """
    folder = private_folder(Path(tempfile.mkdtemp(prefix="wallflower-page-")), found.user)
    # Reads until we are gone, in whatever way. A browser that is dying may still write, so more than once is swept.
    sweep = (
        'cat >/dev/null; [ -e "$0" ] || exit; kill -9 -- "-$(cat "$0"/*.pid)" 2>/dev/null; '
        'for pause in 0 1 2 4 8; do sleep $pause; rm -rf -- "$0"; done'
    )
    sweeper = await asyncio.create_subprocess_exec(
        *("/bin/sh", "-c", sweep, str(folder)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PATH": os.defpath},
        start_new_session=True,
    )
    try:
        yield folder
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        assert sweeper.stdin is not None
        sweeper.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1):
                await sweeper.wait()
