"""A worker in the test's own loop with fake attendants, and what tests ask of its ledger."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.sealing import Keyring, new_key
from workers.agent import Agent
from workers.carry_out import Outcome, carry_out
from workers.keyring import keyring
from workers.ledger import wishes
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.ledger.tables import CallSession, Egress, Event, File
from workers.ledger.wishes import Wish
from workers.settings import Settings
from workers.status import AgentStatus
from workers.worker import Worker

CALL = "default:tests"
CONNECTOR = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1234}
KEY = new_key()
KEYS = Keyring([KEY])


@pytest.fixture(autouse=True)
def _own_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("WALLFLOWER_"):
            monkeypatch.delenv(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    url: str = request.getfixturevalue("postgresql")
    return url


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An empty ledger on each kind of database, sealed with ``KEYS``."""
    one = Ledger(ledger_url, KEYS)
    one.upgrade()
    yield one
    one.close()


def make_settings(folder: Path, behaviour: str = "records", **sections: Any) -> Settings:
    attendants = {
        "command": [sys.executable, "-m", "tests.workers.fake_attendant", behaviour],
        "spare_delay": 0.0,
        "backoff": 0.1,
        "leave_timeout": 10.0,
        **sections.pop("attendants", {}),
    }
    events = {"stdout": False, **sections.pop("events", {})}
    spool = {"reserve_hours": 0.01, "min_free": 0, **sections.pop("spool", {})}
    return Settings(data_dir=folder, attendants=attendants, events=events, spool=spool, **sections)


class Bench:
    """A worker that can be ended, killed and started again on the same folders."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings))
        self.ledger.upgrade()
        self.worker: Worker | None = None
        self.task: asyncio.Task[None] | None = None
        self.cut_off = False
        """Whether the ledger is out of the worker's reach."""

    async def start(self) -> None:
        self.worker = Worker(self.settings)
        for name in ("reading", "writing"):
            setattr(self.worker.ledger, name, self._reached(getattr(self.worker.ledger, name)))
        upgrade = self.worker.ledger.upgrade
        self.worker.ledger.upgrade = lambda: self._upgraded(upgrade)  # type: ignore[method-assign]
        self.task = asyncio.create_task(self.worker.run())

    def _upgraded(self, upgrade: Callable[[], None]) -> None:
        if self.cut_off:
            raise LedgerUnavailable("the ledger is out of reach")
        upgrade()

    def _reached(self, transaction: Callable[..., AbstractContextManager[Session]]) -> Callable[..., Any]:
        @contextlib.contextmanager
        def begin(**how: Any) -> Iterator[Session]:
            if self.cut_off:
                raise LedgerUnavailable("the ledger is out of reach")
            with transaction(**how) as tx:
                yield tx

        return begin

    @property
    def agent(self) -> Agent:
        assert self.worker is not None and self.worker.agent is not None
        return self.worker.agent

    async def end(self) -> None:
        if self.worker is not None and self.task is not None:
            self.worker.stop()
            await self.task
            self.worker = self.task = None

    async def drop(self) -> None:
        """End the worker the hard way: nothing is said to anybody."""
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        self.worker = self.task = None

    def send(self, message_type: str, message_id: str | None = None, **payload: Any) -> Outcome:
        payload.setdefault("call_cid", CALL)
        if message_type == "start_recording":
            payload.setdefault("connector", CONNECTOR)
        return carry_out(self.ledger, self.settings, message_type, payload, message_id or str(uuid.uuid4()))

    def record(self, **payload: Any) -> str:
        return self.send("start_recording", **payload).egress_ids[0]

    @property
    def status(self) -> AgentStatus:
        """What its agent says; nothing yet while the worker starts."""
        agent = self.worker.agent if self.worker is not None else None
        return AgentStatus() if agent is None else agent.status

    def add_egress(self, beside: str, egress_id: str, quality: str = "1080p") -> str:
        """Ask for one more output of the same call, as other kinds of outputs do."""
        now = datetime.now(UTC)

        def want(tx: Session) -> None:
            first = tx.get_one(Egress, beside)
            wish = Wish(
                call_cid=first.call_cid,
                egress_id=egress_id,
                kind=first.kind,
                recording_type=first.recording_type,
                connector=tx.get_one(CallSession, first.session_id).connector,
                spec={**first.spec, "quality": quality},
                storage=first.storage,
                session_id=first.session_id,
            )
            wishes.want(tx, wish, now, unique=False)

        self.ledger.write(want)
        return egress_id

    def egress(self, egress_id: str) -> Egress:
        with self.ledger.reading() as tx:
            return tx.get_one(Egress, egress_id)

    def files(self, egress_id: str) -> list[File]:
        with self.ledger.reading() as tx:
            return list(tx.scalars(select(File).where(File.egress_id == egress_id).order_by(File.part)))

    def events(self) -> list[dict[str, Any]]:
        with self.ledger.reading() as tx:
            return [event.payload for event in tx.scalars(select(Event).order_by(Event.seq))]

    def sent(self) -> list[dict[str, Any]]:
        path = self.settings.events_file
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def heard(self) -> list[dict[str, Any]]:
        """The orders that attendants were given, in their order of time."""
        files = sorted(self.settings.sockets.glob("*.heard"), key=lambda path: path.stat().st_mtime)
        return [json.loads(line) for path in files for line in path.read_text().splitlines()]

    def session(self) -> CallSession:
        with self.ledger.reading() as tx:
            return tx.scalars(select(CallSession)).one()

    def attendant_pid(self) -> int:
        pid = self.session().attendant_pid
        assert pid is not None
        return pid

    def pid_at(self, path: Path) -> int:
        """The process that sits at a socket. Raises ValueError when there is none."""
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and os.fsencode(path.name) in (entry / "cmdline").read_bytes():
                    return int(entry.name)
        raise ValueError(f"nobody sits at {path}")

    async def until_state(self, egress_id: str, *states: str, timeout: float = 15.0) -> Egress:
        await until(lambda: self.egress(egress_id).state in states, timeout, lambda: self.egress(egress_id).state)
        return self.egress(egress_id)

    async def until_recorded(self, egress_id: str, seconds: float) -> None:
        await until(lambda: self.egress(egress_id).recorded >= seconds, 15.0)


async def until(condition: Callable[[], bool], timeout: float = 10.0, now: Callable[[], Any] | None = None) -> None:
    deadline = asyncio.get_running_loop().time() + timeout
    while not condition():
        if asyncio.get_running_loop().time() > deadline:
            pytest.fail(f"did not happen within {timeout:g} s; now {now() if now else 'unknown'}")
        await asyncio.sleep(0.02)


MakeBench = Callable[..., Awaitable[Bench]]


async def _clear_away(made: list[Bench]) -> None:
    for one in made:
        one.cut_off = False
        if one.task is not None and not one.task.done():
            await one.end()
    for one in made:
        for path in one.settings.sockets.glob("*.sock"):
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(one.pid_at(path), signal.SIGKILL)
        one.ledger.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[MakeBench]:
    """A worker with a ledger of its own."""
    made: list[Bench] = []

    async def make(behaviour: str = "records", **sections: Any) -> Bench:
        made.append(Bench(make_settings(tmp_path / "data", behaviour, **sections)))
        await made[-1].start()
        return made[-1]

    yield make
    await _clear_away(made)


@pytest.fixture
async def host(tmp_path: Path, ledger_url: str) -> AsyncIterator[MakeBench]:
    """Workers with folders of their own, on one ledger: ``await host("name", ...)``."""
    made: list[Bench] = []

    async def make(name: str, behaviour: str = "records", **sections: Any) -> Bench:
        together = {
            "worker_id": name,
            "ledger": {"url": ledger_url},
            "secrets": {"keys": [KEY]},
            "storage": {"folder": tmp_path / "stored"},
        }
        made.append(Bench(make_settings(tmp_path / name, behaviour, **together, **sections)))
        await made[-1].start()
        return made[-1]

    yield make
    await _clear_away(made)
