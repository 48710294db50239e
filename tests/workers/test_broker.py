"""Messages by way of a broker: inside the process, a real Redis, a real RabbitMQ."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dramatiq
import pika  # type: ignore[import-untyped]
import pytest
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import select

from tests.rig.servers.server import free_port
from tests.workers.conftest import CALL, CONNECTOR, make_settings
from workers import actors, broker
from workers.carry_out import carry_out
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
        self.ledger = Ledger(settings.ledger_url, keyring(settings), settings.ledger.busy_timeout)
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
    real = carry_out

    def flaky(*args: Any) -> Any:
        for failure in failures:
            raise failure
        return real(*args)

    monkeypatch.setattr(actors, "carry_out", flaky)
    one.send("start_recording", {"call_cid": CALL, "connector": CONNECTOR})
    wait_for(lambda: len(one.egresses()) == 1, 15)
    one.close()


def test_messages_that_meet_a_locked_ledger_are_all_carried_out_in_the_end(tmp_path: Path, redis_url: str) -> None:
    # A message may take one second here: half of it is waited, then it is given back and comes again.
    settings = make_settings(
        tmp_path,
        ledger={"busy_timeout": 0.1},
        broker={"url": redis_url, "queue": f"q{tmp_path.name[-20:]}", "time_limit": 1.0},
    )
    one = Queue(settings)
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(6):
            cid = f"default:c{number}"
            one.send("start_recording", {"call_cid": cid, "connector": CONNECTOR, "egress_id": f"e{number}"})
            time.sleep(0.01)
            one.send("stop_recording", {"call_cid": cid, "request_id": "r"})
        time.sleep(3)
        other.execute("ROLLBACK")
    wait_for(lambda: len([e for e in one.events() if e["type"] == "egress.request_answered"]) == 6, 60)
    wait_for(lambda: len(one.egresses()) == 6, 60)
    # Whatever was taken first: all are stopped, those that came after their stop without ever having begun.
    assert {e.desired for e in one.egresses()} == {"stop"}
    aborted = {e.call_cid for e in one.egresses() if e.state == "aborted"}
    assert {e["call_cid"] for e in one.events() if e["type"] == "call.recording_failed"} == aborted
    assert isinstance(one.broker, RedisBroker)
    assert one.broker.client.zcard(f"dramatiq:{settings.broker.queue}.XQ") == 0
    one.close()


def test_a_message_that_waits_for_the_ledger_is_given_back_when_the_worker_ends(
    tmp_path: Path, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path, broker={"url": redis_url, "queue": f"q{tmp_path.name[-20:]}"})
    real, tries = carry_out, threading.Event()

    def away(*args: Any) -> Any:
        tries.set()
        raise LedgerUnavailable("away")

    monkeypatch.setattr(actors, "carry_out", away)
    first = Queue(settings)
    first.send("start_recording", {"call_cid": CALL, "connector": CONNECTOR, "egress_id": "kept"})
    assert tries.wait(10)
    began = time.monotonic()
    first.close()
    assert time.monotonic() - began < 5, "it waited for the ledger, not for the end"
    monkeypatch.setattr(actors, "carry_out", real)
    second = Queue(settings)
    wait_for(lambda: [e.id for e in second.egresses()] == ["kept"], 30)
    second.close()


def test_a_plain_node_script_enqueues(tmp_path: Path, redis_url: str) -> None:
    node = shutil.which("node")
    assert node is not None, "node is not installed"
    script = Path(__file__).parents[2] / "docs" / "examples" / "enqueue-redis.mjs"
    one = Queue(make_settings(tmp_path, broker={"url": redis_url, "queue": f"q{tmp_path.name[-20:]}"}))
    sent_ids = []
    messages: list[tuple[str, dict[str, Any]]] = [
        ("start_recording", {"connector": CONNECTOR, "egress_id": "von-Node", "request_id": "für dich 🌼"}),
        ("stop_recording", {"egress_id": "von-Node"}),
    ]
    for type_, fields in messages:
        payload = json.dumps({"call_cid": CALL, **fields}, ensure_ascii=False)
        command = [node, str(script), redis_url, type_, payload, one.settings.broker.queue]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        sent_ids.append(done.stdout.strip())
    assert len(set(sent_ids)) == 2
    wait_for(lambda: [(e.id, e.desired) for e in one.egresses()] == [("von-Node", "stop")], 10)
    (answer,) = one.events()
    assert (answer["request_id"], answer["ok"]) == ("für dich 🌼", True)
    with one.ledger.reading() as tx:
        asked = tx.get_one(Egress, "von-Node").asked_ms
    assert asked is not None and abs(asked / 1000 - time.time()) < 60
    one.close()


def test_a_message_published_by_hand_on_rabbitmq_is_carried_out(tmp_path: Path, rabbitmq_url: str) -> None:
    queue = f"q{tmp_path.name[-20:]}"
    envelope = {
        "queue_name": queue,
        "actor_name": "start_recording",
        "args": [{"call_cid": CALL, "connector": CONNECTOR, "egress_id": "by-hand"}],
        "kwargs": {},
        "options": {},
        "message_id": str(uuid.uuid4()),
        "message_timestamp": int(time.time() * 1000),
    }
    with contextlib.closing(pika.BlockingConnection(pika.URLParameters(rabbitmq_url))) as connection:
        channel = connection.channel()
        arguments = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": f"{queue}.XQ"}
        channel.queue_declare(queue=queue, durable=True, arguments=arguments)
        properties = pika.BasicProperties(delivery_mode=2)
        channel.basic_publish("", queue, json.dumps(envelope).encode(), properties)
    one = Queue(make_settings(tmp_path, broker={"url": rabbitmq_url, "queue": queue}))
    wait_for(lambda: [e.id for e in one.egresses()] == ["by-hand"], 20)
    one.close()


def test_what_could_not_be_carried_out_is_forgotten_after_an_hour(tmp_path: Path, rabbitmq_url: str) -> None:
    name = f"q{tmp_path.name[-20:]}"
    older = RabbitmqBroker(url=rabbitmq_url)
    older.declare_queue(name, ensure=True)
    older.close()
    ours = broker.connect(make_settings(tmp_path, broker={"url": rabbitmq_url, "queue": name}))
    assert isinstance(ours, RabbitmqBroker)
    ours.declare_queue(name, ensure=True)
    # RabbitMQ refuses to declare a queue again with other arguments.
    ours.channel.queue_declare(queue=f"{name}.XQ", durable=True, arguments={"x-message-ttl": 3_600_000})
    ours.close()
    redis = broker.connect(make_settings(tmp_path, broker={"url": "redis://127.0.0.1:1/0"}))
    assert isinstance(redis, RedisBroker) and redis.dead_message_ttl == 3_600_000


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
