"""A web page to be recorded, and the server that has it.

The page shows what a guest's camera shows (:mod:`tests.rig.picture`), by the wall clock, and a counter of its own
pictures below; it hums, and beeps on the whole second. What else it does, its query says:

- ``seconds=N``: it says START_RECORDING on a whole second, END_RECORDING N seconds later;
- ``marker=N``: it is an app with ``window.setupLayout``, and shows the marker N to N + 1 seconds after that was called;
- ``complains=…``, ``throws=…``: a line on its console with that, an uncaught error;
- ``fetches=URL``: it tries to get something;
- ``reloads=N``: it loads itself anew, once, N seconds after it was loaded;
- ``leaves=PATH``: it goes there two seconds after it was loaded;
- ``hangs=N``: it never answers again after N seconds.

Its colour is that of :data:`BEFORE` until it said that it is ready, then of :data:`DURING`, then of :data:`AFTER`.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode

import av
import numpy as np

from egress.browser.chromium import BrowserMissing, chromium
from tests.rig import picture, sound
from tests.rig.picture import Area

BEFORE, DURING, AFTER = 0, 2, 4
_COUNTER_BITS = 10
_COUNTER = tuple(Area(0.30 + 0.04 * bit, 0.86, 0.34 + 0.04 * bit, 0.96) for bit in range(_COUNTER_BITS))
_PAGE = Path(__file__).with_name("web_page.html")


def why_not() -> str | None:
    """One line on why no page can be recorded here, or None."""
    missing = [program for program in ("Xvfb", "pulseaudio", "parec", "setpriv") if shutil.which(program) is None]
    if missing:
        return f"{', '.join(missing)} missing (Debian packages xvfb, pulseaudio, pulseaudio-utils)"
    try:
        chromium()
    except BrowserMissing as error:
        return str(error)
    return None


class PageServer:
    """Serves the page on an address of this machine, and ``files`` by their paths.

    ``asked`` are the paths that were asked for.
    """

    def __init__(self, host: str = "127.0.0.1", files: Mapping[str, Path] | None = None) -> None:
        self.host = host
        self._files = files or {}
        self.asked: list[str] = []
        self.told: list[dict[str, Any]] = []
        """What apps sent of what they were told."""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, self.host, 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def url(self, path: str = "/", **query: object) -> str:
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"http://{self.host}:{port}{path}{'?' + urlencode(query) if query else ''}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            path = head.split(" ", 2)[1]
            self.asked.append(path)
            status, body = "404 Not Found", b"there is no such page"
            if path.partition("?")[0] == "/":
                status, body = "200 OK", _page().encode()
            elif (file := self._files.get(path.partition("?")[0])) is not None:
                status, body = "200 OK", await asyncio.to_thread(file.read_bytes)
            elif path == "/told":
                length = next(
                    int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length")
                )
                self.told.append(json.loads(await reader.readexactly(length)))
                status, body = "200 OK", b"{}"
            elif path in ("/redirect", "/tls_redirect"):
                form = "http" if path == "/redirect" else "https"
                status, body = f"302 Found\r\nLocation: {form}://127.0.0.9/?{'x' * 200}", b""
            answer = f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{answer}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def counted(path: Path) -> list[int]:
    """The page's own number of each picture of a file."""
    found = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray")
            bits = []
            for area in _COUNTER:
                x, y, right, bottom = area.core().in_pixels(frame.width, frame.height)
                bits.append(float(np.mean(luma[y:bottom, x:right])) > 128)
            found.append(sum(int(bit) << place for place, bit in enumerate(bits)))
    return found


def _page() -> str:
    look = {
        "fps": picture.FPS,
        "flash_pictures": picture.FLASH_PICTURES,
        "flash": asdict(picture.FLASH),
        "blocks": [asdict(block) for block in picture.CODE],
        "codes": [picture.code_bits(number) for number in range(picture.FPS)],
        "colours": [picture.rgb(identity) for identity in (BEFORE, DURING, AFTER)],
        "counter": [asdict(area) for area in _COUNTER],
        "sound": {
            "hum_frequency": sound.hum_frequency(DURING),
            "hum_amplitude": sound.HUM_AMPLITUDE,
            "beep_frequency": sound.beep_frequency(DURING),
            "beep_amplitude": sound.BEEP_AMPLITUDE,
            "beep_seconds": sound.BEEP_SECONDS,
        },
    }
    return _PAGE.read_text().replace("/*LOOK*/null", json.dumps(look))
