"""Takes events out of the ledger to the sinks: in order of each call, at least once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from workers.events.sinks import Envelope, Sink, SinkError
from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import Event

log = logging.getLogger(__name__)

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0


class Relay:
    """One relay runs beside the agent. An event that a sink refuses holds back the later ones of its call only."""

    def __init__(self, ledger: AsyncLedger, sinks: Sequence[Sink], poll: float) -> None:
        self._ledger = ledger
        self._sinks = sinks
        self._poll = poll
        self._have: dict[str, set[str]] = {}
        """Which sinks have an event that others still refuse, by event id."""
        self._pauses: dict[str, tuple[float, float]] = {}

    async def run(self) -> None:
        while True:
            await self.relay()
            await asyncio.sleep(self._poll)

    async def relay(self) -> int:
        """Send what can be sent now; returns how many events every sink took."""
        loop = asyncio.get_running_loop()
        held: set[str] = set()
        sent: list[str] = []
        for event in await self._ledger.read(outbox.unsent):
            cid = event.call_cid
            if cid in held or self._pauses.get(cid, (0.0, 0.0))[0] > loop.time():
                held.add(cid)
                continue
            if await self._send(event):
                sent.append(event.id)
                self._pauses.pop(cid, None)
            else:
                held.add(cid)
                pause = min(2 * self._pauses.get(cid, (0.0, _FIRST_PAUSE / 2))[1], _LONGEST_PAUSE)
                self._pauses[cid] = (loop.time() + pause, pause)
        if sent:
            now = datetime.now(UTC)
            await self._ledger.write(lambda tx: outbox.mark_sent(tx, sent, now))
            for event_id in sent:
                self._have.pop(event_id, None)
        return len(sent)

    async def drained(self, timeout: float) -> bool:
        """Wait until every sink has everything."""
        deadline = asyncio.get_running_loop().time() + timeout
        while await self._ledger.read(lambda tx: outbox.unsent(tx, 1)):
            if asyncio.get_running_loop().time() > deadline:
                return False
            await asyncio.sleep(self._poll)
        return True

    async def _send(self, event: Event) -> bool:
        envelope = Envelope(event.id, event.call_cid, event.position, event.payload)
        have = self._have.setdefault(event.id, set())
        for sink in self._sinks:
            if sink.name in have:
                continue
            try:
                await asyncio.to_thread(sink.send, envelope)
            except SinkError as error:
                log.error("%s %s is held back: %s", event.type, event.id, error)
                return False
            have.add(sink.name)
        return True
