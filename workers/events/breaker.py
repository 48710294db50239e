"""Whether a sink takes anything at all: when several calls fail in a row, one at a time tries whether it is back."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Breaker:
    """Times are seconds of one monotonic clock."""

    first: float = 1.0
    longest: float = 60.0
    """The longest pause between two tries of a sink that is down."""
    calls: int = 3
    """So many calls in a row, each without success, open it."""
    open: bool = False
    due: float = 0.0
    """When the next try is, while it is open."""
    down_since: float | None = None
    """When the first of the failures in a row was."""
    _failed: set[str] = field(default_factory=set)
    _pause: float = 0.0

    def failed(self, call: str, now: float, retry_after: float = 0.0) -> bool:
        """Returns whether this failure opened it."""
        self._failed.add(call)
        if self.down_since is None:
            self.down_since = now
        opened = not self.open and len(self._failed) >= self.calls
        if self.open or opened:
            self._failed.clear()
            self.open = True
            self._pause = min(2 * self._pause, self.longest) if self._pause else self.first
            self.due = now + max(self._pause, retry_after)
        return opened

    def answered(self) -> bool:
        """It took an event, or refused one for good. Returns whether this closed it."""
        closed, self.open = self.open, False
        self._failed.clear()
        self.down_since, self._pause = None, 0.0
        return closed
