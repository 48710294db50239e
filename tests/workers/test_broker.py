"""Messages by way of a broker: inside the process, a real Redis, a real RabbitMQ."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from sqlalchemy import select

from tests.rig.servers.server import free_port
from tests.workers.conftest import CALL, CONNECTOR, make_settings
from workers import actors, broker
from workers.keyring import keyring
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.ledger.tables import Egress, Event
from workers.settings import Settings


def wait_for(condition: Callable[[], bool], timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


class Queue:
    """A consuming worker on a broker, its ledger, and a way to send."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings))
        self.ledger.upgrade()
        self.broker = broker.connect(settings)
        self.actors = actors.declare(self.broker, self.ledger, settings)
        self.worker = dramatiq.Worker(self.broker, worker_threads=2, worker_timeout=100)
        self.worker.start()

    def send(self, message_type: str, payload: Any) -> str:
        return broker.send(self.broker, self.settings.broker.queue, message_type, payload)

    def egresses(self) -> list[Egress]:
        with self.ledger.reading() as tx:
            return list(tx.scalars(select(Egress).order_by(Egress.created_at)))

    def events(self) -> list[dict[str, Any]]:
        with self.ledger.reading() as tx:
            return [event.payload for event in tx.scalars(select(Event).order_by(Event.seq))]

    def close(self) -> None:
        self.worker.stop()
        self.broker.close()
        self.ledger.close()


@pytest.fixture(params=["memory", "redis", "rabbitmq"])
def queue(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Queue]:
    url = "memory:" if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")
    one = Queue(make_settings(tmp_path, broker={"url": url, "queue": f"q{tmp_path.name[-20:]}"}))
    yield one
    one.close()


def test_a_start_and_a_stop_become_wishes(queue: Queue) -> None:
    queue.send("start_recording", {"call_cid": CALL, "connector": CONNECTOR, "egress_id": "mine"})
    wait_for(lambda: len(queue.egresses()) == 1, 10)
    (egress,) = queue.egresses()
    assert (egress.id, egress.state, egress.desired) == ("mine", "pending", "run")
    assert egress.spec["quality"] == "720p"
    assert egress.spec["video"]["max_bitrate"] == 1_300_000
    queue.send("stop_recording", {"call_cid": CALL})
    wait_for(lambda: queue.egresses()[0].desired == "stop", 10)


def test_bad_messages_are_told_once_and_the_worker_lives(queue: Queue) -> None:
    queue.send("start_recording", {"call_cid": CALL, "connector": {"type": "zoom"}})
    queue.send("start_recording", {"nobody": "knows which call"})
    queue.send("start_recording", [1, 2, 3])
    queue.send("start_recording", {"call_cid": CALL, "connector": CONNECTOR})
    wait_for(lambda: len(queue.egresses()) == 1 and len(queue.events()) == 1, 10)
    time.sleep(0.5)
    (event,) = queue.events()
    assert event["type"] == "call.recording_failed"
    assert event["error_code"] == "bad_message"
    assert event["error"].startswith("connector.type: 'zoom' is no connector")
    assert set(event) == {
        "type",
        "created_at",
        "call_cid",
        "egress_id",
        "recording_type",
        "error",
        "error_code",
    }


def test_a_message_delivered_twice_is_carried_out_once(queue: Queue) -> None:
    payload = {"call_cid": CALL, "connector": CONNECTOR}
    message: dramatiq.Message[None] = queue.actors["start_recording"].message(payload)
    bad: dramatiq.Message[None] = queue.actors["start_recording"].message({**payload, "connector": {}})
    for one in (message, message, bad, bad):
        queue.broker.enqueue(one)
    wait_for(lambda: len(queue.egresses()) == 1 and len(queue.events()) == 1, 10)
    time.sleep(0.5)
    assert len(queue.egresses()) == 1 and len(queue.events()) == 1


def test_a_ledger_that_is_away_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Queue(make_settings(tmp_path))
    failures = iter([LedgerUnavailable("away"), LedgerUnavailable("away")])
    real = actors.carry_out

    def flaky(*args: Any) -> Any:
        for failure in failures:
            raise failure
        return real(*args)

    monkeypatch.setattr(actors, "carry_out", flaky)
    one.send("start_recording", {"call_cid": CALL, "connector": CONNECTOR})
    wait_for(lambda: len(one.egresses()) == 1, 15)
    one.close()


def test_keyword_arguments_are_a_payload_too(tmp_path: Path) -> None:
    one = Queue(make_settings(tmp_path))
    one.actors["start_recording"].send(call_cid=CALL, connector=CONNECTOR)
    wait_for(lambda: len(one.egresses()) == 1, 10)
    one.close()


def test_a_broker_that_is_away_is_one_sentence_without_its_password(tmp_path: Path) -> None:
    port = free_port()
    for url in (f"redis://me:hushhush@127.0.0.1:{port}/0", f"amqp://me:hushhush@127.0.0.1:{port}/"):
        settings = make_settings(tmp_path, broker={"url": url})
        with pytest.raises(broker.BrokerError) as caught:
            broker.reachable(settings)
        assert "hushhush" not in str(caught.value) and "me:***@" in str(caught.value)
        assert "hushhush" not in repr(settings)
