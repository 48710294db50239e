"""A conversation with an attendant: what is due is commanded, what it reports is written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from egress.logs import about
from egress.protocol.commands import Attend, Direct, Leave, SetLanguage, Start, Stop, Update
from egress.protocol.directions import Directions
from egress.protocol.recordings import LayoutSettings
from egress.protocol.reports import (
    Disconnected,
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    Over,
    PartClosed,
    Presence,
    Progress,
    Ready,
    Refused,
    Report,
    Spoken,
    Warned,
)
from egress.protocol.specs import EgressSpec
from egress.protocol.speech import SPEECH_KINDS
from workers.attendants import Attendant, AttendantGone
from workers.attending.admission import TAKEN_UP, admit, drop, layout_of, order, possible
from workers.attending.engagement import Engagement, now
from workers.attending.inbox import Inbox
from workers.attending.starting import job
from workers.decisions import Wanted, due, idle
from workers.ledger import directions, lifecycle, reports
from workers.ledger.claims import owned
from workers.ledger.states import State
from workers.ledger.tables import Egress
from workers.observing import metrics

log = logging.getLogger(__name__)


_BY_MESSAGE = "stopped by message"


@dataclass(slots=True)
class _Orders:
    """What is to be said to an attendant after a look into the ledger."""

    start: list[EgressSpec] = field(default_factory=list)
    stop: dict[str, str] = field(default_factory=dict)
    """Egress to why, for people."""
    update: dict[str, LayoutSettings] = field(default_factory=dict)
    direct: Directions | None = None
    languages: dict[str, str] = field(default_factory=dict)
    """Egress to what is spoken from now on."""
    idle: bool = False


class Conversation:
    """With one attendant of a session that is ours."""

    def __init__(self, engaged: Engagement, attendant: Attendant) -> None:
        self._engaged = engaged
        self._attendant = attendant
        self._sent_again = False

    async def hold(self) -> Over | None:
        """Command and listen until it says that it is over, or (None) is lost. Raises LeaseLost."""
        inbox = Inbox()
        writing = asyncio.create_task(self._write_down(inbox))
        beside = {
            asyncio.create_task(read(self._attendant, inbox)),
            asyncio.create_task(self._command()),
            asyncio.create_task(keep_alive(self._engaged, self._attendant)),
        }
        waiting: set[asyncio.Task[Over | None] | asyncio.Task[None]] = {writing, *beside}
        try:
            while writing in waiting:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    await task
            return await writing
        finally:
            for task in (writing, *beside):
                task.cancel()
            await asyncio.gather(writing, *beside, return_exceptions=True)
            await self._attendant.hang_up()

    async def finish(self) -> None:
        """Have the files finished although nobody knows whether the session is still ours: that does no harm."""
        with contextlib.suppress(AttendantGone):
            await self._attendant.send(Leave(epoch=self._engaged.epoch, resume=True))

    async def _write_down(self, inbox: Inbox) -> Over | None:
        with contextlib.suppress(AttendantGone):
            async for report in inbox.reports():
                over = await self._heard(report)
                if over is not None:
                    return over
        return None

    async def _heard(self, report: Report) -> Over | None:
        """Write a report down, then let the attendant forget it."""
        engaged = self._engaged
        match report:
            case Ready() if engaged.asked_again and not self._sent_again:
                # Our predecessor died before it sent this spare to the call.
                await self._send_again()
                return None
            case Progress():
                if report.egress_id not in engaged.languages:
                    engaged.media_delays[report.egress_id] = report.media_delay
                    metrics.MEDIA_DELAY.observe(engaged.around.settings.recording.delay + report.media_delay)
            case Spoken() if not report.translated:
                metrics.CAPTION_DELAY.observe(max(0.0, (now() - report.end_time).total_seconds()))
            case Presence():
                engaged.present(report.participants)
                return None
            case Refused():
                repeated = engaged.asked_again and report.egress_id in (None, *engaged.asked_again)
                if repeated and report.op in ("start", "attend", "update", "direct"):
                    await self._attendant.ack(report.seq)
                    return None
                if report.op == "attend":
                    report = Over(at=report.at, code=report.code, reason=report.error)
        _log(engaged.cid, report)
        template = engaged.around.settings.storage.key_template
        host = engaged.around.settings.owner
        await engaged.around.ledger.write(
            lambda tx: reports.write(tx, engaged.id, engaged.epoch, report, template, host, now())
        )
        if report.seq:
            await self._attendant.ack(report.seq)
            engaged.changed.set()
        if isinstance(report, PartClosed | EgressEnded):
            engaged.around.delivery.wake()
        return report if isinstance(report, Over) else None

    async def _send_again(self) -> None:
        self._sent_again = True
        engaged = self._engaged

        def wanted(tx: Session) -> tuple[list[EgressSpec], Directions]:
            live = lifecycle.live_egresses(tx, engaged.id)
            session = owned(tx, engaged.id, engaged.epoch)
            specs = [order(egress) for egress in live if egress.id in engaged.asked_again]
            return specs, directions.in_force(session.directions)

        specs, said = await engaged.around.ledger.read(wanted)
        await engaged.hold.wait()
        await self._attendant.send(Attend(job=job(engaged, specs, said)))
        engaged.ordered(specs)
        engaged.directed = said

    async def _command(self) -> None:
        """Give the commands that are due whenever something changed, as long as the lease allows it."""
        engaged, attendant = self._engaged, self._attendant
        with contextlib.suppress(AttendantGone):
            while True:
                await engaged.changed.wait()
                engaged.changed.clear()
                orders = _Orders(idle=True) if engaged.leaving else await self._orders()
                # Between the ledger's word and the command the lease may have run out: then it has to be renewed.
                await engaged.hold.wait()
                # First, so that what begins shows nobody who is to be hidden.
                if orders.direct is not None:
                    await attendant.send(Direct(epoch=engaged.epoch, directions=orders.direct))
                for spec in orders.start:
                    await attendant.send(Start(epoch=engaged.epoch, egress=spec))
                for egress_id, layout in orders.update.items():
                    await attendant.send(Update(epoch=engaged.epoch, egress_id=egress_id, layout=layout))
                for egress_id, language in orders.languages.items():
                    await attendant.send(SetLanguage(epoch=engaged.epoch, egress_id=egress_id, language=language))
                for egress_id, reason in orders.stop.items():
                    await attendant.send(Stop(epoch=engaged.epoch, egress_id=egress_id, reason=reason))
                if orders.idle:
                    await attendant.send(Leave(epoch=engaged.epoch))
                    await asyncio.sleep(engaged.around.settings.attendants.leave_timeout)
                    log.error("the attendant of %s does not leave; it is killed", engaged.cid)
                    attendant.kill()
                    return

    async def _orders(self) -> _Orders:
        engaged = self._engaged
        told = engaged.told

        def decide(tx: Session) -> _Orders:
            session = owned(tx, engaged.id, engaged.epoch)
            moment = now()
            live = {egress.id: egress for egress in lifecycle.live_egresses(tx, engaged.id)}
            orders = _Orders()
            if (said := directions.in_force(session.directions)) != engaged.directed:
                orders.direct = said
            for op, egress_id in due([_wanted(e) for e in live.values()], told):
                egress = live[egress_id]
                if op == "give_up":
                    drop(tx, egress, moment)
                elif op == "stop":
                    lifecycle.stopping(egress, moment)
                    orders.stop[egress_id] = egress.stop_reason or _BY_MESSAGE
                elif admit(tx, engaged.around, egress, moment):
                    lifecycle.starting(egress, moment)
                    orders.start.append(order(egress))
            for egress in live.values():
                if State(egress.state) in TAKEN_UP and not possible(tx, engaged.around, egress, moment):
                    orders.stop[egress.id] = egress.error or ""
                if told.get(egress.id) != "start" or egress.id in orders.stop:
                    continue
                if (layout := layout_of(order(egress))) and layout != engaged.layouts.get(egress.id):
                    orders.update[egress.id] = layout
                language = egress.spec.get("language") if egress.kind in SPEECH_KINDS else None
                if language is not None and engaged.languages.get(egress.id) != language:
                    orders.languages[egress.id] = language
            orders.idle = idle(_wanted(e) for e in live.values() if not State(e.state).over)
            return orders

        orders = await engaged.around.ledger.write(decide)
        engaged.ordered(orders.start)
        engaged.layouts |= orders.update
        engaged.directed = orders.direct or engaged.directed
        engaged.told |= dict.fromkeys(orders.stop, "stop")
        engaged.languages |= orders.languages
        return orders


async def read(attendant: Attendant, inbox: Inbox) -> None:
    """Hear what the attendant says, whatever the ledger does meanwhile."""
    try:
        async for report in attendant.reports():
            inbox.put(report)
    finally:
        inbox.close()


async def keep_alive(engaged: Engagement, attendant: Attendant) -> None:
    """Ping it, and kill it when it is silent for too long: a stuck attendant is as good as a dead one."""
    limits = engaged.around.settings.attendants
    loop = asyncio.get_running_loop()
    with contextlib.suppress(AttendantGone):
        while True:
            await attendant.ping()
            await asyncio.sleep(min(limits.ping_interval, limits.silence / 3))
            silent = loop.time() - attendant.heard
            if silent > limits.silence:
                log.error("the attendant of %s is silent for %.0f s; it is killed", engaged.cid, silent)
                attendant.kill()
                await attendant.hang_up()
                return


def _wanted(egress: Egress) -> Wanted:
    return Wanted(egress.id, State(egress.state), egress.desired)


def _log(cid: str, report: Report) -> None:
    egress_id = getattr(report, "egress_id", None)
    with about(**({"egress_id": egress_id} if egress_id is not None else {})):
        _say(cid, report)


def _say(cid: str, report: Report) -> None:
    match report:
        case Disconnected():
            log.warning("%s: the SFU is out of reach: %s", cid, report.reason)
        case EgressStarted():
            log.info("%s: %s has begun", cid, report.egress_id)
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
