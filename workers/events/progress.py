"""What sinks have, written to the ledger: steps that come while one transaction runs go into the next one together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger


class Progress:
    def __init__(self, ledger: AsyncLedger, sinks: Sequence[str]) -> None:
        self._ledger = ledger
        self._sinks = sinks
        self._waiting: list[tuple[outbox.Step, asyncio.Future[None]]] = []
        self._come = asyncio.Event()

    async def write(self, *steps: outbox.Step) -> None:
        """Returns when they are written."""
        loop = asyncio.get_running_loop()
        written = [loop.create_future() for _ in steps]
        self._waiting += zip(steps, written, strict=True)
        self._come.set()
        await asyncio.gather(*written)

    async def run(self) -> None:
        while True:
            await self._come.wait()
            self._come.clear()
            await self._write_what_waits()

    async def finish(self) -> None:
        """Write what :meth:`run` had no time for any more. Writing a step twice changes nothing."""
        if self._waiting:
            await self._write_what_waits()

    async def _write_what_waits(self) -> None:
        batch, self._waiting = self._waiting, []
        steps = [step for step, _ in batch]
        try:
            await self._ledger.write(partial(outbox.advance, steps=steps, sinks=self._sinks, now=datetime.now(UTC)))
        except asyncio.CancelledError:
            self._waiting = batch + self._waiting
            raise
        for _, future in batch:
            if not future.done():
                future.set_result(None)
