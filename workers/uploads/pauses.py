"""When a store or a file that failed is tried again: after 1 s, then ever later, up to a minute."""

from __future__ import annotations

FIRST, LONGEST = 1.0, 60.0


class Pauses:
    """Times are of any steady clock, in seconds."""

    def __init__(self, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._next = first
        self._until = float("-inf")
        self.failing = False

    def over(self, now: float) -> bool:
        return now >= self._until

    def failed(self, now: float, *, hopeless: bool = False) -> float:
        """Seconds until the next attempt. What somebody must first change is tried rarely from the start."""
        if hopeless:
            self._next = self._longest
        pause = self._next
        # Failures of attempts that ran side by side are one failure.
        if not self.failing or self.over(now):
            self._until = now + pause
            self._next = min(2 * pause, self._longest)
        self.failing = True
        return max(0.0, self._until - now)

    def succeeded(self) -> None:
        self._next = self._first
        self._until = float("-inf")
        self.failing = False
