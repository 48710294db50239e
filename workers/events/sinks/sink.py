"""What every sink offers: it takes events, one at a time of each call, or says whether trying again may help."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way. ``id`` stays the same however often it is sent; ``payload`` is what is told."""

    id: str
    call_cid: str
    position: int
    payload: dict[str, Any]


class SinkError(Exception):
    """A sink did not take an event. The text is one sentence for people; ``attempts`` were made."""

    def __init__(self, message: str, attempts: int = 1) -> None:
        super().__init__(message)
        self.attempts = attempts


class NotTaken(SinkError):
    """Trying again may help, but not before ``retry_after`` seconds have passed."""

    def __init__(self, message: str, attempts: int = 1, retry_after: float = 0.0) -> None:
        super().__init__(message, attempts)
        self.retry_after = retry_after


class Refused(SinkError):
    """Trying again will not help."""


class Sink(Protocol):
    """Takes events, those of one call in order. May be called again with an event that it has."""

    name: str
    """The same in every worker and run, at most 255 characters, without secrets: the ledger keeps its place by it."""
    lanes: int
    """How many calls it takes events of at the same time."""

    def wants(self, event_type: str) -> bool:
        """Whether events of that type are sent here at all."""
        ...

    async def send(self, event: Envelope, attempts: int) -> None:
        """Send an event that ``attempts`` were made for before. Raises NotTaken or Refused."""
        ...

    async def close(self) -> None: ...
