"""A worker: the agent, delivery, the relay of events, and the threads that take messages off the queue."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator, Sequence

import dramatiq
from pydantic import ValidationError

from egress.rtc.ice_settings import IceServer, IceSettings
from storage.local import LocalTarget
from workers import actors
from workers.agent import Agent
from workers.attending import Surroundings
from workers.broker import connect, embedded
from workers.delivery import Delivery
from workers.events.relay import Relay
from workers.events.sinks import FileSink, Sink, StreamSink
from workers.keyring import keyring
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.settings import Settings, SettingsError
from workers.spares import Spares

log = logging.getLogger(__name__)


class AlreadyRunning(Exception):
    """Another worker runs on these folders. The text is one sentence for people."""


@contextlib.contextmanager
def only_worker(settings: Settings) -> Iterator[None]:
    """Keep a second worker off the same run folder. Raises AlreadyRunning."""
    settings.runs.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings.runs / "worker.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise AlreadyRunning(
                f"another worker (pid {file.read().strip() or 'unknown'}) runs with {settings.runs}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def ice_settings(settings: Settings) -> IceSettings:
    """ICE as attendants take it. Raises SettingsError."""
    try:
        servers = [IceServer.model_validate(server) for server in settings.ice_servers]
        return IceSettings(networks=settings.ice_networks, servers=servers)
    except (ValidationError, ValueError) as error:
        problem = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise SettingsError(f"settings: ice_networks and ice_servers cannot be used: {problem}") from None


def sinks(settings: Settings) -> list[Sink]:
    found: list[Sink] = []
    if settings.events.write_file:
        found.append(FileSink(settings.events_file))
    if settings.events.stdout:
        found.append(StreamSink())
    return found


class Worker:
    """Everything one host runs. ``run`` ends after ``stop``, when files and events are delivered or grace is over."""

    def __init__(self, settings: Settings, to: Sequence[Sink] | None = None) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings), settings.ledger.busy_timeout)
        self._to = sinks(settings) if to is None else list(to)
        self._ice = ice_settings(settings)
        self._agent: Agent | None = None
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """End in good order: every recording is finished and delivered. A second call ends at once."""
        if self._stopped.is_set():
            log.warning("ending at once: attendants finish by themselves, and the next worker delivers their files")
            for task in asyncio.all_tasks():
                if task.get_name() == "agent":
                    task.cancel()
        self._stopped.set()
        if self._agent is not None:
            self._agent.stop()

    async def run(self) -> None:
        settings = self.settings
        with only_worker(settings):
            await asyncio.to_thread(self.ledger.upgrade)
            ledger = AsyncLedger(self.ledger)
            target = LocalTarget(settings.recordings, "local")
            delivery = Delivery(ledger, target, settings.storage.key_template)
            relay = Relay(ledger, self._to, settings.agent.poll)
            around = Surroundings(settings, ledger, Spares(settings), delivery, self._ice)
            self._agent = Agent(around)
            if self._stopped.is_set():
                return
            consumer = await asyncio.to_thread(self._consume)
            beside = [asyncio.create_task(delivery.run()), asyncio.create_task(relay.run())]
            agent = asyncio.create_task(self._agent.run(), name="agent")
            try:
                await self._until_stopped(agent, beside)
                if consumer is not None:
                    await asyncio.to_thread(consumer.stop, 5_000)
                    consumer = None
                await self._finish(agent, delivery, relay)
            finally:
                agent.cancel()
                for task in beside:
                    task.cancel()
                await asyncio.gather(agent, *beside, return_exceptions=True)
                if consumer is not None:
                    await asyncio.to_thread(consumer.stop, 5_000)
                ledger.close()
                self.ledger.close()

    def _consume(self) -> dramatiq.Worker | None:
        """Take messages off the queue. In one process there is nobody to take them from."""
        if embedded(self.settings):
            return None
        broker = connect(self.settings)
        actors.declare(broker, self.ledger, self.settings)
        worker = dramatiq.Worker(broker, worker_threads=self.settings.broker.threads)
        worker.start()
        return worker

    async def _until_stopped(self, agent: asyncio.Task[None], beside: list[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            done, _ = await asyncio.wait([agent, *beside, stopped], return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        for task in done - {stopped}:
            await task  # one that ended before it was told to has failed: say so

    async def _finish(self, agent: asyncio.Task[None], delivery: Delivery, relay: Relay) -> None:
        grace = self.settings.agent.grace
        try:
            async with asyncio.timeout(grace):
                await agent
                while not await delivery.done():
                    delivery.wake()
                    await asyncio.sleep(self.settings.agent.poll)
        except TimeoutError:
            log.error("not all files are delivered after %g s; the next worker goes on with them", grace)
        await relay.drained(min(5.0, grace + 1))
