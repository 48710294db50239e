"""The pictures of one call: fetched when a painter first asks for them, kept within bounds, tried again when missing.

Painters ask on their thread and are answered at once with what is there. Everything else happens on the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from egress.guarded_http import async_client, fetch
from egress.images.data_urls import content_of, is_data_url
from egress.images.decoder import Decoder
from egress.images.decoding import ImageRefused
from egress.url_guard import Guard, UrlRefused

log = logging.getLogger(__name__)

LARGEST = 8 * 2**20
"""Bytes of a picture as it comes."""
TIMEOUT = 10.0
"""Seconds that it may take to come."""
AT_ONCE = 4
"""Fetched at the same time."""
PAUSES = (5.0, 30.0, 180.0)
"""Seconds before what could not be had is tried again; then it is given up."""
KEPT_BYTES = 128 * 2**20
"""Of unpacked pictures. Beyond it those are forgotten that were asked for longest ago."""
KEPT = 512
"""Addresses that are known."""
MOST_FETCHES = 2000
"""Of one attendant: somebody might change their picture all day."""

Unavailable = Callable[[str, str], None]
"""Told of a picture that cannot be had: what may be shown of its address, and the reason."""

_Key = tuple[str, int]


@dataclass(slots=True)
class _Entry:
    image: Any | None = None
    bytes: int = 0


class ImageStore:
    """An ImageSource (layouts.images). ``get`` is for any thread, the rest for the event loop."""

    def __init__(self, guard: Guard, unavailable: Unavailable, pauses: tuple[float, ...] = PAUSES) -> None:
        self._guard = guard
        self._unavailable = unavailable
        self._pauses = pauses
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._entries: OrderedDict[_Key, _Entry] = OrderedDict()
        self._bytes = 0
        self._generation = 0
        self._fetches = 0
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[_Key, asyncio.Task[None]] = {}
        self._http: httpx.AsyncClient | None = None
        self._decoder = Decoder()
        self._closed = False

    @property
    def generation(self) -> int:
        return self._generation

    @property
    def held_bytes(self) -> int:
        return self._bytes

    def get(self, address: str, side: int) -> Any | None:
        """The picture, or None while there is none; who asks first has it fetched."""
        key = (address, side)
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None:
                self._entries.move_to_end(key)
                return entry.image
            self._entries[key] = _Entry()
            self._forget()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._want, key)
        return None

    async def idle(self) -> None:
        """Wait until nothing is being fetched, or waits to be tried again."""
        while self._tasks:
            await asyncio.wait(list(self._tasks.values()))

    async def close(self) -> None:
        """Fetch nothing more."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._http is not None:
            await self._http.aclose()
        await self._decoder.close()

    def _want(self, key: _Key) -> None:
        if self._closed or key in self._tasks:
            return
        task = self._tasks[key] = asyncio.create_task(self._have(key), name="picture")
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _have(self, key: _Key) -> None:
        """Get one picture, trying again when that fails."""
        told = False
        for pause in (0.0, *self._pauses):
            await asyncio.sleep(pause)
            if key not in self._entries:
                return
            try:
                async with self._slots:
                    image = await self._load(*key)
            except Exception as error:  # whatever a stranger's server does must not reach further than its picture
                if not told:
                    told = True
                    self._unavailable(self._shown(key[0]), _reason(error))
                log.info("a picture is not there: %s", _reason(error))
                if is_data_url(key[0]):
                    return
                continue
            self._keep(key, image)
            return

    async def _load(self, address: str, side: int) -> Any:
        if is_data_url(address):
            return await self._decoder.decode(content_of(address), side)
        if self._fetches >= MOST_FETCHES:
            raise UrlRefused(f"{MOST_FETCHES} pictures were fetched for this call, which is enough")
        self._fetches += 1
        if self._http is None:
            self._http = async_client(self._guard, connections=AT_ONCE)
        fetched = await fetch(self._guard, self._http, address, limit=LARGEST, timeout=TIMEOUT)
        return await self._decoder.decode(fetched.content, side)

    def _keep(self, key: _Key, image: Any) -> None:
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return
            entry.image, entry.bytes = image, image.width() * image.height() * 4
            self._bytes += entry.bytes
            self._forget()
        self._generation += 1

    def _forget(self) -> None:
        """Keep to the bounds; under the lock."""
        while len(self._entries) > 1 and (self._bytes > KEPT_BYTES or len(self._entries) > KEPT):
            _, oldest = self._entries.popitem(last=False)
            self._bytes -= oldest.bytes

    def _shown(self, address: str) -> str:
        """The address without what may be secret in it."""
        if is_data_url(address):
            return "a data: URL"
        try:
            return self._guard.form(address).shown
        except UrlRefused:
            return "an address that is no URL"


def _reason(error: Exception) -> str:
    """Why a picture cannot be had, without anything of its address that may be secret."""
    if isinstance(error, UrlRefused | ImageRefused):
        return str(error)
    if isinstance(error, httpx.HTTPStatusError):
        return f"the answer was {error.response.status_code}"
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return f"there was no answer within {TIMEOUT:g} s"
    return f"the server cannot be reached ({type(error).__name__})"
