"""Loopback: a room is a process, which stands for the server too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Self
from urllib.parse import urlsplit

from egress.call.loopback.cast import MOST_GUESTS
from egress.call.loopback.wire import Wire
from egress.rtc.ice_settings import LOOPBACK
from tests.connectors.site import Source
from tests.rig.guests import GuestSpec
from tests.rig.loopback import LoopbackRoom as Process

_TRACKS = {"voice": "audio", "camera": "video"}


class LoopbackWitness:
    """See :class:`tests.connectors.site.Witness`: another listener, who answers no offer."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._wire: Wire | None = None
        self._reading: asyncio.Task[None] | None = None
        self.noticed: list[str] = []
        self.recording: bool | None = None

    async def open(self) -> None:
        self._wire = await Wire.open(int(urlsplit(self._process.inner_url).port or 0))
        self._wire.send({"op": "attend"})
        while (told := await self._wire.read()) is not None and told.get("event") != "done":
            pass
        self._reading = asyncio.create_task(self._read(self._wire))

    async def present(self) -> list[str]:
        return sorted(guest["id"] for guest in (await self._process.do("guests"))["guests"])

    async def close(self) -> None:
        assert self._wire is not None and self._reading is not None
        await self._wire.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, wire: Wire) -> None:
        while (told := await wire.read()) is not None:
            if told.get("event") in ("joined", "left", "muted"):
                self.noticed.append(str(told))


class LoopbackRoom:
    """See :class:`tests.connectors.site.Room`."""

    def __init__(self, process: Process, guests: Sequence[GuestSpec]) -> None:
        self.address: dict[str, Any] = {"type": "loopback", "url": process.inner_url}
        self._process = process
        self._specs = {spec.user_id: spec for spec in guests}
        self._seated: list[str] = []

    async def join(self, guest: str) -> None:
        await self._process.do("seat", spec=asdict(self._specs[guest]))
        self._seated.append(guest)

    async def leave(self, guest: str) -> None:
        self._seated.remove(guest)
        await self._process.do("remove", guest=guest)

    async def mute(self, guest: str, source: Source, muted: bool) -> None:
        await self._process.do("mute", guest=guest, track=_TRACKS[source], muted=muted)

    async def freeze(self, guest: str, seconds: float) -> None:
        await self._process.do("freeze", guest=guest, seconds=seconds)

    async def resize(self, guest: str, width: int, height: int) -> None:
        await self._process.do("resize", guest=guest, width=width, height=height)

    async def restart(self, away: float) -> None:
        await self._process.restart(away)
        seated, self._seated = self._seated, []
        for guest in seated:
            await self.join(guest)

    def void(self, limit: float) -> str | None:
        return None

    @asynccontextmanager
    async def witness(self) -> AsyncIterator[LoopbackWitness]:
        witness = LoopbackWitness(self._process)
        await witness.open()
        try:
            yield witness
        finally:
            await witness.close()


class LoopbackSite:
    """See :class:`tests.connectors.site.Site`."""

    type = "loopback"
    most_guests = MOST_GUESTS
    ice = LOOPBACK

    @staticmethod
    def why_not() -> str | None:
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    @asynccontextmanager
    async def room(self, guests: Sequence[GuestSpec]) -> AsyncIterator[LoopbackRoom]:
        async with Process(0, exact=True) as process:
            yield LoopbackRoom(process, guests)
