"""What a worker's log never holds, though libraries would write it."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker
from dramatiq.middleware import CurrentMessage

from egress.sealing import Keyring, new_key
from workers import actors
from workers.ledger.database import Ledger
from workers.observing import logs
from workers.settings import Settings

PIN = "open-sesame-4711"


@pytest.mark.parametrize("level", [logging.INFO, logging.DEBUG])
def test_a_message_that_meets_no_ledger_is_logged_by_its_name_and_not_with_what_opens_the_room(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], level: int
) -> None:
    # Given a worker whose ledger is away for longer than a message may take
    key = new_key()
    settings = Settings.model_validate(
        {
            "data_dir": str(tmp_path),
            "ledger": {"url": "postgresql://nobody:nothing@127.0.0.1:1/none"},
            "broker": {"url": "memory:", "time_limit": 1},
            "secrets": {"keys": [key]},
        }
    )
    logs.configure(settings, level)
    ledger = Ledger(settings.ledger_url, Keyring([key]))
    broker = StubBroker()
    broker.add_middleware(CurrentMessage())
    actors.declare(broker, ledger, settings)
    worker = dramatiq.Worker(broker, worker_threads=1)
    # When a message comes in the clear, with the room's pin
    address = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1, "pin": PIN}
    payload = {"call_cid": "default:a", "connector": address}
    message = dramatiq.Message(
        queue_name=settings.broker.queue, actor_name="start_recording", args=(payload,), kwargs={}, options={}
    )
    worker.start()
    broker.enqueue(message)
    said = ""
    deadline = time.monotonic() + 20
    while "Failed to process" not in said and time.monotonic() < deadline:
        time.sleep(0.1)
        said += capfd.readouterr().err
    worker.stop()
    ledger.close()
    said += capfd.readouterr().err
    # Then its failure is told by name and id
    assert f"Failed to process message start_recording {message.message_id}" in said
    assert PIN not in said
