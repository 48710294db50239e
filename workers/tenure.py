"""How a worker stands with the ledger: whether it was away, for how long, and when others' sessions may be taken."""

from __future__ import annotations

RENEWALS = 7
"""How often a lease is renewed within its time."""


class Tenure:
    """Times are seconds of one clock that never steps."""

    def __init__(self, lease: float, now: float) -> None:
        self.lease = lease
        self._reached = now
        # What was before our time is not known: others may have had no chance to renew.
        self._missed = now
        self._away = False

    @property
    def interval(self) -> float:
        """Seconds between renewals."""
        return self.lease / RENEWALS

    def reached(self, now: float) -> bool:
        """The ledger answered. True when it had not, the last time.

        After a silence of ours it may have been away for others as well.
        """
        if now - self._reached > self.lease / 2:
            self._missed = now
        self._reached = now
        away, self._away = self._away, False
        return away

    def missed(self, now: float) -> bool:
        """The ledger did not answer. True when it had, the last time."""
        self._missed = now
        away, self._away = self._away, True
        return not away

    def away(self, now: float) -> float:
        """Seconds since the ledger last answered."""
        return now - self._reached

    def may_take_over(self, now: float) -> bool:
        """Whether sessions whose lease has run out may be taken: their owners had time to renew first."""
        return now - self._missed >= self.lease / 3
