"""The relay: events in order of each call, whatever the sinks do."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from workers.events.relay import Relay
from workers.events.sinks import Envelope, FileSink, SinkError, StreamSink
from workers.ledger import outbox
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger

NOW = datetime(2025, 2, 10, tzinfo=UTC)


class Fickle:
    """Refuses the events of one call as long as it is told to."""

    name = "fickle"

    def __init__(self, refuses: str | None = None) -> None:
        self.refuses = refuses
        self.got: list[Envelope] = []

    def send(self, event: Envelope) -> None:
        if event.call_cid == self.refuses:
            raise SinkError("not now")
        self.got.append(event)


@pytest.fixture
def shared(ledger: Ledger) -> Iterator[AsyncLedger]:
    one = AsyncLedger(ledger)
    yield one
    one.close()


def put(ledger: Ledger, cid: str, number: int) -> None:
    with ledger.writing() as tx:
        outbox.put(tx, {"type": "call.test", "call_cid": cid, "number": number}, NOW)


async def test_every_sink_gets_every_event_in_order(ledger: Ledger, shared: AsyncLedger, tmp_path: Path) -> None:
    stream = io.StringIO()
    relay = Relay(shared, [FileSink(tmp_path / "deep/er/events.jsonl"), StreamSink(stream)], 0.1)
    for number in range(5):
        put(ledger, "a:1", number)
    assert await relay.relay() == 5
    assert await relay.relay() == 0
    lines = (tmp_path / "deep/er/events.jsonl").read_text().splitlines()
    assert lines == stream.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"type": "call.test", "call_cid": "a:1", "number": n} for n in range(5)
    ]
    assert await relay.drained(1.0)


async def test_a_refused_event_holds_back_its_own_call_only(ledger: Ledger, shared: AsyncLedger) -> None:
    fickle, steady = Fickle("a:1"), Fickle()
    steady.name = "steady"
    relay = Relay(shared, [steady, fickle], 0.1)
    for number in range(3):
        put(ledger, "a:1", number)
        put(ledger, "b:2", number)
    assert await relay.relay() == 3
    assert [(e.call_cid, e.position) for e in fickle.got] == [("b:2", 1), ("b:2", 2), ("b:2", 3)]

    fickle.refuses = None
    relay._pauses.clear()
    assert await relay.relay() == 3
    assert [e.payload["number"] for e in fickle.got if e.call_cid == "a:1"] == [0, 1, 2]
    # The sink that had the first one already did not get it again.
    assert [e.payload["number"] for e in steady.got if e.call_cid == "a:1"] == [0, 1, 2]


async def test_an_event_keeps_its_id_however_often_it_is_sent(ledger: Ledger, shared: AsyncLedger) -> None:
    put(ledger, "a:1", 1)
    first, second = Fickle(), Fickle()
    await Relay(shared, [first], 0.1).relay()
    with ledger.writing() as tx:
        event = outbox.after(tx, 0)[0]
        event.sent_at = None  # as if we had died before it was marked
    await Relay(shared, [second], 0.1).relay()
    assert first.got == second.got


def test_a_file_that_cannot_be_written_is_a_reason_to_try_again(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written"):
        FileSink(tmp_path).send(Envelope("i", "a:1", 1, {}))
