"""When to ask a sender for a key frame: at once, then ever more rarely while none comes, never in a storm."""

from __future__ import annotations

FIRST_INTERVAL = 0.5
MAX_INTERVAL = 4.0


class KeyframeRequests:
    """The cap on requests of one track, whoever asks and however often. Times are seconds."""

    def __init__(self) -> None:
        self.wanted = False
        self.sent = 0
        self._next = 0.0
        self._last = -FIRST_INTERVAL
        self._interval = FIRST_INTERVAL

    def want(self) -> None:
        self.wanted = True

    def arrived(self, now: float) -> None:
        """A key frame came: the wish is fulfilled, the next one may be told soon again."""
        self.wanted = False
        # What had been put off while none came must not put off the next wish.
        self._next = min(self._next, max(now, self._last + FIRST_INTERVAL))
        self._interval = FIRST_INTERVAL

    def due(self, now: float) -> bool:
        """Whether to send a request now; counts it as sent."""
        if not self.wanted or now < self._next:
            return False
        self._last = now
        self._next = now + self._interval
        self._interval = min(self._interval * 2, MAX_INTERVAL)
        self.sent += 1
        return True

    @property
    def next_due(self) -> float | None:
        return self._next if self.wanted else None
