"""The ledger for code on an event loop: transactions run in one thread, and wait out a ledger that is away."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy.orm import Session

from workers.ledger.database import Ledger, LedgerUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE, _PAUSE, _LATE_PAUSE = 0.1, 1.0, 5.0
"""Seconds between attempts: the first, those of the first minutes, and after them."""
_LATE = 120.0
_SAY_AGAIN = 15.0
"""Seconds between two lines of log about a ledger that is still away."""


class AsyncLedger:
    """Runs functions of a transaction. A function may run more than once: only its last run is written."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def read(self, function: Callable[[Session], T]) -> T:
        return await self._run(self._ledger.read, function)

    async def write(self, function: Callable[[Session], T]) -> T:
        return await self._run(self._ledger.write, function)

    def listen(self, on_events: Callable[[], None]) -> Callable[[], None]:
        """Call ``on_events`` on this loop when this process has written events; returns what ends that."""
        loop = asyncio.get_running_loop()

        def tell() -> None:
            # A thread may still write while the loop ends.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(on_events)

        return self._ledger.listen(tell)

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    async def _run(self, transaction: Callable[[Callable[[Session], T]], T], function: Callable[[Session], T]) -> T:
        loop = asyncio.get_running_loop()
        since, said, pause = loop.time(), float("-inf"), _FIRST_PAUSE
        while True:
            try:
                return await loop.run_in_executor(self._thread, transaction, function)
            except LedgerUnavailable as error:
                if loop.time() - said >= _SAY_AGAIN:
                    said = loop.time()
                    log.error("%s; trying again", error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _PAUSE if loop.time() - since < _LATE else _LATE_PAUSE)
