"""One session's attendant, from its start to its last word, and again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol import (
    Attend,
    CompositeRecording,
    Disconnected,
    EgressFailed,
    EgressSpec,
    EgressStarted,
    EgressStopped,
    Job,
    Leave,
    Over,
    PartClosed,
    Ready,
    Refused,
    Report,
    Start,
    Stop,
    Warned,
)
from egress.rtc.ice_settings import IceSettings
from workers.attendants import Attendant, AttendantGone
from workers.decisions import Restarts, Wanted, due, idle, reservation, shortage
from workers.delivery import Delivery
from workers.ledger import files, lifecycle, reports
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.claims import owned, release
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress, File
from workers.salvage import began, unreported
from workers.settings import Settings
from workers.spares import Spares

log = logging.getLogger(__name__)

TAKEN_UP = (State.STARTING, State.ACTIVE)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every attended session shares."""

    settings: Settings
    ledger: AsyncLedger
    spares: Spares
    delivery: Delivery
    ice: IceSettings


@dataclass(slots=True)
class _Orders:
    """What is to be said to an attendant after a look into the ledger."""

    start: list[EgressSpec] = field(default_factory=list)
    stop: list[str] = field(default_factory=list)
    idle: bool = False


class Attending:
    """Makes one session's attendant do what the ledger wants."""

    def __init__(self, session: CallSession, epoch: int, around: Surroundings) -> None:
        self.session_id = session.id
        self.epoch = epoch
        self._session = session
        self._around = around
        self._changed = asyncio.Event()
        self._leaving = False
        self._told: dict[str, str] = {}
        self._asked_again: set[str] = set()
        limits = around.settings.attendants
        self._restarts = Restarts(limits.restarts, limits.backoff, limits.backoff_max, limits.healthy)

    def look(self) -> None:
        """Something in the ledger changed."""
        self._changed.set()

    def leave(self) -> None:
        """Have the files finished and the call left."""
        self._leaving = True
        self._changed.set()

    async def run(self) -> None:
        """Until nothing is left to record. Raises LeaseLost."""
        attendant = await self._adopt()
        loop = asyncio.get_running_loop()
        while True:
            if attendant is None:
                if self._leaving or not await self._needed():
                    if await self._end():
                        return
                    continue
                attendant = await self._begin()
                if attendant is None:
                    await self._again(0.0, "could not be started")
                    continue
            since = loop.time()
            over = await self._converse(attendant)
            left, attendant = attendant, None
            if over is None:
                await self._died(left)
                await self._again(loop.time() - since, f"died (exit code {_said(left)})")
            else:
                await self._part(left)

    # Finding or starting an attendant.

    async def _adopt(self) -> Attendant | None:
        """The attendant that an agent before us left at this session, if it still answers."""
        if self._session.attendant_socket is None:
            return None
        attendant = Attendant(Path(self._session.attendant_socket), self._session.attendant_pid)
        try:
            await attendant.connect(2.0, after=self._session.attendant_seq)
        except AttendantGone:
            log.warning("the attendant of %s is gone", self._session.call_cid)
            await self._died(attendant)
            return None
        for egress in await self._around.ledger.read(lambda tx: lifecycle.live_egresses(tx, self.session_id)):
            state = State(egress.state)
            if state in TAKEN_UP:
                self._told[egress.id] = "start"
            if state is State.STARTING:
                # Nobody knows whether the command was given before our predecessor died: give it again.
                self._asked_again.add(egress.id)
                with contextlib.suppress(AttendantGone):
                    await attendant.send(Start(epoch=self.epoch, egress=_spec(egress)))
            elif state is State.STOPPING:
                with contextlib.suppress(AttendantGone):
                    await attendant.send(Stop(epoch=self.epoch, egress_id=egress.id))
        log.info("adopted the attendant of %s (pid %s)", self._session.call_cid, attendant.pid)
        self._changed.set()
        return attendant

    async def _begin(self) -> Attendant | None:
        """Send a spare to the call, with all that is wanted of it."""
        try:
            attendant = await self._around.spares.take()
        except AttendantGone as error:
            log.error("%s cannot be attended: %s", self._session.call_cid, error)
            return None
        self._told.clear()
        self._asked_again.clear()

        def take(tx: Session) -> list[EgressSpec]:
            session = owned(tx, self.session_id, self.epoch)
            session.attendant_socket, session.attendant_pid = str(attendant.path), attendant.pid
            session.attendant_seq = 0
            now = datetime.now(UTC)
            specs = []
            for egress in lifecycle.live_egresses(tx, self.session_id):
                state = State(egress.state)
                if egress.desired == "run" and (
                    state in TAKEN_UP or (state is State.PENDING and self._admit(tx, egress, now))
                ):
                    lifecycle.starting(egress, now)
                    specs.append(_spec(egress))
            return specs

        specs = await self._around.ledger.write(take)
        try:
            await attendant.send(Attend(job=self._job(specs)))
        except AttendantGone:
            await self._died(attendant)
            return None
        for spec in specs:
            self._told[spec.egress_id] = "start"
        self._changed.set()
        return attendant

    def _job(self, specs: list[EgressSpec]) -> Job:
        settings = self._around.settings
        return Job(
            call_cid=self._session.call_cid,
            session_id=self.session_id,
            epoch=self.epoch,
            connector=self._session.connector,
            ice=self._around.ice,
            spool=settings.spools,
            delay=settings.recording.delay,
            orphan_timeout=settings.attendants.orphan_timeout,
            egresses=specs,
        )

    # While it attends.

    async def _converse(self, attendant: Attendant) -> Over | None:
        """Command and listen until it says that it is over, or (None) is lost."""
        listening = asyncio.create_task(self._listen(attendant))
        beside = {
            asyncio.create_task(self._command(attendant)),
            asyncio.create_task(self._keep_alive(attendant)),
        }
        waiting: set[asyncio.Task[Over | None] | asyncio.Task[None]] = {listening, *beside}
        try:
            while listening in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await task
            return await listening
        finally:
            for task in (listening, *beside):
                task.cancel()
            await asyncio.gather(listening, *beside, return_exceptions=True)
            await attendant.hang_up()

    async def _listen(self, attendant: Attendant) -> Over | None:
        with contextlib.suppress(AttendantGone):
            async for report in attendant.reports():
                over = await self._heard(attendant, report)
                if over is not None:
                    return over
        return None

    async def _heard(self, attendant: Attendant, report: Report) -> Over | None:
        """Write a report down, then let the attendant forget it."""
        cid = self._session.call_cid
        match report:
            case Ready() if self._asked_again and not self._told_attend(attendant):
                # Our predecessor died before it sent this spare to the call.
                await self._send_again(attendant)
                return None
            case Disconnected():
                log.warning("%s: the SFU is out of reach: %s", cid, report.reason)
            case EgressStarted():
                log.info("%s: recording %s", cid, report.egress_id)
            case EgressStopped():
                log.info("%s: %s is stopped: %s", cid, report.egress_id, report.reason)
            case EgressFailed():
                log.error("%s: %s failed: %s (%s)", cid, report.egress_id, report.error, report.code)
            case Over() if report.code:
                log.error("%s: the call is over: %s (%s)", cid, report.reason, report.code)
            case Warned():
                log.warning("%s: %s (%s)", cid, report.message, report.code)
            case Refused():
                log.warning("%s: %s was refused: %s (%s)", cid, report.op, report.error, report.code)
                repeated = self._asked_again and report.egress_id in (None, *self._asked_again)
                if repeated and report.op in ("start", "attend"):
                    await attendant.ack(report.seq)
                    return None
                if report.op == "attend":
                    report = Over(at=report.at, code=report.code, reason=report.error)
        template = self._around.settings.storage.key_template
        epoch, host, now = self.epoch, self._around.settings.owner, datetime.now(UTC)
        await self._around.ledger.write(
            lambda tx: reports.write(tx, self.session_id, epoch, report, template, host, now)
        )
        if report.seq:
            await attendant.ack(report.seq)
            self._changed.set()
        if isinstance(report, PartClosed):
            self._around.delivery.wake()
        return report if isinstance(report, Over) else None

    def _told_attend(self, attendant: Attendant) -> bool:
        return attendant.path.name in self._told

    async def _send_again(self, attendant: Attendant) -> None:
        self._told[attendant.path.name] = "attend"
        live = await self._around.ledger.read(lambda tx: lifecycle.live_egresses(tx, self.session_id))
        specs = [_spec(egress) for egress in live if egress.id in self._asked_again]
        await attendant.send(Attend(job=self._job(specs)))

    async def _command(self, attendant: Attendant) -> None:
        """Give the commands that are due whenever something changed."""
        with contextlib.suppress(AttendantGone):
            while True:
                await self._changed.wait()
                self._changed.clear()
                orders = _Orders(idle=True) if self._leaving else await self._orders()
                for spec in orders.start:
                    await attendant.send(Start(epoch=self.epoch, egress=spec))
                for egress_id in orders.stop:
                    await attendant.send(Stop(epoch=self.epoch, egress_id=egress_id))
                if orders.idle:
                    await attendant.send(Leave(epoch=self.epoch))
                    await asyncio.sleep(self._around.settings.attendants.leave_timeout)
                    log.error("the attendant of %s does not leave; it is killed", self._session.call_cid)
                    attendant.kill()
                    return

    async def _orders(self) -> _Orders:
        def decide(tx: Session) -> _Orders:
            owned(tx, self.session_id, self.epoch)
            now = datetime.now(UTC)
            live = {egress.id: egress for egress in lifecycle.live_egresses(tx, self.session_id)}
            orders = _Orders()
            for op, egress_id in due([_wanted(e) for e in live.values()], self._told):
                egress = live[egress_id]
                if op == "give_up":
                    lifecycle.aborted(tx, egress, "it was stopped before it was started", now)
                elif op == "stop":
                    lifecycle.stopping(egress, now)
                    orders.stop.append(egress_id)
                elif self._admit(tx, egress, now):
                    lifecycle.starting(egress, now)
                    orders.start.append(_spec(egress))
            orders.idle = idle(_wanted(e) for e in live.values() if not State(e.state).over)
            return orders

        orders = await self._around.ledger.write(decide)
        self._told |= {spec.egress_id: "start" for spec in orders.start}
        self._told |= dict.fromkeys(orders.stop, "stop")
        return orders

    async def _keep_alive(self, attendant: Attendant) -> None:
        """Ping it, and kill it when it is silent for too long: a stuck attendant is as good as a dead one."""
        limits = self._around.settings.attendants
        loop = asyncio.get_running_loop()
        with contextlib.suppress(AttendantGone):
            while True:
                await attendant.ping()
                await asyncio.sleep(min(limits.ping_interval, limits.silence / 3))
                silent = loop.time() - attendant.heard
                if silent > limits.silence:
                    log.error("the attendant of %s is silent for %.0f s; it is killed", self._session.call_cid, silent)
                    attendant.kill()
                    await attendant.hang_up()
                    return

    # After it.

    async def _part(self, attendant: Attendant) -> None:
        """It said its last word: wait for its end."""
        if not await attendant.gone(self._around.settings.attendants.leave_timeout):
            log.error("the attendant of %s said its last word but lives on; it is killed", self._session.call_cid)
            attendant.kill()
            await attendant.gone(1.0)
        await self._clear_up(attendant, crashed=False)

    async def _died(self, attendant: Attendant) -> None:
        """It is gone without a last word: save what it left."""
        if not await attendant.gone(0.5):
            attendant.kill()
            await attendant.gone(2.0)
        await self._clear_up(attendant, crashed=True)

    async def _clear_up(self, attendant: Attendant, *, crashed: bool) -> None:
        def clear(tx: Session) -> list[File]:
            session = owned(tx, self.session_id, self.epoch)
            session.attendant_socket = session.attendant_pid = None
            session.attendant_seq = 0
            now = datetime.now(UTC)
            for egress in tx.scalars(select(Egress).where(Egress.session_id == self.session_id)):
                if State(egress.state).over and not crashed:
                    continue
                self._find_unreported(tx, egress)
            left = list(files.left_open(tx, self.session_id))
            for egress in lifecycle.live_egresses(tx, self.session_id):
                state = State(egress.state)
                ending = state in (State.STOPPING, State.FINALIZING) or (
                    state is not State.PENDING and egress.desired == "stop"
                )
                if ending and not egress.files_closed:
                    lifecycle.closed(tx, egress, "attendant_died", now, now)
            return left

        self._around.delivery.salvage(await self._around.ledger.write(clear))
        attendant.forget()

    def _find_unreported(self, tx: Session, egress: Egress) -> None:
        """Enter files that were opened in the last moment, before the attendant could tell."""
        known = [file.spool_path for file in files.of_egress(tx, egress.id)]
        for path in unreported(self._around.settings.spools / egress.id, known):
            part = egress.next_part
            files.opened(
                tx,
                egress,
                epoch=self.epoch,
                part=part,
                path=path,
                start_time=began(path),
                host=self._around.settings.owner,
            )

    async def _again(self, lived: float, what: str) -> None:
        """Wait before the next attempt, or fail what is wanted when there have been too many."""
        pause = self._restarts.crashed(lived)
        if pause is not None:
            log.warning("the attendant of %s %s; the next one starts in %.1f s", self._session.call_cid, what, pause)
            await asyncio.sleep(pause)
            return
        count = self._restarts.crashes

        def fail(tx: Session) -> None:
            owned(tx, self.session_id, self.epoch)
            now = datetime.now(UTC)
            for egress in lifecycle.live_egresses(tx, self.session_id):
                if State(egress.state) in (State.PENDING, *TAKEN_UP):
                    error = f"the attendant {what}, {count} times in a row"
                    lifecycle.failed(tx, egress, "attendant_crashed", error, now)

        log.error("the attendant of %s %s, %d times in a row: given up", self._session.call_cid, what, count)
        await self._around.ledger.write(fail)

    async def _needed(self) -> bool:
        """Whether anything is to be recorded. What was taken back before it began is ended here."""

        def look(tx: Session) -> bool:
            owned(tx, self.session_id, self.epoch)
            now = datetime.now(UTC)
            needed = False
            for egress in lifecycle.live_egresses(tx, self.session_id):
                state = State(egress.state)
                if egress.desired == "run" and state in TAKEN_UP:
                    egress.restarts += 1
                    needed = True
                elif state is State.PENDING and egress.desired == "stop":
                    lifecycle.aborted(tx, egress, "it was stopped before it was started", now)
                elif state is State.PENDING:
                    needed = self._admit(tx, egress, now) or needed
                elif state in TAKEN_UP:
                    lifecycle.closed(tx, egress, "stopped", now, now)
            return needed

        return await self._around.ledger.write(look)

    async def _end(self) -> bool:
        """Close the session; False when something new was asked for meanwhile."""

        def end(tx: Session) -> bool:
            session = owned(tx, self.session_id, self.epoch)
            now = datetime.now(UTC)
            live = lifecycle.live_egresses(tx, self.session_id)
            waiting = any(State(egress.state) is not State.FINALIZING for egress in live)
            if waiting and not self._leaving:
                return False
            if not waiting:
                session.ended_at = now
            release(session)
            return True

        return await self._around.ledger.write(end)

    def _admit(self, tx: Session, egress: Egress, now: datetime) -> bool:
        """Promise room in the spool, or fail the egress with the figures."""
        settings = self._around.settings
        settings.spools.mkdir(parents=True, exist_ok=True)
        running = tx.scalars(select(Egress).where(Egress.state.in_([s.value for s in TAKEN_UP]))).all()
        hours = settings.spool.reserve_hours
        reason = shortage(
            shutil.disk_usage(settings.spools).free,
            settings.spool.min_free,
            sum(_reserve(e, hours) for e in running if e.id != egress.id),
            _reserve(egress, hours),
        )
        if reason is not None:
            log.error("%s is refused: %s", egress.id, reason)
            lifecycle.failed(tx, egress, "spool_full", reason, now)
        return reason is None


def _spec(egress: Egress) -> EgressSpec:
    return CompositeRecording.model_validate({**egress.spec, "egress_id": egress.id, "first_part": egress.next_part})


def _wanted(egress: Egress) -> Wanted:
    return Wanted(egress.id, State(egress.state), egress.desired)


def _reserve(egress: Egress, hours: float) -> int:
    spec = _spec(egress)
    return reservation(spec.video.max_bitrate if spec.quality.size[0] else None, spec.audio.bitrate, hours)


def _said(attendant: Attendant) -> str:
    return "unknown" if attendant.exit_code is None else str(attendant.exit_code)
