"""Gives a session its attendant: one that an agent before us left there, or a spare."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from sqlalchemy.orm import Session

from egress.protocol.commands import Attend, Start, Stop
from egress.protocol.directions import Directions
from egress.protocol.job import Job
from egress.protocol.specs import EgressSpec
from workers.attendants import Attendant, AttendantGone
from workers.attending import clearing
from workers.attending.admission import TAKEN_UP, admit, drop, order
from workers.attending.engagement import Engagement, now
from workers.calls.projects import resolved
from workers.guard import rules_of
from workers.ledger import directions, lifecycle
from workers.ledger.claims import owned
from workers.ledger.states import State
from workers.spares import dismiss

log = logging.getLogger(__name__)

ANSWER = 2.0
"""Seconds in which an attendant that runs must answer."""


def left_there(engaged: Engagement) -> Attendant | None:
    """The attendant of which the ledger knew when the session was claimed, if it sits on this host."""
    session = engaged.session
    if session.attendant_socket is None:
        return None
    path = Path(session.attendant_socket)
    return Attendant(path, session.attendant_pid) if path.parent == engaged.around.settings.sockets else None


async def adopt(engaged: Engagement) -> Attendant | None:
    """The attendant that an agent before us left at this session, if it still answers."""
    session, around = engaged.session, engaged.around
    if session.attendant_socket is None:
        return None
    attendant = left_there(engaged)
    if attendant is None:
        # It sits on another host, whose worker lost the session: what it finishes is delivered there.
        log.warning("%s was attended on another host", engaged.cid)
        await clearing.clear_up(engaged, None, crashed=False)
        return None
    try:
        await attendant.connect(ANSWER, after=session.attendant_seq)
    except AttendantGone:
        log.warning("the attendant of %s is gone", engaged.cid)
        await clearing.died(engaged, attendant)
        return None
    for egress in await around.ledger.read(lambda tx: lifecycle.live_egresses(tx, engaged.id)):
        state = State(egress.state)
        if state in TAKEN_UP:
            engaged.told[egress.id] = "start"
        await engaged.hold.wait()
        if state is State.STARTING:
            # Nobody knows whether the command was given before our predecessor died: give it again.
            engaged.asked_again.add(egress.id)
            with contextlib.suppress(AttendantGone):
                await attendant.send(Start(epoch=engaged.epoch, egress=order(egress)))
        elif state is State.STOPPING:
            with contextlib.suppress(AttendantGone):
                await attendant.send(Stop(epoch=engaged.epoch, egress_id=egress.id))
    log.info("adopted the attendant of %s (pid %s)", engaged.cid, attendant.pid)
    engaged.changed.set()
    return attendant


class NothingToDo(Exception):
    """What was wanted when a spare was asked for is not wanted any more."""


async def begin(engaged: Engagement) -> Attendant | None:
    """Send a spare to the call, with all that is wanted of it. None when there is no spare to be had.

    Raises NothingToDo.
    """
    around = engaged.around
    try:
        attendant = await around.spares.take()
    except AttendantGone as error:
        log.error("%s cannot be attended: %s", engaged.cid, error)
        return None
    engaged.forget_orders()

    def take(tx: Session) -> tuple[list[EgressSpec], Directions]:
        session = owned(tx, engaged.id, engaged.epoch)
        moment = now()
        specs = []
        for egress in lifecycle.live_egresses(tx, engaged.id):
            state = State(egress.state)
            if egress.desired != "run":
                # It was to stop while the spare was on its way: nobody will be told to start it, so it ends here.
                drop(tx, egress, moment)
                continue
            if state in TAKEN_UP:
                egress.restarts += 1
            elif state is not State.PENDING or not admit(tx, around, egress, moment):
                continue
            lifecycle.starting(egress, moment)
            specs.append(order(egress))
        if specs:
            session.attendant_socket, session.attendant_pid = str(attendant.path), attendant.pid
            session.attendant_seq = 0
        return specs, directions.in_force(session.directions)

    try:
        specs, said = await around.ledger.write(take)
        await engaged.hold.wait()
    except BaseException:
        await dismiss(attendant)
        raise
    if not specs:
        await dismiss(attendant)
        raise NothingToDo
    try:
        await attendant.send(Attend(job=job(engaged, specs, said)))
    except AttendantGone:
        await clearing.died(engaged, attendant)
        return None
    engaged.ordered(specs)
    engaged.directed = said
    engaged.changed.set()
    return attendant


def job(engaged: Engagement, specs: list[EgressSpec], said: Directions) -> Job:
    settings = engaged.around.settings
    return Job(
        call_cid=engaged.cid,
        session_id=engaged.id,
        epoch=engaged.epoch,
        connector=resolved(engaged.session.connector, settings.projects),
        ice=engaged.around.ice,
        guard=rules_of(settings),
        spool=settings.spools,
        speech=engaged.around.speech.service,
        delay=settings.recording.delay,
        orphan_timeout=settings.attendants.orphan_timeout,
        egresses=specs,
        directions=said,
    )
