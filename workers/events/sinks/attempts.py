"""How often an event is tried at once, and what comes after: pure rules, the hosted platforms' own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum


class Outcome(Enum):
    """How one request ended."""

    TAKEN = "taken"
    REFUSED = "refused"
    """Trying again will not help: an answer of the 3xx or 4xx kind, but for 408 and 429."""
    UNREACHABLE = "unreachable"
    BUSY = "busy"
    """An answer of 408, 429, or 500 and more."""
    TIMED_OUT = "timed out"

    @property
    def at_once(self) -> int:
        """How often an event is tried at once when a request for it ends so."""
        return {Outcome.UNREACHABLE: 2, Outcome.BUSY: 3, Outcome.TIMED_OUT: 3}.get(self, 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds."""

    request: float = 6.0
    """For one request, from the connection to the end of the answer."""
    together: float = 15.0
    """For all requests for an event that are made at once, with the pauses between them."""
    pause: float = 0.25
    """Between two of them."""
    longest_retry_after: float = 300.0
    """The most that an answer's ``Retry-After`` delays the next try."""


def outcome_of(status: int) -> Outcome:
    if 200 <= status < 300:
        return Outcome.TAKEN
    return Outcome.BUSY if status in (408, 429) or status >= 500 else Outcome.REFUSED


def pause_before_next(outcome: Outcome, made: int, passed: float, retry_after: float, limits: Limits) -> float | None:
    """Seconds until the next try at once, when ``made`` tries took ``passed`` seconds. None: no more of them."""
    if made >= outcome.at_once:
        return None
    pause = max(limits.pause, retry_after)
    # The last of three that time out has only what the first two left; a try of no time would be none.
    return pause if passed + pause + limits.request / 6 <= limits.together else None


def retry_after(headers: Mapping[str, str], now: datetime, limits: Limits) -> float:
    """Seconds that an answer asks to be left in peace, within bounds (RFC 9110, 10.2.3). 0 when it does not."""
    value = headers.get("retry-after", "").strip()
    if value.isdecimal():
        seconds = float(value[:9])
    else:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return 0.0
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds()
    return min(max(seconds, 0.0), limits.longest_retry_after)
