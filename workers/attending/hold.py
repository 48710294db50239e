"""The right to command a session's attendant: it ends before anybody else can have the session."""

from __future__ import annotations

import asyncio

from workers.ledger.claims import LeaseLost

MARGIN = 0.1
"""The share of a lease that is given away, so that what is said in its last moment is heard within it, and clocks that
run at different rates do no harm."""


def until(sent: float, lease: float) -> float:
    """Until when a lease of ``lease`` seconds may be used that was asked for at ``sent``, on the caller's clock.

    The ledger counts from a moment after ``sent``, so the lease is over nowhere sooner than ``sent + lease``.
    """
    return sent + lease * (1 - MARGIN)


class Hold:
    """One epoch of one session. Times are those of the event loop's clock."""

    def __init__(self, session_id: str, epoch: int, until: float) -> None:
        self.session_id = session_id
        self.epoch = epoch
        self.until = until
        self.lost = asyncio.Event()
        """Set when another worker has the session."""
        self._extended = asyncio.Event()

    def extend(self, until: float) -> None:
        """The lease was renewed."""
        self.until = max(self.until, until)
        self._extended.set()

    def lose(self) -> None:
        self.lost.set()
        self._extended.set()

    @property
    def good(self) -> bool:
        """Whether nobody else can have the session yet."""
        return not self.lost.is_set() and asyncio.get_running_loop().time() < self.until

    async def wait(self) -> None:
        """Wait until commands may be given. Raises LeaseLost."""
        while not self.good:
            if self.lost.is_set():
                raise LeaseLost(f"session {self.session_id} is no longer ours")
            self._extended.clear()
            await self._extended.wait()
