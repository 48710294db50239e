"""Lets an attendant finish whose session another worker has: its files are ours to deliver, its states nobody's."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.commands import Leave
from egress.protocol.reports import EgressEnded, EgressFailed, Over, PartClosed, PartOpened, Report
from workers.attendants import Attendant, AttendantGone
from workers.attending.clearing import enter_unreported
from workers.attending.conversing import read
from workers.attending.inbox import Inbox
from workers.attending.surroundings import Surroundings
from workers.ledger import clock, files, lifecycle, reports
from workers.ledger.tables import CallSession, Egress, File

log = logging.getLogger(__name__)


async def let_finish(around: Surroundings, attendant: Attendant, session_id: str, epoch: int) -> None:
    """Have it leave, under its own epoch, and write down what it says of files and its reception until it is over.

    It goes on until its heir records, so that nothing is lost between them, but for no longer than a lease.
    """
    patience = around.settings.agent.lease
    limit = around.settings.attendants.leave_timeout
    log.warning("session %s has a newer lease: its attendant %s finishes its files", session_id, attendant.name)
    with contextlib.suppress(AttendantGone, TimeoutError):
        async with asyncio.timeout(patience + limit):
            await attendant.connect(2.0)
            leaving = asyncio.create_task(_leave(around, attendant, session_id, epoch, patience))
            try:
                await _listen(around, attendant, session_id, epoch)
            finally:
                leaving.cancel()
                await asyncio.gather(leaving, return_exceptions=True)
    await attendant.hang_up()
    if not await attendant.gone(1.0):
        attendant.kill()
        await attendant.gone(1.0)

    def left(tx: Session) -> list[File]:
        """What it left open, also such files as it never told of."""
        for egress in tx.scalars(select(Egress).where(Egress.session_id == session_id).order_by(Egress.id)):
            enter_unreported(tx, around.settings, egress)
        opened = files.left_open(tx, session_id)
        return [f for f in opened if f.host == around.settings.owner and f.epoch <= epoch]

    around.delivery.salvage(await around.ledger.write(left))
    attendant.forget()


async def _leave(around: Surroundings, attendant: Attendant, session_id: str, epoch: int, patience: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while True:
                if await around.ledger.read(lambda tx: _dispensable(tx, session_id, epoch)):
                    break
                await asyncio.sleep(around.settings.agent.poll)
    with contextlib.suppress(AttendantGone):
        await attendant.send(Leave(epoch=epoch))


def _dispensable(tx: Session, session_id: str, epoch: int) -> bool:
    """Whether an heir records everything that is wanted, or there is none to wait for."""
    session = tx.get(CallSession, session_id)
    if session is None or session.ended_at is not None or session.epoch <= epoch:
        return True
    if session.owner is None or session.lease_expires is None or session.lease_expires < clock.now(tx):
        return True
    wanted = {egress.id for egress in lifecycle.live_egresses(tx, session_id) if egress.desired == "run"}
    taken_up = select(File.egress_id).where(File.egress_id.in_(wanted), File.epoch > epoch)
    return wanted <= set(tx.scalars(taken_up))


async def _listen(around: Surroundings, attendant: Attendant, session_id: str, epoch: int) -> None:
    inbox = Inbox()
    reading = asyncio.create_task(read(attendant, inbox))
    pinging = asyncio.create_task(_ping(around, attendant))
    try:
        async for report in inbox.reports():
            if isinstance(report, PartOpened | PartClosed | EgressEnded | EgressFailed):
                await _write(around, session_id, epoch, report)
            if report.seq:
                await attendant.ack(report.seq)
            if isinstance(report, PartClosed):
                around.delivery.wake()
            if isinstance(report, Over):
                return
    finally:
        reading.cancel()
        pinging.cancel()
        await asyncio.gather(reading, pinging, return_exceptions=True)


async def _write(around: Surroundings, session_id: str, epoch: int, report: Report) -> None:
    template, host = around.settings.storage.key_template, around.settings.owner
    await around.ledger.write(lambda tx: reports.write_stale(tx, session_id, epoch, report, template, host))


async def _ping(around: Surroundings, attendant: Attendant) -> None:
    """It shall not think that it is alone while the ledger makes us wait."""
    with contextlib.suppress(AttendantGone):
        while True:
            await asyncio.sleep(around.settings.attendants.ping_interval)
            await attendant.ping()
