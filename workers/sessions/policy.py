"""What starts, limits and ends a session by itself: from what is known to what is to be done, without doing it.

Docs: docs/sessions.md has the same as a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

INACTIVITY = "inactivity"
MAX_DURATION = "max_duration"
ROOM_ENDED = "room_ended"
SESSION_ENDED = "session_ended"
SUPERSEDED = "superseded"

REASONS = {
    INACTIVITY: "all participants had gone",
    MAX_DURATION: "the session had lasted as long as it may",
    ROOM_ENDED: "the room has ended",
    SESSION_ENDED: "the session was ended",
    SUPERSEDED: "a later session of the call has begun",
}
"""Why something is stopped: a word for programs, a sentence for people."""

Begin = Literal["nothing", "what is new", "everything"]


@dataclass(frozen=True, slots=True)
class Facts:
    """A session at one instant. All times are those of one clock, the ledger's."""

    now: datetime
    first_join_at: datetime | None = None
    empty_since: datetime | None = None
    """When the last participant had gone; None while somebody is there, and before anybody came."""
    end_reason: str | None = None
    """Why it is to end: nothing begins any more."""
    present: int | None = None
    """How many participants are in the room; None when nobody knows, and what was known last counts."""
    missing_since: datetime | None = None
    """Since when there has been no such room."""
    patience: float = 0.0
    """Seconds for which a room may be missing before the session is over."""
    wanted_at: datetime | None = None
    """When the latest of the outputs that are to run was asked for; None when none is."""
    automatic_is_new: bool = False
    """The settings have come to start something by themselves that they did not start before."""
    inactivity_timeout: float = 30.0
    """Seconds."""
    max_duration: float | None = None
    """Seconds from the first join; None and 0 are no limit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done, in this order."""

    first_join: bool = False
    """``first_join_at`` is now."""
    occupied: bool | None = None
    """Somebody is there, or (False) nobody any more: ``empty_since`` is None, or now. None leaves it as it is."""
    begin: Begin = "nothing"
    """Which of the automatic outputs to ask for. Those that run already are left alone."""
    stop: str | None = None
    """Stop everything that runs, for this reason."""
    end: str | None = None
    """End the session for this reason, and stop everything."""
    again_at: datetime | None = None
    """When time alone may call for the next decision."""


def decide(facts: Facts) -> Decision:
    """What is due now. Doing it and asking again changes nothing more."""
    if facts.end_reason is not None:
        return Decision(stop=facts.end_reason if facts.wanted_at is not None else None)
    timers: list[datetime] = []
    for due, reason in ((_gone_at(facts), ROOM_ENDED), (_ends_at(facts), MAX_DURATION)):
        if due is not None and facts.now >= due:
            return Decision(end=reason)
        if due is not None:
            timers.append(due)

    if facts.present:
        first_join = facts.first_join_at is None
        comes = first_join or facts.empty_since is not None
        begin: Begin = "everything" if comes else "what is new" if facts.automatic_is_new else "nothing"
        if first_join and facts.max_duration:
            timers.append(facts.now + timedelta(seconds=facts.max_duration))
        return Decision(
            first_join=first_join, occupied=True if comes else None, begin=begin, again_at=min(timers, default=None)
        )

    occupied_so_far = facts.first_join_at is not None and facts.empty_since is None
    if occupied_so_far and facts.present is None:
        begin = "what is new" if facts.automatic_is_new else "nothing"
        return Decision(begin=begin, again_at=min(timers, default=None))
    leaves = occupied_so_far and facts.present == 0
    occupied = False if leaves else None
    empty_since = facts.now if leaves else facts.empty_since
    if empty_since is not None and facts.wanted_at is not None:
        # What was asked for in an empty room waits as long for somebody as what was left alone there.
        due = max(empty_since, facts.wanted_at) + timedelta(seconds=facts.inactivity_timeout)
        if facts.now >= due:
            return Decision(occupied=occupied, stop=INACTIVITY, again_at=min(timers, default=None))
        timers.append(due)
    return Decision(occupied=occupied, again_at=min(timers, default=None))


def _ends_at(facts: Facts) -> datetime | None:
    if facts.first_join_at is None or not facts.max_duration:
        return None
    return facts.first_join_at + timedelta(seconds=facts.max_duration)


def _gone_at(facts: Facts) -> datetime | None:
    return None if facts.missing_since is None else facts.missing_since + timedelta(seconds=facts.patience)
