"""Looks into many rooms through LiveKit's API: one request a look, over connections to each server that stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egress.call.connector import ROOM_GONE, ConnectorError
from egress.call.kept import IDLE, KeptServers
from egress.call.livekit.api import RoomService, open_client
from egress.call.livekit.people import is_guest, participant
from egress.call.model import Participant


class LivekitWatcher:
    """See :class:`egress.call.connector.Watcher`."""

    def __init__(self, idle: float = IDLE) -> None:
        self._servers: KeptServers[_Server] = KeptServers("livekit watcher", idle)

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room. A room that does not exist has nobody in it: LiveKit makes one when somebody joins."""
        url = address.http_url
        with self._servers.asked(url, lambda: _Server(url)) as server:
            try:
                present = await RoomService(address, server.client).participants(address.room)
            except ConnectorError as error:
                if error.code != ROOM_GONE:
                    raise
                present = []
        return [participant(info, address.roles_key) for info in present if is_guest(info)]

    async def close(self) -> None:
        await self._servers.close()


class _Server:
    """One LiveKit. Who asks is said with each request, so that all addresses share its connections."""

    def __init__(self, url: str) -> None:
        self.client = open_client(url)

    async def close(self) -> None:
        await self.client.aclose()
