"""The connector of type ``loopback``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from egress.call.connector import Abilities, Attendance, Attending, ConnectorError
from egress.call.loopback.address import LoopbackAddress
from egress.call.loopback.attendance import LoopbackAttendance, participant
from egress.call.loopback.cast import CAST
from egress.call.loopback.wire import Wire
from egress.call.model import Participant


class LoopbackConnector:
    """See :class:`egress.call.connector.Connector`."""

    type = "loopback"
    Address = LoopbackAddress
    abilities = Abilities(participants_told=True, muted_told=True, speakers="told", pause=True)

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room; in one that only begins with its attendant, who will be."""
        if address.url is None:
            return [Participant(guest.id, guest.id, guest.name, guest.roles) for guest in CAST[: address.guests]]
        parts = urlsplit(address.url)
        wire = await Wire.open(int(parts.port or 0), str(parts.hostname))
        try:
            wire.send({"op": "guests"})
            answer = await wire.read()
        finally:
            await wire.close()
        if answer is None:
            raise ConnectionError("the loopback room does not answer")
        if answer.get("event") == "ended":
            raise ConnectorError("room_not_found", "the loopback room has ended")
        return [participant(guest) for guest in answer["guests"]]

    def attend(self, address: Any, attending: Attending) -> Attendance:
        return LoopbackAttendance(address)


CONNECTOR = LoopbackConnector()
