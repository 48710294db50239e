"""The connector of type ``livekit``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from egress.call.connector import Abilities, Attendance, Attending
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.api import RoomService
from egress.call.livekit.teller import LivekitTeller
from egress.call.livekit.watcher import LivekitWatcher
from egress.call.model import Participant

_NO_ROOM = "wallflower-doctor"
"""Who is in it is asked where a server is looked at for no room's sake. Asking makes no room."""


class LivekitConnector:
    """See :class:`egress.call.connector.Connector`."""

    type = "livekit"
    Address = LivekitAddress
    abilities = Abilities(
        participants_told=True,
        names_change=True,
        screen_share=True,
        screen_share_audio=True,
        renegotiated_tracks=True,
        muted_told=True,
        speakers="told",
        pause=True,
        layers=True,
        resume=True,
        connection_quality=True,
        room_metadata=True,
        tell_room=True,
    )

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Ask the server's API who is there. Nothing is joined, and no room is made or held open by it."""
        watcher = self.watcher()
        try:
            return await watcher.watch(address)
        finally:
            await watcher.close()

    def watcher(self) -> LivekitWatcher:
        """What looks into many rooms, again and again."""
        return LivekitWatcher()

    def attend(self, address: Any, attending: Attending) -> Attendance:
        # Whoever only watches needs nothing of media, which takes long to load.
        from egress.call.livekit.attendance import LivekitAttendance

        return LivekitAttendance(address, attending)

    def teller(self, address: Any) -> LivekitTeller | None:
        """What tells the room, where the address asks for it. Raises ConnectorError when its token may not."""
        return LivekitTeller(address) if address.tell_room else None

    def page_pass(self, address: Any, identity: str) -> tuple[str, str] | None:
        """Where the server is and a token for a page; None where there is only a ready token, which is ours alone."""
        if address.api_key is None:
            return None
        from egress.call.livekit.token import join_token

        return address.ws_url, join_token(address, identity, recorder=True)

    async def check(self, project: Mapping[str, Any]) -> str:
        """Ask the server that a project names one question. Raises ConnectorError, or OSError when it is away."""
        address = LivekitAddress.model_validate({"room": _NO_ROOM, **project})
        service = RoomService(address)
        try:
            await service.participants(address.room)
        finally:
            await service.close()
        return f"{address.http_url} answers, and takes its API key"


CONNECTOR = LivekitConnector()
