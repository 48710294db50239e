"""When the number of guests in the room is worth telling."""

from __future__ import annotations

INTERVAL = 2.0
"""Seconds after which an unchanged number is told again, for an agent that has just come."""
SETTLED = 1.0
"""Seconds in the room after which nobody seen is nobody there: the first guests are told a moment after joining."""


class Presence:
    """Decides when to tell; times are ``time.monotonic()``."""

    def __init__(self) -> None:
        self._connected: float | None = None
        self._met = False
        """Somebody was seen since the room was joined (again)."""
        self._told: int | None = None
        self._told_at = 0.0

    def connected(self, now: float) -> None:
        self._connected, self._met = now, False

    def disconnected(self) -> None:
        """Who is there is not known any more: what was told last counts until the room is joined again."""
        self._connected = None

    def due(self, participants: int, now: float) -> bool:
        """Whether that many guests are to be told now; the caller then tells."""
        if self._connected is None:
            return False
        self._met = self._met or participants > 0
        if not self._met and now - self._connected < SETTLED:
            return False
        if participants == self._told and now - self._told_at < INTERVAL:
            return False
        self._told, self._told_at = participants, now
        return True
