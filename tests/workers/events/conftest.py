"""A ledger, relays on it, and sinks that tests can make fail."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from pydantic import SecretStr
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from egress.url_guard import Guard
from tests.rig.servers.hooks import HookReceiver
from workers.events.line import Patience
from workers.events.relay import Relay, Rules
from workers.events.sinks import Envelope, NotTaken, Refused, Sink
from workers.events.sinks.attempts import Limits
from workers.events.sinks.webhook import WebhookSink
from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, DeadLetter, Event
from workers.settings.hooks import Webhook

HERE = Guard(allow=["127.0.0.0/8"])
QUICK = Limits(request=0.4, together=1.0, pause=0.02, longest_retry_after=0.5)
"""The rules of immediate attempts, fifteen times as fast."""
HURRY = Patience(first=0.05, longest=0.4, longest_probe=0.2)
RULES = Rules("tester", poll=0.02, lease=20.0, patience=HURRY)


class Fickle:
    """Keeps what it takes; ``decide`` says what becomes of an event by raising or not."""

    def __init__(self, name: str = "fickle", lanes: int = 4) -> None:
        self.name = name
        self.lanes = lanes
        self.got: list[Envelope] = []
        self.tries: list[tuple[str, int]] = []
        """Event ids with the attempts made before."""
        self.decide: Callable[[Envelope], None] = lambda event: None
        self.takes_time = 0.0
        self.cancelled = 0

    def wants(self, event_type: str) -> bool:
        return event_type != "call.unwanted"

    async def send(self, event: Envelope, attempts: int) -> None:
        self.tries.append((event.id, attempts))
        try:
            await asyncio.sleep(self.takes_time)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.decide(event)
        self.got.append(event)

    async def close(self) -> None:
        pass

    def numbers(self, cid: str) -> list[int]:
        return [event.payload["number"] for event in self.got if event.call_cid == cid]


class CutOff(AsyncLedger):
    """A ledger that can be out of reach for whoever writes: while ``back`` is not set."""

    def __init__(self, ledger: Ledger) -> None:
        super().__init__(ledger)
        self.back = asyncio.Event()
        self.back.set()

    async def write(self, function: Callable[[Session], Any]) -> Any:
        await self.back.wait()
        return await super().write(function)


def not_now(event: Envelope) -> None:
    raise NotTaken("not now")


def never(event: Envelope) -> None:
    raise Refused("never")


def hook_sink(hook: HookReceiver, name: str | None = None, limits: Limits = QUICK, **fields: Any) -> WebhookSink:
    settings = Webhook(url=SecretStr(hook.url), name=name, api_key="key-1", secret=SecretStr(hook.secret), **fields)
    return WebhookSink(settings, HERE, limits)


def put(ledger: Ledger, cid: str, *numbers: int, type_: str = "call.test", at: datetime | None = None) -> list[str]:
    def write(tx: Session) -> list[str]:
        return [
            outbox.put(tx, {"type": type_, "call_cid": cid, "number": n}, at or datetime.now(UTC)).id for n in numbers
        ]

    return ledger.write(write)


def put_many(ledger: Ledger, cid: str, count: int) -> None:
    """A quick way to put the first events of a call."""

    def write(tx: Session) -> None:
        outbox.know_call(tx, cid, datetime.now(UTC))
        rows = [
            {
                "id": str(uuid.uuid4()),
                "call_cid": cid,
                "position": number + 1,
                "type": "call.test",
                "payload": {"type": "call.test", "call_cid": cid, "number": number},
                "created_at": datetime.now(UTC),
            }
            for number in range(count)
        ]
        tx.execute(insert(Event), rows)
        tx.execute(update(Call).where(Call.cid == cid).values(events=count, untold=True))

    ledger.write(write)


def events(ledger: Ledger) -> Sequence[Event]:
    with ledger.reading() as tx:
        return outbox.after(tx, 0, limit=100_000)


def unsent(ledger: Ledger) -> bool:
    with ledger.reading() as tx:
        return tx.scalar(select(Event.seq).where(Event.sent_at.is_(None)).limit(1)) is not None


def dead(ledger: Ledger) -> list[DeadLetter]:
    with ledger.reading() as tx:
        return list(tx.query(DeadLetter).order_by(DeadLetter.id))


def deaths(ledger: Ledger) -> int:
    with ledger.reading() as tx:
        return tx.scalar(select(func.count()).select_from(DeadLetter)) or 0


async def until(condition: Callable[[], bool], timeout: float = 30.0) -> float:
    """Seconds that it took."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    while not condition():
        assert loop.time() - began < timeout, f"did not happen within {timeout} s"
        await asyncio.sleep(0.01)
    return loop.time() - began


@contextlib.asynccontextmanager
async def relaying(
    ledger: Ledger, sinks: Sequence[Sink], rules: Rules = RULES, shared: AsyncLedger | None = None
) -> AsyncIterator[Relay]:
    shared = shared or AsyncLedger(ledger)
    relay = Relay(shared, sinks, rules)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
        assert not task.done(), task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        shared.close()
