"""How busy the machine was while something was measured on it: what is late on a full machine proves nothing."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

import psutil

INTERVAL = 0.2
FULL = 0.95
"""Share of all processors' time from which somebody must have waited."""


class Machine:
    """``async with Machine() as machine`` watches; ``machine.was_full(start, end)`` (seconds since 1970) tells."""

    def __init__(self) -> None:
        self._seen: list[tuple[float, float]] = []
        """When it was looked at, and the share of time that was used since the look before."""
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def was_full(self, start: float, end: float) -> bool:
        """Whether there was a moment between these two in which no processor was free."""
        return any(used >= FULL for at, used in self._seen if start <= at <= end + INTERVAL)

    def usage(self) -> float:
        """The mean share of time that was used."""
        return sum(used for _, used in self._seen) / max(1, len(self._seen))

    async def _watch(self) -> None:
        before = psutil.cpu_times()
        while True:
            await asyncio.sleep(INTERVAL)
            now = psutil.cpu_times()
            past = sum(now) - sum(before)
            free = now.idle + now.iowait - before.idle - before.iowait
            if past > 0:
                self._seen.append((time.time(), 1 - free / past))
            before = now
