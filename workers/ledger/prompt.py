"""The ledger for a loop that has to go on without it: one attempt, in a thread of its own, and its failure is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from sqlalchemy.orm import Session

from workers.ledger.database import Ledger

T = TypeVar("T")


class PromptLedger:
    """Beside an :class:`AsyncLedger`: what is urgent waits for nothing that is not. Raises LedgerUnavailable."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="prompt-ledger")

    async def read(self, function: Callable[[Session], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ledger.read, function)

    async def write(self, function: Callable[[Session], T]) -> T:
        urgent = partial(self._ledger.write, function, urgent=True)
        return await asyncio.get_running_loop().run_in_executor(self._thread, urgent)

    def close(self) -> None:
        self._thread.shutdown(wait=True)
