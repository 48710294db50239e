"""Whether a worker lives (its event loop turns) and whether it can take work."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import text

from workers.broker import BrokerError, reachable
from workers.ledger.database import Ledger, LedgerError
from workers.settings import Settings
from workers.status import AgentStatus

PULSE = 0.5
"""Seconds between two signs of life of the event loop."""
STUCK = 10.0
"""Seconds without one after which the loop is taken for stuck."""
LOOK = 3.0
"""Seconds between two looks at what the worker depends on."""
STALE = 30.0
"""Seconds after which the last look says nothing any more."""


@dataclass(frozen=True, slots=True)
class Check:
    """``text`` says what is wrong, or that nothing is."""

    ok: bool
    text: str


class Vitals:
    """What one worker tells of itself. Asked from any thread; answers come at once, from the last look."""

    def __init__(
        self, settings: Settings, ledger: Ledger, status: Callable[[], AgentStatus | None] = lambda: None
    ) -> None:
        self._settings, self._ledger, self._ask = settings, ledger, status
        self._beat: float | None = None
        self._looked = float("-inf")
        self._checks: dict[str, Check] = {}
        self._ended = threading.Event()
        self.status: AgentStatus | None = None
        """What the agent said of itself at the last pulse."""

    async def pulse(self) -> None:
        """Run on the worker's loop for as long as it lives."""
        while True:
            self.beat()
            await asyncio.sleep(PULSE)

    def beat(self) -> None:
        """One sign of life."""
        self.status = self._ask()
        self._beat = time.monotonic()

    def look(self) -> None:
        """Look at the ledger, the broker and the spool, again and again, until :meth:`end`; for a thread of its own."""
        while not self._ended.is_set():
            self.look_once()
            self._ended.wait(LOOK)

    def look_once(self) -> None:
        looks = {"ledger": self._look_at_ledger, "broker": self._look_at_broker, "spool": self._look_at_spool}
        self._checks = {name: _checked(look) for name, look in looks.items()}
        self._looked = time.monotonic()

    def end(self) -> None:
        self._ended.set()

    def alive(self) -> Check:
        if self._beat is None:
            return Check(True, "starting")
        silent = time.monotonic() - self._beat
        if silent > STUCK:
            return Check(False, f"the event loop stands still for {silent:.0f} s")
        return Check(True, "the event loop turns")

    def ready(self) -> dict[str, Check]:
        """Every condition for taking work, by name."""
        checks = {"loop": self.alive(), **self._checks}
        if self._beat is None:
            checks["loop"] = Check(False, "the worker is starting")
        if time.monotonic() - self._looked > STALE:
            checks["look"] = Check(False, "nothing is known of ledger, broker and spool for a while")
        if self.status is not None and self.status.draining:
            checks["draining"] = Check(False, "the worker is ending and takes nothing new")
        return checks

    def _look_at_ledger(self) -> Check:
        self._ledger.read(lambda tx: tx.execute(text("SELECT 1")).scalar_one())
        return Check(True, "answers")

    def _look_at_broker(self) -> Check:
        reachable(self._settings)
        return Check(True, "answers")

    def _look_at_spool(self) -> Check:
        folder = self._settings.spools
        free = shutil.disk_usage(folder if folder.exists() else self._settings.data_dir).free
        if free < self._settings.spool.min_free:
            return Check(False, f"{free // 10**6} MB are free, less than spool.min_free")
        return Check(True, f"{free / 1e9:.1f} GB are free")


def _checked(look: Callable[[], Check]) -> Check:
    try:
        return look()
    except (LedgerError, BrokerError, OSError) as error:
        return Check(False, str(error))
