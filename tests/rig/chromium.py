"""Real browsers as guests: Debian's Chromium, headless, publishing a canvas and oscillators.

``async with Chromium(url, room, host_address) as chromium`` starts one browser for Janus; each guest is a page in it
with a colour and tones of its own, flashing and beeping on the whole second of the wall clock. The page is served from
127.0.0.1, which browsers take for secure. :mod:`tests.rig.livekit_chromium` has the guests of LiveKit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from playwright.async_api import Browser as BrowserProcess
from playwright.async_api import Page, Playwright, async_playwright

from tests.rig import picture, sound

EXECUTABLE = Path("/usr/bin/chromium")
MEDIA = Path(__file__).with_name("chromium_media.js")
_PAGE = Path(__file__).with_name("chromium_page.html")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Candidates are addresses instead of names that nobody here resolves.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
    "--autoplay-policy=no-user-gesture-required",
    # Every guest's page is drawn, though only one can be in front.
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
]


def why_not() -> str | None:
    """One line on why there is no browser here, or None."""
    return None if EXECUTABLE.exists() else f"{EXECUTABLE} is not there (Debian package chromium)"


class PageGuest:
    """One page. Actions return once the browser has done them."""

    def __init__(self, page: Page, user_id: str) -> None:
        self._page = page
        self.user_id = user_id
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def leave(self) -> None:
        await self._page.evaluate("guest.leave()")

    async def vanish(self) -> None:
        """Close the page as a crash would, without leaving."""
        await self._page.close()

    async def mute(self, on: bool) -> None:
        await self._page.evaluate("on => guest.mute(on)", on)

    async def speak(self, on: bool) -> None:
        """Be so loud that everybody's client shows a speaker, or no longer."""
        await self._page.evaluate("on => guest.speak(on)", on)


class ChromiumGuest(PageGuest):
    """A guest on Janus."""

    async def join(self) -> int:
        """Publish; returns the publisher's id."""
        return int(await self._page.evaluate("guest.join()"))

    async def rejoin(self, away: float = 0.0) -> int:
        await self.leave()
        await asyncio.sleep(away)
        return await self.join()

    async def camera(self, on: bool, how: Literal["stop", "remove"] = "remove") -> None:
        """``remove`` renegotiates, ``stop`` only takes the track away from its sender."""
        await self._page.evaluate("([on, how]) => guest.camera(on, how)", [on, how])

    async def screen(self, on: bool) -> int | None:
        """Share a screen as a second publisher of the same user, or stop."""
        feed = await self._page.evaluate("on => guest.screen(on)", on)
        return None if feed is None else int(feed)

    async def sent(self) -> dict[str, Any]:
        """What the browser says it sent: packets, frames and width by kind; how many pictures were drawn and skipped;
        by how many seconds its sound fell behind the wall clock."""
        told: dict[str, Any] = await self._page.evaluate("guest.sent()")
        return told


class Browser:
    """A browser with guests in it, and the server of their page."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: BrowserProcess | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            self._playwright = await async_playwright().start()
            self._browser = await self._playwright.chromium.launch(
                executable_path=str(EXECUTABLE), headless=True, args=FLAGS
            )
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the browser: guests still in the room are gone without a goodbye."""
        if self._browser is not None:
            await self._browser.close()
        if self._playwright is not None:
            await self._playwright.stop()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        self._browser = self._playwright = self._server = None

    def _files(self) -> dict[str, Path]:
        """What the page is made of, by the path in its addresses; ``/`` is the page."""
        raise AssertionError("a browser of the rig serves a page for its kind of SFU")

    async def _open(self, identity: int, size: tuple[int, int], spec: dict[str, Any]) -> Page:
        """A new page whose guest has its picture and its sound, and what ``spec`` adds."""
        assert self._browser is not None
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        page = await self._browser.new_page()
        await page.goto(f"http://127.0.0.1:{port}/")
        await page.evaluate(
            "spec => guest.start(spec)",
            {
                "width": size[0],
                "height": size[1],
                "colour": picture.rgb(identity),
                "screen_colour": picture.rgb(identity + picture.CAMERAS),
                "look": _look(),
                "sound": _sound(identity),
                "screen_sound": {**_sound(identity + picture.CAMERAS), "hum_amplitude": 0},
                **spec,
            },
        )
        return page

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
            file = self._files().get(asked)
            if file is None:
                status, body, kind = "404 Not Found", b"", "text/plain"
            else:
                status, body = "200 OK", await asyncio.to_thread(file.read_bytes)
                kind = "text/html" if file.suffix == ".html" else "text/javascript"
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


class Chromium(Browser):
    """A browser with guests on Janus."""

    def __init__(self, url: str, room: int, host_address: str) -> None:
        super().__init__()
        self._url = url
        self._room = room
        self._host_address = host_address

    async def guest(
        self,
        user_id: str,
        identity: int,
        name: str | None = None,
        size: tuple[int, int] = (640, 360),
        join: bool = True,
        roles: Sequence[str] = (),
    ) -> ChromiumGuest:
        """Open a page for a guest, and let it join."""
        who = {"user_id": user_id, "name": name or user_id, **({"roles": list(roles)} if roles else {})}
        spec = {
            "url": self._url,
            "room": self._room,
            "host_address": self._host_address,
            "display": json.dumps(who),
            "screen_display": json.dumps({**who, "source": "screen_share"}),
        }
        made = ChromiumGuest(await self._open(identity, size, spec), user_id)
        if join:
            await made.join()
        return made

    def _files(self) -> dict[str, Path]:
        return {"/": _PAGE, "/media.js": MEDIA}


def _look() -> dict[str, Any]:
    return {
        "fps": picture.FPS,
        "flash_pictures": picture.FLASH_PICTURES,
        "flash": asdict(picture.FLASH),
        "blocks": [asdict(block) for block in picture.CODE],
        "codes": [picture.code_bits(number) for number in range(picture.FPS)],
    }


def _sound(identity: int) -> dict[str, float]:
    return {
        "hum_frequency": sound.hum_frequency(identity),
        "hum_amplitude": sound.HUM_AMPLITUDE,
        "speech_amplitude": sound.SPEECH_AMPLITUDE,
        "beep_frequency": sound.beep_frequency(identity),
        "beep_amplitude": sound.BEEP_AMPLITUDE,
        "beep_seconds": sound.BEEP_SECONDS,
    }
