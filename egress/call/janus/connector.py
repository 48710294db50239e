"""The connector of type ``janus``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from egress.call.connector import Abilities, Attendance, Attending
from egress.call.janus.address import JanusAddress
from egress.call.janus.attendance import JanusAttendance
from egress.call.janus.watcher import JanusWatcher
from egress.call.model import Participant


class JanusConnector:
    """See :class:`egress.call.connector.Connector`."""

    type = "janus"
    Address = JanusAddress
    abilities = Abilities(
        names_change=True,
        screen_share=True,
        screen_share_audio=True,
        renegotiated_tracks=True,
        speakers="rtp levels",
        pause=True,
        layers=True,
    )

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Ask the room who is there. It takes one short session and joins nothing."""
        watcher = self.watcher()
        try:
            return await watcher.watch(address)
        finally:
            await watcher.close()

    def watcher(self) -> JanusWatcher:
        """What looks into many rooms, again and again."""
        return JanusWatcher()

    def attend(self, address: Any, attending: Attending) -> Attendance:
        return JanusAttendance(address, attending)


CONNECTOR = JanusConnector()
