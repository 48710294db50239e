"""Real browsers as guests: Debian's Chromium, headless, publishing a canvas and oscillators to Janus.

``async with Chromium(url, room, host_address) as chromium`` starts one browser; each guest is a page in it with a
colour and tones of its own, flashing and beeping on the whole second of the wall clock. The page is served from
127.0.0.1, which browsers take for secure.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from playwright.async_api import Browser, Page, Playwright, async_playwright

from tests.rig import picture, sound

EXECUTABLE = Path("/usr/bin/chromium")
_PAGE = Path(__file__).with_name("chromium_page.html")
_FLAGS = [
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


class ChromiumGuest:
    """One page. Actions return once the browser has done them."""

    def __init__(self, page: Page, user_id: str) -> None:
        self._page = page
        self.user_id = user_id
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    async def join(self) -> int:
        """Publish; returns the publisher's id."""
        return int(await self._page.evaluate("guest.join()"))

    async def leave(self) -> None:
        await self._page.evaluate("guest.leave()")

    async def rejoin(self, away: float = 0.0) -> int:
        await self.leave()
        await asyncio.sleep(away)
        return await self.join()

    async def vanish(self) -> None:
        """Close the page as a crash would, without leaving."""
        await self._page.close()

    async def camera(self, on: bool, how: Literal["stop", "remove"] = "remove") -> None:
        """``remove`` renegotiates, ``stop`` only takes the track away from its sender."""
        await self._page.evaluate("([on, how]) => guest.camera(on, how)", [on, how])

    async def mute(self, on: bool) -> None:
        await self._page.evaluate("on => guest.mute(on)", on)

    async def screen(self, on: bool) -> int | None:
        """Share a screen as a second publisher of the same user, or stop."""
        feed = await self._page.evaluate("on => guest.screen(on)", on)
        return None if feed is None else int(feed)

    async def sent(self) -> dict[str, Any]:
        """What the browser says it sent: packets, frames and width by kind; how many pictures were drawn and skipped;
        by how many seconds its sound fell behind the wall clock."""
        told: dict[str, Any] = await self._page.evaluate("guest.sent()")
        return told


class Chromium:
    """A browser with guests in it."""

    def __init__(self, url: str, room: int, host_address: str) -> None:
        self._url = url
        self._room = room
        self._host_address = host_address
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(_serve, "127.0.0.1", 0)
        try:
            self._playwright = await async_playwright().start()
            self._browser = await self._playwright.chromium.launch(
                executable_path=str(EXECUTABLE), headless=True, args=_FLAGS
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

    async def guest(
        self,
        user_id: str,
        identity: int,
        name: str | None = None,
        size: tuple[int, int] = (640, 360),
        join: bool = True,
    ) -> ChromiumGuest:
        """Open a page for a guest, and let it join."""
        assert self._browser is not None
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        page = await self._browser.new_page()
        made = ChromiumGuest(page, user_id)
        await page.goto(f"http://127.0.0.1:{port}/")
        who = {"user_id": user_id, "name": name or user_id}
        await page.evaluate(
            "spec => guest.start(spec)",
            {
                "url": self._url,
                "room": self._room,
                "host_address": self._host_address,
                "display": json.dumps(who),
                "screen_display": json.dumps({**who, "source": "screen_share"}),
                "width": size[0],
                "height": size[1],
                "colour": picture.rgb(identity),
                "screen_colour": picture.rgb(identity + picture.CAMERAS),
                "look": _look(),
                "sound": {
                    "hum_frequency": sound.hum_frequency(identity),
                    "hum_amplitude": sound.HUM_AMPLITUDE,
                    "beep_frequency": sound.beep_frequency(identity),
                    "beep_amplitude": sound.BEEP_AMPLITUDE,
                    "beep_seconds": sound.BEEP_SECONDS,
                },
            },
        )
        if join:
            await made.join()
        return made


def _look() -> dict[str, Any]:
    return {
        "fps": picture.FPS,
        "flash_pictures": picture.FLASH_PICTURES,
        "flash": asdict(picture.FLASH),
        "blocks": [asdict(block) for block in picture.CODE],
        "codes": [picture.code_bits(number) for number in range(picture.FPS)],
    }


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The page, whatever is asked for."""
    try:
        await reader.readuntil(b"\r\n\r\n")
        body = _PAGE.read_bytes()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()
