"""The connector of type ``janus``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egress.call.connector import Attendance, Attending
from egress.call.janus.address import JanusAddress
from egress.call.janus.attendance import JanusAttendance
from egress.call.janus.client import JanusError, Session
from egress.call.janus.refusal import refusal
from egress.call.janus.roster import guests, roster
from egress.call.model import Participant


class JanusConnector:
    """See :class:`egress.call.connector.Connector`."""

    type = "janus"
    Address = JanusAddress

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Ask the room who is there. It takes one short session and joins nothing."""
        session = Session(address.url, apisecret=address.apisecret, token=address.token)
        try:
            await session.open()
            handle = await session.attach()
            answer = await handle.request({"request": "listparticipants", "room": address.room, **address.credentials})
        except JanusError as error:
            final = refusal(error)
            if final is not None:
                raise final from error
            raise ConnectionError(f"Janus refuses ({error})") from error
        finally:
            await session.close()
        return list(roster(guests(answer.data, address.pattern)).participants.values())

    def attend(self, address: Any, attending: Attending) -> Attendance:
        return JanusAttendance(address, attending)


CONNECTOR = JanusConnector()
