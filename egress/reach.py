"""Whether the room of a call is in reach, since when, and how many are in it: told as it changes."""

from __future__ import annotations

import logging
import time

from egress.call.model import CallEvent, Connected, Disconnected
from egress.composite import Tell, utc
from egress.presence import Presence
from egress.protocol.reports import Connected as ConnectedReport
from egress.protocol.reports import Disconnected as DisconnectedReport
from egress.protocol.reports import Presence as PresenceReport

log = logging.getLogger(__name__)


class Reach:
    """Times are ``time.monotonic()``."""

    def __init__(self, tell: Tell) -> None:
        self.away: str | None = None
        """Why the SFU is out of reach; None when it is not, or nothing is known yet."""
        self._tell = tell
        self._opened_at = time.monotonic()
        self._connected_at: float | None = None
        self._presence = Presence()

    @property
    def joined(self) -> bool:
        """Whether the room was ever joined."""
        return self._connected_at is not None

    def since(self, now: float) -> float | None:
        """Seconds since the room was joined for the first time; None before that."""
        return None if self._connected_at is None else now - self._connected_at

    def hear(self, event: CallEvent, now: float) -> None:
        """Something happened in the call."""
        match event:
            case Connected():
                if self._connected_at is None:
                    self._connected_at = now
                    log.info("in the call after %.0f ms", (now - self._opened_at) * 1000)
                self._presence.connected(now)
                self.away = None
                self._tell(ConnectedReport(at=utc(time.time())))
            case Disconnected(reason):
                self._presence.disconnected()
                self.away = reason
                self._tell(DisconnectedReport(at=utc(time.time()), reason=reason))
            case _:
                pass

    def count(self, participants: int, now: float) -> None:
        """So many guests are in the room: told when it is due."""
        if self._presence.due(participants, now):
            self._tell(PresenceReport(at=utc(time.time()), participants=participants))
