"""Times in which something is so, and how they are told by the clock on the wall."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from egress.protocol.reception import Spell, Spells
from egress.reception.bounds import LONGEST_REASON, MOST_SPELLS, Room


@dataclass(slots=True)
class SpellLog:
    """Times in which something is so. Beginning twice, or ending what has not begun, changes nothing."""

    room: Room
    count: int = 0
    seconds: float = 0.0
    listed: list[tuple[float, float, str]] = field(default_factory=list)
    since: float | None = None
    _reason: str = ""

    def begin(self, now: float, reason: str = "") -> None:
        if self.since is None:
            self.since, self._reason = now, reason[:LONGEST_REASON]

    def end(self, now: float) -> None:
        if self.since is None:
            return
        self.count += 1
        self.seconds += max(0.0, now - self.since)
        if len(self.listed) < MOST_SPELLS and self.room.left > 0:
            self.room.left -= 1
            self.listed.append((self.since, max(now, self.since), self._reason))
        self.since = None

    def until(self, now: float, room: Room) -> SpellLog:
        """As if all had ended now."""
        ended = replace(self, room=room, listed=list(self.listed))
        ended.end(now)
        return ended


@dataclass(frozen=True, slots=True)
class WallClock:
    """From the monotonic clock to wall time, as it was at the start."""

    shift: float

    def at(self, when: float) -> datetime:
        return datetime.fromtimestamp(round(when + self.shift, 3), UTC)

    def spells(self, spells: SpellLog) -> Spells | None:
        if not spells.count:
            return None
        listed = [
            Spell(start_time=self.at(start), end_time=self.at(end), reason=why) for start, end, why in spells.listed
        ]
        return Spells(count=spells.count, seconds=round(spells.seconds, 3), listed=listed)
