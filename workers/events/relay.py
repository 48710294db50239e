"""Takes events out of the ledger to the sinks, in one worker at a time: in order of each call, at least once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

from workers.events.line import Line, Patience
from workers.events.progress import Progress
from workers.events.sinks.sink import Sink
from workers.ledger import dead_letters, leases, outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.settings import Settings

log = logging.getLogger(__name__)

LEASE = "relay"
CALLS = 1000
"""Calls that are looked at in one go."""
MANY = 100
"""Calls that have something for a sink from which on looking for them is made rarer."""
SAFE = 0.9
"""Part of the lease after which sending ends when it could not be renewed: before anybody else can hold it."""
RENEWALS = 4
"""How often the lease is renewed within its time."""
CLEARING = 2.0
"""Seconds between two looks for what is too old to be tried on."""
LAST_WORDS = 2.0
"""Seconds to write down what was sent, and then to free the lease, when a relay ends."""
PRUNING = 60.0
"""Seconds between two looks for what was delivered long ago."""
PRUNED = 500
"""Rows that are forgotten in one transaction."""


class _LeaseLost(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Rules:
    """Seconds, but for ``owner``: who holds the lease."""

    owner: str
    poll: float = 0.1
    lease: float = 20.0
    keep: float = 2_592_000.0
    patience: Patience = field(default_factory=Patience)

    @classmethod
    def of(cls, settings: Settings) -> Rules:
        events = settings.events
        patience = Patience(keep_trying=events.keep_trying)
        return cls(settings.owner, settings.agent.poll, events.lease, events.keep, patience)


class Relay:
    """One runs in each worker; the one that holds the lease sends, the others wait for it to be gone.

    A sink that takes nothing delays no other sink, and an event that is not taken holds back only the later ones of
    its call. ``ledger`` should be one of its own, so that nothing else waits behind what is read here.
    """

    def __init__(self, ledger: AsyncLedger, sinks: Sequence[Sink], rules: Rules) -> None:
        self._ledger = ledger
        self._sinks = list(sinks)
        self._names = [sink.name for sink in sinks]
        self._rules = rules
        self._safe_until = 0.0

    @property
    def sends(self) -> bool:
        """Whether this relay holds the lease."""
        return time.monotonic() < self._safe_until

    async def run(self) -> None:
        """Runs until it is cancelled; the lease is free at once then."""
        try:
            while True:
                if await self._claim():
                    try:
                        await self._hold()
                    except* _LeaseLost:
                        log.warning("another worker may relay events now: the lease could not be renewed in time")
                await asyncio.sleep(min(1.0, self._rules.lease / 8))
        finally:
            await self._let_go()

    async def drained(self, timeout: float) -> bool:
        """Wait until every sink has everything, when it is this relay's task. Returns whether that is so."""
        deadline = time.monotonic() + timeout
        while self.sends and await self._ledger.read(outbox.waiting):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(self._rules.poll)
        return True

    async def _claim(self) -> bool:
        """Try to take the lease, or to hold it longer. A ledger that is away is waited for."""
        rules = self._rules
        if not self.sends and not await self._ledger.read(lambda tx: leases.free(tx, LEASE, rules.owner)):
            return False
        while True:
            began = time.monotonic()
            held = await self._ledger.write(lambda tx: leases.claim(tx, LEASE, rules.owner, rules.lease))
            if not held:
                self._safe_until = 0.0
                return False
            # The lease runs from some moment after ``began``; an answer that took too long is asked for again.
            if time.monotonic() < began + SAFE * rules.lease:
                self._safe_until = began + SAFE * rules.lease
                return True

    async def _hold(self) -> None:
        """Send while the lease is ours. Raises _LeaseLost in a group."""
        progress = Progress(self._ledger, self._names)
        patience = self._rules.patience
        lines = [Line(sink, self._ledger, progress, patience, lambda: self.sends) for sink in self._sinks]
        await self._ledger.write(dead_letters.remind)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._renew())
                tasks.create_task(progress.run())
                tasks.create_task(self._look(lines, progress))
                tasks.create_task(self._clear(lines))
                for line in lines:
                    tasks.create_task(line.run())
        finally:
            # What was taken while we were told to end is written all the same: nobody needs to send it again.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await progress.finish()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(self._rules.lease / RENEWALS)
            try:
                async with asyncio.timeout(max(0.0, self._safe_until - time.monotonic())):
                    held = await self._claim()
            except TimeoutError:
                held = False
            if not held:
                self._safe_until = 0.0
                raise _LeaseLost

    async def _look(self, lines: list[Line], progress: Progress) -> None:
        """Tell each line which calls have something for it: soon when this process wrote it, else at the next poll."""
        news = asyncio.Event()
        unlisten = self._ledger.listen(news.set)
        try:
            await self._look_again(lines, progress, news)
        finally:
            unlisten()

    async def _look_again(self, lines: list[Line], progress: Progress, news: asyncio.Event) -> None:
        by_name = {line.sink.name: line for line in lines}
        behind = ""
        while True:
            began = time.monotonic()
            news.clear()
            found = await self._ledger.read(partial(outbox.untold, sinks=self._names, behind=behind, limit=CALLS))
            behind = found[-1].cid if len(found) == CALLS else ""
            for call in found:
                for name in call.lacking:
                    by_name[name].offer(call.cid)
            unmarked = [outbox.Step(call.cid) for call in found if not call.lacking]
            if unmarked:
                await progress.write(*unmarked)
            # Where very many calls wait for a sink, looking takes at most a tenth of the time.
            rest, poll = 9 * (time.monotonic() - began), self._rules.poll
            await asyncio.sleep(rest if len(found) > MANY else min(rest, poll))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, poll - rest)):
                    await news.wait()

    async def _clear(self, lines: list[Line]) -> None:
        """Give up on what is too old, and forget what was delivered long ago."""
        pause, prune_at = min(CLEARING, self._rules.patience.least), 0.0
        while True:
            for line in lines:
                await line.bury_old()
            if time.monotonic() >= prune_at:
                prune = partial(dead_letters.prune, now=datetime.now(UTC), keep=self._rules.keep, limit=PRUNED)
                if await self._ledger.write(prune) < PRUNED:
                    prune_at = time.monotonic() + PRUNING
            await asyncio.sleep(pause)

    async def _let_go(self) -> None:
        if self.sends:
            self._safe_until = 0.0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_WORDS):
                    await self._ledger.write(lambda tx: leases.release(tx, LEASE, self._rules.owner))
        for sink in self._sinks:
            await sink.close()
