"""A room whose guests are those of :mod:`tests.rig.guests`, whatever the server."""

from __future__ import annotations

from typing import Any

from tests.connectors.site import Source
from tests.rig.guests import Guests


class ExactGuests:
    """Most of a :class:`tests.connectors.site.Room`; ``muting`` is how guests of this server mute what they publish."""

    def __init__(self, address: dict[str, Any], guests: Guests, *, muting: str) -> None:
        self.address = address
        self._guests = guests
        self._muting = muting

    async def join(self, guest: str) -> None:
        await self._guests.do(guest, "join")

    async def leave(self, guest: str) -> None:
        await self._guests.do(guest, "leave")

    async def mute(self, guest: str, source: Source, muted: bool) -> None:
        if source == "voice":
            await self._guests.do(guest, "mute", on=muted, how=self._muting)
        else:
            await self._guests.do(guest, "camera", on=not muted, how=self._muting)

    async def publish(self, guest: str, published: bool) -> None:
        await self._guests.do(guest, "camera", on=published, how="remove")

    async def screen(self, guest: str, shared: bool) -> None:
        await self._guests.do(guest, "screen", on=shared, **({"sound": True} if shared else {}))

    async def freeze(self, guest: str, seconds: float) -> None:
        await self._guests.do(guest, "freeze", seconds=seconds)

    def void(self, limit: float) -> str | None:
        return self._guests.void(limit)

    async def resize(self, guest: str, width: int, height: int) -> None:
        await self._guests.do(guest, "resize", width=width, height=height)
