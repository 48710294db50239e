"""Janus: rooms whose members are told of everybody who joins, even without publishing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from egress.rtc.ice_settings import IceSettings
from tests.connectors.exact_guests import ExactGuests
from tests.rig import janus
from tests.rig.guests import Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.janus_client import Session

_OPTIONS = {"notify_joining": True}


class JanusWitness:
    """See :class:`tests.connectors.site.Witness`: somebody who joined a VideoRoom and publishes nothing."""

    def __init__(self, server: JanusServer, room: int) -> None:
        assert server.ws_url is not None
        self._server = server
        self._room = room
        self._session = Session(server.ws_url)
        self.noticed: list[str] = []
        self.recording: bool | None = None

    async def open(self) -> None:
        await self._session.open()
        handle = await self._session.attach()
        handle.on_event = self._hear
        await handle.message({"request": "join", "ptype": "publisher", "room": self._room, "display": "witness"})

    async def present(self) -> list[str]:
        there = await self._server.participants(self._room)
        listed = (await self._server.ask({"request": "list"}))["list"]
        [count] = [room["num_participants"] for room in listed if room["room"] == self._room]
        assert count == len(there), f"{count} are counted, {there} are named"
        return sorted(str(one["id"]) for one in there)

    async def close(self) -> None:
        await self._session.close()

    def _hear(self, message: dict[str, Any]) -> None:
        told = message.get("plugindata", {}).get("data", {})
        for kind in ("joining", "publishers", "unpublished", "leaving", "kicked"):
            if kind in told:
                self.noticed.append(f"{kind}: {told[kind]}")


class JanusRoom(ExactGuests):
    """See :class:`tests.connectors.site.Room`."""

    def __init__(self, server: JanusServer, number: int, guests: Guests) -> None:
        # To send nothing is all that a publisher can do and stay published.
        super().__init__({"type": "janus", "url": server.ws_url, "room": number}, guests, muting="stop")
        self._server = server
        self._number = number

    async def restart(self, away: float) -> None:
        await self._server.restart(away)
        # As the call's backend would, which made it before.
        await self._server.create_room(room=self._number, **_OPTIONS)

    @asynccontextmanager
    async def witness(self) -> AsyncIterator[JanusWitness]:
        witness = JanusWitness(self._server, self._number)
        await witness.open()
        try:
            yield witness
        finally:
            await witness.close()

    async def rename(self, guest: str, name: str) -> None:
        await self._guests.do(guest, "rename", name=name)


class JanusSite:
    """See :class:`tests.connectors.site.Site`."""

    type = "janus"
    most_guests = 20
    why_not = staticmethod(janus.why_not)

    def __init__(self) -> None:
        self._server = JanusServer()

    @property
    def ice(self) -> IceSettings:
        return IceSettings(networks=[self._server.host_network])

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    @asynccontextmanager
    async def room(self, guests: Sequence[GuestSpec]) -> AsyncIterator[JanusRoom]:
        number = await self._server.create_room(**_OPTIONS)
        async with Guests(self._server.call(list(guests), number)) as acting:
            yield JanusRoom(self._server, number, acting)
