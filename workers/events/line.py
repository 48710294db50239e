"""The way of events to one sink: many calls at a time, the events of each in order, one behind the other."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from egress.logs import about
from workers.events.breaker import Breaker
from workers.events.progress import Progress
from workers.events.sinks.sink import Envelope, NotTaken, Refused, Sink
from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import Event

log = logging.getLogger(__name__)

PAGE = 20
"""Events of a call that are read at once, and sent before another call has its turn."""
LONGEST_QUEUE = 1000
"""Calls that wait for their turn; more of them stay in the ledger."""
MOST_PAUSES = 10_000
"""Calls that are remembered because they must wait; of more, the oldest are tried early."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a sink is waited for, in seconds."""

    keep_trying: float = 86_400.0
    """An event older than this becomes a dead letter when it is not taken…"""
    at_least: float = 600.0
    """…but not before it, or everything, was tried for so long: nothing may have run meanwhile."""
    first: float = 1.0
    """Before a call is tried again; each further pause is twice as long."""
    longest: float = 300.0
    longest_probe: float = 60.0
    """The longest pause of a sink that takes nothing from any call."""

    @property
    def least(self) -> float:
        return min(self.at_least, self.keep_trying)


@dataclass(frozen=True, slots=True)
class _Pause:
    until: float
    length: float
    since: float
    """When the event was first tried in vain."""


class Line:
    def __init__(
        self, sink: Sink, ledger: AsyncLedger, progress: Progress, patience: Patience, may_send: Callable[[], bool]
    ) -> None:
        self.sink = sink
        self._ledger = ledger
        self._progress = progress
        self._patience = patience
        self._may_send = may_send
        self._queue: deque[str] = deque()
        self._come = asyncio.Semaphore(0)
        self._busy: set[str] = set()
        """Calls that wait for their turn or have it."""
        self._sending: set[str] = set()
        self._pauses: dict[str, _Pause] = {}
        self._breaker = Breaker(patience.first, patience.longest_probe)
        self._probing = asyncio.Lock()
        self._last_error = ""
        self._buried_to = ""

    def offer(self, cid: str) -> None:
        """The sink lacks events of that call. Does nothing while they are under way or have to wait."""
        if cid in self._busy or len(self._queue) >= LONGEST_QUEUE:
            return
        pause = self._pauses.get(cid)
        if pause is not None and pause.until > _now():
            return
        self._busy.add(cid)
        self._queue.append(cid)
        self._come.release()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(self.sink.lanes):
                tasks.create_task(self._lane())

    async def bury_old(self) -> None:
        """Give up on what is too old while the sink is down and the few events that try it do not find it up."""
        down = self._breaker.down_since
        if down is None or _now() - down < self._patience.least:
            return
        before = datetime.now(UTC).timestamp() - self._patience.keep_trying
        name = self.sink.name
        old, self._buried_to = await self._ledger.read(
            partial(outbox.old, sink=name, before=datetime.fromtimestamp(before, UTC), behind=self._buried_to)
        )
        error = f"given up after {self._patience.keep_trying:g} s: {self._last_error}"
        steps = []
        for cid, page in old:
            if cid in self._sending:
                continue
            tried = [page.attempts, *(0 for _ in page.events[1:])]
            buried = [
                outbox.Buried(event.id, attempts, error)
                for event, attempts in zip(page.events, tried, strict=True)
                if self.sink.wants(event.type)
            ]
            steps.append(outbox.Step(cid, name, position=page.events[-1].position, buried=buried))
        if steps:
            await self._progress.write(*steps)
            log.error("%s: %d events are dead letters now, %s", name, sum(len(s.buried) for s in steps), error)

    async def _lane(self) -> None:
        while True:
            await self._come.acquire()
            cid = self._queue.popleft()
            try:
                with about(**({} if cid == outbox.NO_CALL else {"call_cid": cid})):
                    more = await self._turn(cid)
            finally:
                self._sending.discard(cid)
                self._busy.discard(cid)
            if more:
                self.offer(cid)

    async def _turn(self, cid: str) -> bool:
        if self._breaker.open:
            async with self._probing:
                if self._breaker.open:
                    await asyncio.sleep(self._breaker.due - _now())
                    return await self._deliver(cid)
        return await self._deliver(cid)

    async def _deliver(self, cid: str) -> bool:
        """Send a page of a call's events. Returns whether there is more that may be sent at once."""
        self._sending.add(cid)
        name = self.sink.name
        page = await self._ledger.read(lambda tx: outbox.page(tx, name, cid, PAGE))
        attempts, passed = page.attempts, None
        for event in page.events:
            if self.sink.wants(event.type):
                if not self._may_send():
                    return False
                fate = await self._send(event, attempts, event.created_at)
                if isinstance(fate, int):
                    await self._progress.write(outbox.Step(cid, name, position=passed, attempts=fate))
                    return False
                buried = () if fate is None else (fate,)
                await self._progress.write(outbox.Step(cid, name, position=event.position, buried=buried))
                passed, attempts = None, 0
            else:
                passed = event.position
        if passed is not None:
            await self._progress.write(outbox.Step(cid, name, position=passed))
        for again in page.again:
            if not self._may_send():
                return False
            fate = await self._send(again.event, again.attempts, again.since)
            if fate is None:
                await self._progress.write(outbox.Step(cid, name, resent=again.letter))
            elif isinstance(fate, int):
                await self._progress.write(outbox.Step(cid, name, tried_again=(again.letter, fate, None)))
                return False
            else:
                tried = (again.letter, fate.attempts, fate.error)
                await self._progress.write(outbox.Step(cid, name, tried_again=tried))
        if not page.events and not page.again:
            await self._progress.write(outbox.Step(cid))
            self._pause(cid, self._patience.first, _now())
        return len(page.events) + len(page.again) == PAGE

    async def _send(self, event: Event, attempts: int, since: datetime) -> outbox.Buried | int | None:
        """None when it is taken; what it is buried with; or how often it was tried by now."""
        cid = event.call_cid
        try:
            await self.sink.send(Envelope(event.id, cid, event.position, event.payload), attempts)
        except Refused as error:
            self._answered()
            self._pauses.pop(cid, None)
            log.error("%s will not take %s %s: %s", self.sink.name, event.type, event.id, error)
            return outbox.Buried(event.id, attempts + error.attempts, str(error))
        except NotTaken as error:
            return self._not_taken(event, attempts + error.attempts, since, error)
        self._answered()
        self._pauses.pop(cid, None)
        return None

    def _answered(self) -> None:
        if self._breaker.answered():
            log.warning("%s takes events again", self.sink.name)
            self._pauses.clear()

    def _not_taken(self, event: Event, attempts: int, since: datetime, error: NotTaken) -> outbox.Buried | int:
        now, cid = _now(), event.call_cid
        self._last_error = str(error)
        if self._breaker.failed(cid, now, error.retry_after):
            log.error("%s takes no events: %s", self.sink.name, error)
        last = self._pauses.get(cid)
        first = now if last is None else last.since
        down = self._breaker.down_since
        tried_for = now - min(first, now if down is None else down)
        age = (datetime.now(UTC) - since).total_seconds()
        if age > self._patience.keep_trying and tried_for >= self._patience.least:
            self._pauses.pop(cid, None)
            log.error("%s: %s %s is a dead letter now: %s", self.sink.name, event.type, event.id, error)
            return outbox.Buried(event.id, attempts, f"given up after {self._patience.keep_trying:g} s: {error}")
        length = self._patience.first if last is None else min(2 * last.length, self._patience.longest)
        self._pause(cid, max(length, error.retry_after), first, length)
        if last is None and not self._breaker.open:
            log.warning("%s %s waits: %s", event.type, event.id, error)
        return attempts

    def _pause(self, cid: str, seconds: float, since: float, length: float | None = None) -> None:
        self._pauses.pop(cid, None)
        self._pauses[cid] = _Pause(_now() + seconds, seconds if length is None else length, since)
        if len(self._pauses) > MOST_PAUSES:
            del self._pauses[next(iter(self._pauses))]


def _now() -> float:
    return asyncio.get_running_loop().time()
