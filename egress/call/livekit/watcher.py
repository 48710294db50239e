"""Looks into many rooms through LiveKit's API: one request a look, over connections to each server that stay."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from egress.call.connector import ROOM_GONE, ConnectorError
from egress.call.livekit.api import RoomService, open_client
from egress.call.livekit.people import is_guest, participant
from egress.call.model import Participant

IDLE = 30.0
"""Seconds without a look after which the connections to a server are closed."""


class LivekitWatcher:
    """See :class:`egress.call.connector.Watcher`."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._servers: dict[str, _Server] = {}
        self._sweeping: asyncio.Task[None] | None = None

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room. A room that does not exist has nobody in it: LiveKit makes one when somebody joins."""
        url = address.http_url
        server = self._servers.get(url) or self._servers.setdefault(url, _Server(url))
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep(), name="livekit watcher")
        server.asking += 1
        server.used = asyncio.get_running_loop().time()
        try:
            present = await RoomService(address, server.client).participants(address.room)
        except ConnectorError as error:
            if error.code != ROOM_GONE:
                raise
            present = []
        finally:
            server.asking -= 1
        return [participant(info, address.roles_key) for info in present if is_guest(info)]

    async def close(self) -> None:
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
        servers, self._servers = list(self._servers.values()), {}
        await asyncio.gather(*(server.client.aclose() for server in servers))

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle / 2)
            for url, server in list(self._servers.items()):
                if not server.asking and loop.time() - server.used >= self._idle:
                    del self._servers[url]
                    await server.client.aclose()


class _Server:
    """One LiveKit. Who asks is said with each request, so that all addresses share its connections."""

    def __init__(self, url: str) -> None:
        self.client: httpx.AsyncClient = open_client(url)
        self.asking = 0
        """Requests under way."""
        self.used = 0.0
