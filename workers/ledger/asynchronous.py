"""The ledger for code on an event loop: transactions run in one thread, and wait out a ledger that is away."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import TypeVar

from sqlalchemy.orm import Session

from workers.ledger.database import Ledger, LedgerUnavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0


class AsyncLedger:
    """Runs functions of a transaction. A function may run more than once: only its last run is written."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="ledger")

    async def read(self, function: Callable[[Session], T]) -> T:
        return await self._run(self._ledger.reading, function)

    async def write(self, function: Callable[[Session], T]) -> T:
        return await self._run(self._ledger.writing, function)

    def close(self) -> None:
        self._thread.shutdown(wait=True)

    async def _run(
        self, transaction: Callable[[], AbstractContextManager[Session]], function: Callable[[Session], T]
    ) -> T:
        def run() -> T:
            with transaction() as tx:
                return function(tx)

        pause = _FIRST_PAUSE
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(self._thread, run)
            except LedgerUnavailable as error:
                log.error("%s; trying again in %.1f s", error, pause)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
