"""A worker: the agent, delivery, the relay of events, and the threads that take messages off the queue."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
from collections.abc import Iterator, Sequence
from typing import Any

import dramatiq
from pydantic import ValidationError

from egress.rtc.ice_settings import IceServer, IceSettings
from workers import actors
from workers.agent import Agent
from workers.attending import Surroundings
from workers.broker import connect, embedded
from workers.events.relay import Relay, Rules
from workers.events.sinks import Sink
from workers.events.sinks.configured import sinks
from workers.keyring import keyring
from workers.ledger import hosts
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.ledger.prompt import PromptLedger
from workers.leftovers import keep_company
from workers.messages import MESSAGES
from workers.observing import metrics
from workers.observing.server import serving
from workers.observing.vitals import Vitals
from workers.private import make_private
from workers.sessions.life import SessionLife
from workers.sessions.lookout import Lookout
from workers.settings import Settings, SettingsError
from workers.spares import Spares
from workers.speech_engine import SpeechEngine
from workers.uploads.stores import targets
from workers.uploads.uploader import Uploader

log = logging.getLogger(__name__)


_LEDGER_PAUSE = 1.0
"""Seconds between two attempts to reach the ledger before the worker begins."""
_FAREWELL = 5.0
"""Seconds in which an ending worker tells the ledger that it is gone."""


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


class Worker:
    """Everything one host runs. ``run`` ends after ``stop``, when all is recorded and delivered, or grace is over."""

    def __init__(self, settings: Settings, to: Sequence[Sink] | None = None) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings), settings.ledger.busy_timeout)
        self._to = sinks(settings) if to is None else list(to)
        self._ice = ice_settings(settings)
        self._speech = SpeechEngine(settings)
        self._agent: Agent | None = None
        self._drain: float | None = None
        """Seconds that running egresses have; None before the worker is told to end."""
        self._stopped = asyncio.Event()
        self._handing_over = asyncio.Event()

    def stop(self, drain: float = 0.0) -> None:
        """End in good order: nothing new is begun, what runs has ``drain`` seconds, then it is finished and delivered.

        Said a second time, it is :meth:`hand_over`.
        """
        if self._stopped.is_set():
            self.hand_over()
            return
        log.info("ending: what runs has %g s, then it is finished and delivered", drain)
        self._drain = drain
        self._stopped.set()
        if self._agent is not None:
            self._agent.stop(drain)

    def hand_over(self) -> None:
        """End at once and leave everything as it is: attendants go on, and the next worker adopts them."""
        log.warning("handing over: attendants go on, and the next worker on these folders adopts them")
        self._stopped.set()
        self._handing_over.set()

    @property
    def agent(self) -> Agent | None:
        """The agent, once it runs."""
        return self._agent

    @property
    def handed_over(self) -> bool:
        return self._handing_over.is_set()

    async def run(self) -> None:
        settings = self.settings
        vitals = Vitals(settings, self.ledger, lambda: self._agent.status if self._agent is not None else None)
        make_private(settings)
        metrics.begin(MESSAGES, ["local", *(store.name for store in settings.stores)])
        with only_worker(settings), serving(settings, self.ledger, vitals):
            if not await self._ledger_came():
                self.ledger.close()
                return
            ledger, prompt = AsyncLedger(self.ledger), PromptLedger(self.ledger)
            told_from = AsyncLedger(self.ledger)
            delivery = Uploader(ledger, settings, targets(settings))
            relay = Relay(told_from, self._to, Rules.of(settings))
            lookout = Lookout(settings.projects)
            around = Surroundings(settings, ledger, Spares(settings), delivery, self._ice, lookout, self._speech)
            self._speech.start()
            self._agent = Agent(around, prompt, SessionLife)
            if self._stopped.is_set():
                self._agent.stop(self._drain or 0.0)
            beside = [asyncio.create_task(delivery.run()), asyncio.create_task(relay.run())]
            beside.append(asyncio.create_task(vitals.pulse(), name="pulse"))
            agent = asyncio.create_task(self._agent.run(), name="agent")
            working = asyncio.create_task(self._work(agent, beside, delivery, relay))
            handing_over = asyncio.create_task(self._handing_over.wait())
            try:
                await asyncio.wait({working, handing_over}, return_when=asyncio.FIRST_COMPLETED)
                if working.done():
                    await working
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(_FAREWELL):
                            await ledger.write(lambda tx: hosts.leave(tx, settings.owner))
            finally:
                tasks = (working, handing_over, agent, *beside)
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await self._speech.close()
                ledger.close()
                prompt.close()
                told_from.close()
                self.ledger.close()

    async def _ledger_came(self) -> bool:
        """Wait for the ledger, brought to the schema of this code; False when the worker is to end before it is there.

        Attendants of a worker before us are spoken to meanwhile, so that none of them thinks that it is alone.
        """
        said = False
        while not self._stopped.is_set():
            try:
                await asyncio.to_thread(self.ledger.upgrade)
                return True
            except LedgerUnavailable as error:
                if not said:
                    log.error("%s; waiting for it", error)
                said = True
            await keep_company(self.settings)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEDGER_PAUSE):
                    await self._stopped.wait()
        return False

    def _consume(self) -> dramatiq.Worker | None:
        """Take messages off the queue. In one process there is nobody to take them from."""
        if embedded(self.settings):
            return None
        broker = connect(self.settings)
        actors.declare(broker, self.ledger, self.settings, lambda: self._speech.languages)
        # It looks for messages ever more rarely while its threads have enough of them, up to so many milliseconds:
        # with dramatiq's second, they would wait for it.
        worker = dramatiq.Worker(broker, worker_threads=self.settings.broker.threads, worker_timeout=50)
        worker.start()
        return worker

    async def _work(
        self, agent: asyncio.Task[None], beside: list[asyncio.Task[None]], delivery: Uploader, relay: Relay
    ) -> None:
        # Messages are taken to the end: they only write wishes, and what still runs must be able to be stopped.
        consumer = await asyncio.to_thread(self._consume)
        try:
            await self._until_stopped(agent, beside)
            await self._until_left(agent, beside)
        finally:
            if consumer is not None:
                await asyncio.to_thread(consumer.stop, 0 if self.handed_over else 5_000)
        await self._deliver(delivery, relay)

    async def _until_stopped(self, agent: asyncio.Task[None], beside: list[asyncio.Task[None]]) -> None:
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await _first([agent, *beside, stopped], stopped)
        finally:
            stopped.cancel()

    async def _until_left(self, agent: asyncio.Task[None], beside: list[asyncio.Task[None]]) -> None:
        """Wait until every call is left, at most for the time that they have and the grace to finish their files."""
        assert self._agent is not None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._agent.ends_at + self.settings.agent.grace):
                await _first([agent, *beside], agent)
                return
        log.error("not all calls are left; the next worker adopts their attendants")
        agent.cancel()
        await asyncio.gather(agent, return_exceptions=True)

    async def _deliver(self, delivery: Uploader, relay: Relay) -> None:
        assert self._agent is not None
        grace = self.settings.agent.grace
        try:
            async with asyncio.timeout_at(min(asyncio.get_running_loop().time(), self._agent.ends_at) + grace):
                while not await delivery.done():
                    delivery.wake()
                    await asyncio.sleep(self.settings.agent.poll)
        except TimeoutError:
            log.error("not all files are delivered after %g s; the next worker goes on with them", grace)
        await relay.drained(min(5.0, grace + 1))


async def _first(tasks: list[asyncio.Task[Any]], may_end: asyncio.Task[Any]) -> None:
    """Wait for one to end; another one that ended before it was told to has failed: say so."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        await task
    if may_end not in done:
        raise RuntimeError(f"{done.pop().get_name()} ended before its time")
