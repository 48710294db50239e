"""Tells the clients in a room, through LiveKit's API: the hidden participant needs no right to publish for it."""

from __future__ import annotations

from collections.abc import Sequence

from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.api import RoomService
from egress.call.livekit.token import api_token


class LivekitTeller:
    """See :class:`egress.call.connector.RoomTeller`. Raises ConnectorError when the address has no right to tell."""

    def __init__(self, address: LivekitAddress) -> None:
        api_token(address, room=address.room)
        self._room = address.room
        self._service = RoomService(address)

    async def tell(self, message: bytes, topic: str, to: Sequence[str] = ()) -> None:
        await self._service.send_data(self._room, message, topic, to)

    async def close(self) -> None:
        await self._service.close()
