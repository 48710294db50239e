"""Ten thousand messages through a real Redis to two worker processes that share a real PostgreSQL.

What is sent changes calls and asks for what is refused, so that nobody has to attend ten thousand calls: of each five
messages three are ``update_call`` (settings of 6,000 calls), one a ``start_recording`` of a call whose type has
recording disabled (403), one a ``stop_recording`` of what does not run (404). All carry a ``request_id``: each is
checked, changes or reads the call's row in a transaction, and writes its answer into the same. No sink takes events.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from egress.sealing import new_key
from tests.rig.servers.postgresql import PostgreSQL
from tests.rig.servers.redis import Redis
from workers import broker
from workers.keyring import keyring
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, Event
from workers.settings import Settings

COUNT = 10_000
WORKERS = 2
_PATIENCE = 600.0
_HANDLED = re.compile(r"\b(update_call|start_recording|stop_recording) ([0-9a-f-]{36}) (?:of|is refused)")


@dataclass(frozen=True, slots=True)
class Handled:
    """Seconds count from the first message sent to the last one answered; memory is in bytes, by worker."""

    messages: int
    seconds: float
    sending: float
    handled: int
    """How often a worker carried a message out, by the workers' logs."""
    distinct: int
    """How many different messages those were."""
    answers: dict[str, int]
    """Answers in the ledger: ``ok``, or the code of the refusal."""
    changed_calls: int
    left_over: int
    """Messages left on the queue, or laid aside as dead."""
    memory_before: list[int]
    memory_peak: list[int]

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds


def why_not() -> str | None:
    if not Redis.installed():
        return "redis-server is not installed"
    return None if PostgreSQL.installed() else "postgresql is not installed"


def run(folder: Path, say: Callable[[str], None], count: int = COUNT) -> Handled:
    with PostgreSQL() as postgresql, Redis() as redis:
        settings = {
            "data_dir": folder / "sender",
            "ledger": {"url": postgresql.database()},
            "broker": {"url": redis.url},
            "secrets": {"keys": [new_key()]},
        }
        sender = Settings.model_validate(settings)
        ledger = Ledger(sender.ledger_url, keyring(sender))
        ledger.upgrade()
        queue = broker.connect(sender)
        try:
            with _workers(folder, sender) as workers:
                _ready(sender, queue, ledger)
                before = [_memory(worker.pid, "VmRSS") for worker in workers]
                say(f"sending {count} messages to {WORKERS} workers")
                began = time.monotonic()
                for number in range(count):
                    type_, payload = message(number)
                    broker.send(queue, sender.broker.queue, type_, payload)
                sending = time.monotonic() - began
                _until(lambda: _left(redis, sender.broker.queue) == 0, workers)
                seconds = time.monotonic() - began
                peak = [_memory(worker.pid, "VmHWM") for worker in workers]
            left = _left(redis, sender.broker.queue)
            told = _answers(ledger)
            with ledger.reading() as tx:
                changed = tx.scalar(select(func.count()).where(Call.updated_at.is_not(None))) or 0
        finally:
            queue.close()
            ledger.close()
    ids = [found[2] for number in range(WORKERS) for found in _HANDLED.finditer(_log(folder, number).read_text())]
    # The message that showed that the workers were ready is not counted.
    return Handled(count, seconds, sending, len(ids) - 1, len(set(ids)) - 1, told, changed, left, before, peak)


def message(number: int) -> tuple[str, dict[str, Any]]:
    """The message of that number, from 0."""
    group, kind = divmod(number, 5)
    request = {"request_id": f"r{number}"}
    if kind == 3:
        connector = {"type": "janus", "url": "http://127.0.0.1:1/janus", "room": group}
        return "start_recording", {"call_cid": f"closed:c{group}", "connector": connector, **request}
    if kind == 4:
        return "stop_recording", {"call_cid": f"default:c{group}-0", **request}
    settings = {"limits": {"max_duration_seconds": 60 + kind}, "recording": {"mode": "available", "quality": "1080p"}}
    return "update_call", {"call_cid": f"default:c{group}-{kind}", "settings": settings, **request}


@contextlib.contextmanager
def _workers(folder: Path, sender: Settings) -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number in range(WORKERS):
            own = folder / f"worker-{number}"
            environment = {
                **{k: v for k, v in os.environ.items() if not k.startswith("WALLFLOWER_")},
                "WALLFLOWER_DATA_DIR": str(own),
                "WALLFLOWER_WORKER_ID": f"bench-{number}",
                "WALLFLOWER_LEDGER__URL": sender.ledger_url,
                "WALLFLOWER_BROKER__URL": sender.broker.url.get_secret_value(),
                "WALLFLOWER_SECRETS__KEYS": json.dumps([k.get_secret_value() for k in sender.secrets.keys]),
                "WALLFLOWER_ATTENDANTS__SPARES": "0",
                "WALLFLOWER_EVENTS__STDOUT": "false",
                "WALLFLOWER_EVENTS__WRITE_FILE": "false",
                "WALLFLOWER_CALL_TYPES": json.dumps({"closed": {"settings": {"recording": {"mode": "disabled"}}}}),
            }
            command = [sys.executable, "-c", "from workers.cli import main; main()", "worker"]
            with _log(folder, number).open("wb") as log:
                started.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
        yield started
    finally:
        for worker in started:
            with contextlib.suppress(ProcessLookupError):
                worker.send_signal(signal.SIGINT)
        for worker in started:
            try:
                worker.wait(60)
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()


def _ready(sender: Settings, queue: Any, ledger: Ledger) -> None:
    """Both workers run when the first of all messages is answered and both gave a sign of life."""
    from workers.ledger.tables import WorkerHost

    broker.send(queue, sender.broker.queue, "update_call", {"call_cid": "default:first", "request_id": "first"})

    def there() -> bool:
        with ledger.reading() as tx:
            return (tx.scalar(select(func.count()).select_from(WorkerHost)) or 0) >= WORKERS and _answered(ledger) == 1

    _until(there, [])


def _until(condition: Callable[[], bool], workers: list[subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if any(worker.poll() is not None for worker in workers):
            raise RuntimeError("a worker has ended")
        if time.monotonic() > deadline:
            raise TimeoutError(f"the workers were not done within {_PATIENCE:g} s")
        time.sleep(0.2)


def _answered(ledger: Ledger) -> int:
    with ledger.reading() as tx:
        return tx.scalar(select(func.count()).where(Event.type == "egress.request_answered")) or 0


def _answers(ledger: Ledger) -> dict[str, int]:
    counted: Counter[str] = Counter()
    with ledger.reading() as tx:
        for payload in tx.scalars(select(Event.payload).where(Event.type == "egress.request_answered")):
            if payload["request_id"] != "first":
                counted["ok" if payload["ok"] else str(payload["error"]["code"])] += 1
    return dict(sorted(counted.items()))


def _left(redis: Redis, queue: str) -> int:
    import redis as client

    with client.Redis.from_url(redis.url) as connection:
        keys = [f"dramatiq:{queue}{suffix}.msgs" for suffix in ("", ".DQ", ".XQ")]
        return sum(int(connection.hlen(key)) for key in keys)


def _memory(pid: int, field: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.M)
    return int(found[1]) * 1024 if found else 0


def _log(folder: Path, number: int) -> Path:
    return folder / f"worker-{number}.log"
