"""Wallflower on many hosts: workers, each with folders of its own, one PostgreSQL, one Redis, one S3, one hook.

``async with Fleet(folder) as fleet`` starts them all; ``await fleet.send({...})`` is what a backend does, ``await
fleet.event("call.recording_ready", cid)`` waits for what its hook was told. ``await fleet.kill("worker-1")`` is
kill -9, ``await fleet.start("worker-1")`` brings it back; ``broker``, ``database`` and ``store`` are killed alike, and
``await fleet.kill_attendant(cid)`` the process that attends a call.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg
from psycopg.rows import dict_row

from egress.sealing import new_key
from tests.rig.arrived import Arrived, Piece
from tests.rig.product import Product, moment
from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.hooks import HookReceiver
from tests.rig.servers.postgresql import PostgreSQL
from tests.rig.servers.redis import Redis
from tests.rig.servers.s3 import VersityGateway
from tests.rig.servers.server import Server
from workers.broker import BrokerError, connect, send
from workers.settings import Settings

LEASE = 6.0
ABANDONED = 7.0
ORPHANED = 9.0
"""More than a lease, so that a worker's restart finds its attendants; less than two of them, so that a call that was
taken over is not attended twice for longer than one."""


class FleetWorker(Product):
    """One host's worker. It is started once its attendants can be."""

    @property
    def pid(self) -> int:
        assert self._worker is not None
        return self._worker.pid

    begun = 0.0
    """When it was last started, in seconds since 1970."""

    async def begin(self) -> None:
        """Start it; the first time, a warm attendant is there then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.begun = time.time()
        await self.start()

    async def kill(self) -> None:
        """SIGKILL to the worker alone; its attendants go on."""
        worker, self._worker = self._worker, None
        if worker is not None:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            await worker.wait()

    async def lose(self) -> list[int]:
        """SIGKILL to everything that runs on this host; returns the process ids of its attendants."""
        attendants = self.attendants()
        await self.kill()
        attendants = sorted({*attendants, *self.attendants()})
        for pid in attendants:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return attendants

    async def end(self, number: int = signal.SIGTERM, timeout: float = 60.0) -> int:
        """A signal to the worker, and its exit code."""
        worker, self._worker = self._worker, None
        assert worker is not None
        worker.send_signal(number)
        try:
            async with asyncio.timeout(timeout):
                return await worker.wait()
        except TimeoutError:
            worker.kill()
            await worker.wait()
            raise AssertionError(f"the worker did not end within {timeout:g} s\n{self.log}") from None

    def memory(self) -> int:
        """Bytes of the worker that are in memory."""
        return int(psutil.Process(self.pid).memory_info().rss)


@dataclass(frozen=True, slots=True)
class Sent:
    """One event as the hook took it, each time that it came."""

    id: str
    at: float
    payload: dict[str, Any]


class Fleet:
    """Everything at once. ``settings`` are environment variables of all workers, without their prefix.

    ``proxied`` puts ``fleet.proxy`` between workers and store, which makes it slow or refuse.
    """

    def __init__(self, folder: Path, workers: int = 2, *, proxied: bool = False, **settings: str) -> None:
        self.folder = folder
        self.postgres = PostgreSQL()
        self.redis = Redis()
        self.s3 = VersityGateway()
        self.proxy = FaultyProxy(self.s3.url) if proxied else None
        self.hook = HookReceiver()
        self.workers: dict[str, FleetWorker] = {}
        self._names = [f"worker-{number + 1}" for number in range(workers)]
        self._settings = settings
        self._lease = float(settings.get("agent__lease", LEASE))
        self._stack = AsyncExitStack()
        self._url = ""

    async def __aenter__(self) -> Self:
        try:
            await asyncio.gather(*(self._stack.enter_async_context(s) for s in (self.postgres, self.redis, self.s3)))
            await self._stack.enter_async_context(self.hook)
            if self.proxy is not None:
                await self._stack.enter_async_context(self.proxy)
            self._url = await asyncio.to_thread(self.postgres.database)
            await asyncio.to_thread(self.s3.make_bucket)
            common = self._environment()
            for name in self._names:
                self.workers[name] = FleetWorker(
                    self.folder / name, ["127.0.0.0/8"], **{**common, "worker_id": name, **self._settings}
                )
                await self._stack.enter_async_context(_ended(self.workers[name]))
            await asyncio.gather(*(worker.begin() for worker in self.workers.values()))
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # What a backend does.

    async def send(self, message: dict[str, Any], patience: float = 30.0) -> str:
        """Put a message on the queue, again and again while the broker is away; returns its id."""
        payload = dict(message)
        type_ = payload.pop("type")
        settings = Settings.model_validate({"broker": {"url": self.redis.url}})
        deadline = time.monotonic() + patience

        def enqueue() -> str:
            broker = connect(settings)
            try:
                return send(broker, settings.broker.queue, type_, payload)
            finally:
                broker.close()

        while True:
            try:
                return await asyncio.to_thread(enqueue)
            except BrokerError:
                assert time.monotonic() < deadline, f"the broker is away for more than {patience:g} s"
                await asyncio.sleep(0.2)

    async def record(self, cid: str, url: str, egress_id: str, **recording: Any) -> None:
        """Have a loopback room recorded, and wait until it is."""
        address = {"type": "loopback", "url": url}
        recording = {"quality": "360p", **recording}
        await self.send(
            {
                "type": "start_recording",
                "call_cid": cid,
                "egress_id": egress_id,
                "connector": address,
                "recording": recording,
            }
        )
        await self.event("call.recording_started", cid)

    async def probe(self, request_id: str) -> None:
        """A message that is refused: its answer goes all the way by queue, ledger and hook."""
        message = {"type": "stop_recording", "call_cid": "default:probe", "request_id": request_id}
        await self.send({**message, "egress_id": "none"})

    async def stop(self, cid: str, egress_id: str, timeout: float = 60.0) -> float:
        """Stop it; returns the seconds from then until its last file was told to be ready."""
        asked = time.time()
        await self.send({"type": "stop_recording", "call_cid": cid, "egress_id": egress_id})
        await self.until(lambda: self._is_over(egress_id), timeout, f"{egress_id} is not over")
        ready = [e for e in self.sent() if e.payload.get("egress_id") == egress_id]
        return max(event.at for event in ready) - asked

    async def _is_over(self, egress_id: str) -> bool:
        """Whether it is complete or failed, and its hook was told all about it."""
        rows = await self.rows(
            "SELECT e.state, count(o.id) AS waiting FROM egresses e"
            " LEFT JOIN outbox o ON o.call_cid = e.call_cid AND o.sent_at IS NULL WHERE e.id = %s GROUP BY e.state",
            egress_id,
        )
        return bool(rows) and rows[0]["state"] in ("complete", "failed", "aborted") and rows[0]["waiting"] == 0

    def sent(self) -> list[Sent]:
        """What the hook took, each time that it came."""
        shift = time.time() - time.monotonic()
        return [Sent(r.id, r.at + shift, r.event) for r in self.hook.taken]

    def events(self, type_: str | None = None, cid: str | None = None) -> list[dict[str, Any]]:
        """What the hook was told, each event once."""
        return [e for e in self.hook.events if type_ in (None, e["type"]) and (cid is None or e.get("call_cid") == cid)]

    async def event(self, type_: str, cid: str | None = None, number: int = 1, timeout: float = 60.0) -> dict[str, Any]:
        """Wait for the ``number``-th event of a type."""
        await self.until(
            lambda: len(self.events(type_, cid)) >= number, timeout, f"{type_} number {number} of {cid} was not told"
        )
        return self.events(type_, cid)[number - 1]

    async def until(self, condition: Callable[[], Any], timeout: float, otherwise: str, every: float = 0.05) -> None:
        """Wait for a condition, a coroutine function's too."""
        deadline = time.monotonic() + timeout
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return
            assert time.monotonic() < deadline, f"{otherwise} within {timeout:g} s\n{self.state()}\n{self.log}"
            await asyncio.sleep(every)

    # What goes wrong.

    @property
    def servers(self) -> dict[str, Server]:
        return {"broker": self.redis, "database": self.postgres, "store": self.s3}

    async def kill(self, which: str) -> None:
        """kill -9 to a server, or to a worker without its attendants."""
        if which in self.servers:
            await self.servers[which].kill()
        else:
            await self.workers[which].kill()

    async def start(self, which: str) -> None:
        """Bring it back; a worker whose attendants went on need not be ready then."""
        if which in self.servers:
            await self.servers[which].start()
        else:
            await self.workers[which].begin()

    async def kill_attendant(self, cid: str) -> int | None:
        """kill -9 to the process that attends a call, if there is one; returns its id."""
        for row in await self.attended(cid):
            pid = row["attendant_pid"]
            worker = self.workers.get(row["owner"] or "")
            if worker is not None and pid in worker.attendants():
                os.kill(pid, signal.SIGKILL)
                return int(pid)
        return None

    # What is the case.

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Ask the ledger; [] while it is away."""

        def ask() -> list[dict[str, Any]]:
            try:
                with psycopg.connect(self._url, connect_timeout=2, row_factory=dict_row) as connection:
                    return connection.execute(query, values).fetchall()
            except psycopg.OperationalError:
                return []

        return await asyncio.to_thread(ask)

    async def attended(self, cid: str) -> list[dict[str, Any]]:
        """Open sessions of a call that some worker holds."""
        return await self.rows(
            "SELECT owner, epoch, attendant_pid, lease_expires > now() AS held,"
            " extract(epoch FROM lease_expires)::float AS until FROM sessions"
            " WHERE call_cid = %s AND ended_at IS NULL",
            cid,
        )

    async def held(self, cid: str) -> bool:
        """Whether a worker holds the call since it was last started, and the call's attendant lives."""
        rows = await self.attended(cid)
        if not rows or not rows[0]["held"] or rows[0]["attendant_pid"] is None:
            return False
        worker = self.workers.get(rows[0]["owner"] or "")
        if worker is None or not worker.alive or rows[0]["until"] - self._lease < worker.begun:
            return False
        return rows[0]["attendant_pid"] in worker.attendants()

    async def rested(self) -> bool:
        """Whether a warm attendant waits at every worker beside those that attend."""
        rows = await self.rows("SELECT attendant_pid AS pid FROM sessions WHERE attendant_pid IS NOT NULL")
        busy = {row["pid"] for row in rows}
        return all(set(worker.attendants()) - busy for worker in self.workers.values())

    async def back(self, name: str) -> bool:
        """Whether a worker has given a sign of life since it was last started."""
        rows = await self.rows("SELECT extract(epoch FROM seen_at)::float AS at FROM workers WHERE id = %s", name)
        return bool(rows) and rows[0]["at"] > self.workers[name].begun

    async def settled(self) -> bool:
        """Whether no file and no manifest is on its way any more, and the hook knows all."""
        rows = await self.rows(
            "SELECT (SELECT count(*) FROM files WHERE state IN ('open', 'closed'))"
            " + (SELECT count(*) FROM manifests WHERE state = 'due')"
            " + (SELECT count(*) FROM outbox WHERE sent_at IS NULL) AS left"
        )
        return bool(rows) and rows[0]["left"] == 0

    async def manifests(self) -> dict[str, dict[str, Any]]:
        """What each manifest in the store says, by its key."""
        rows = await self.rows("SELECT key FROM manifests WHERE state = 'delivered'")
        return {row["key"]: json.loads(await asyncio.to_thread(self.s3.read, row["key"])) for row in rows}

    async def files(self, egress_id: str | None = None) -> list[dict[str, Any]]:
        return await self.rows(
            "SELECT * FROM files WHERE %s::text IS NULL OR egress_id = %s ORDER BY egress_id, start_time, id",
            egress_id,
            egress_id,
        )

    async def fetch(self, egress_id: str) -> list[Piece]:
        """Get what was told to be ready of an egress from the store, one file an event."""
        rows = {row["url"]: row for row in await self.files(egress_id)}
        folder = self.folder / "fetched" / egress_id
        folder.mkdir(parents=True, exist_ok=True)
        pieces = []
        for event in self.events("call.recording_ready"):
            if event["egress_id"] != egress_id:
                continue
            about = event["call_recording"]
            row = rows[about["url"]]
            path = folder / about["filename"]
            path.write_bytes(await asyncio.to_thread(self.s3.read, row["key"]))
            assert path.stat().st_size == row["size"], f"{path.name}: {path.stat().st_size} bytes, not {row['size']}"
            pieces.append(Piece(path, moment(about["start_time"])))
        return pieces

    async def arrived(self, egress_id: str, identity: int = 0) -> Arrived:
        pieces = await self.fetch(egress_id)
        return await asyncio.to_thread(Arrived.of, pieces, identity)

    async def objects(self) -> dict[str, int]:
        """Keys and sizes of all that the store has."""

        def ask() -> dict[str, int]:
            listed = self.s3.client().list_objects_v2(Bucket="recordings").get("Contents", [])
            return {entry["Key"]: entry["Size"] for entry in listed}

        return await asyncio.to_thread(ask)

    async def unfinished_uploads(self) -> list[str]:
        return await asyncio.to_thread(self.s3.open_uploads)

    def spooled(self) -> list[Path]:
        """Files that wait in any worker's spool."""
        return [path for worker in self.workers.values() for path in worker.spooled()]

    def state(self) -> str:
        """The ledger in a few lines, for people who wonder."""
        try:
            with psycopg.connect(self._url, connect_timeout=2, row_factory=dict_row) as connection:
                said = [
                    f"{table}: {row}"
                    for table, query in (
                        (
                            "session",
                            "SELECT call_cid, owner, epoch, lease_expires, attendant_pid, ended_at FROM sessions",
                        ),
                        ("egress", "SELECT id, state, desired, error, files_closed FROM egresses"),
                        ("file", "SELECT egress_id, epoch, part, state, host, size, salvaged, error FROM files"),
                        ("unsent", "SELECT call_cid, position, type FROM outbox WHERE sent_at IS NULL"),
                    )
                    for row in connection.execute(query)
                ]
                return "\n".join(said)
        except psycopg.OperationalError as error:
            return f"the ledger is away: {error}"

    @property
    def log(self) -> str:
        return "\n".join(f"=== {name}\n{worker.log}" for name, worker in self.workers.items())

    def _environment(self) -> dict[str, str]:
        hook = {"url": self.hook.url, "secret": self.hook.secret, "api_key": "key"}
        return {
            "ledger__url": self._url,
            "broker__url": self.redis.url,
            "secrets__keys": json.dumps([new_key()]),
            "guard__allow_private": json.dumps(["127.0.0.0/8"]),
            "stores": json.dumps([self.s3.store(url=self.proxy.url if self.proxy else None)]),
            "storage__default": "s3",
            "events__webhooks": json.dumps([hook]),
            "events__write_file": "false",
            "events__stdout": "false",
            "events__lease": "4",
            "agent__lease": str(LEASE),
            "agent__abandoned": str(ABANDONED),
            "attendants__orphan_timeout": str(ORPHANED),
            "attendants__ping_interval": "1",
            # Three calls must fit on two cores beside everything else.
            "recording__fps": "15",
            "recording__preset": "ultrafast",
        }


@contextlib.asynccontextmanager
async def _ended(worker: FleetWorker) -> AsyncIterator[None]:
    """Leave nothing of a worker behind, however the test ended."""
    try:
        yield
    finally:
        await worker.lose()
