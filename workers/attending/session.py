"""One session that is ours: an attendant is there while something is to be recorded, and again when it dies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from sqlalchemy.orm import Session

from egress.protocol.reports import Over
from workers.attendants import Attendant
from workers.attending import clearing, starting
from workers.attending.admission import TAKEN_UP, admit, drop, possible
from workers.attending.conversing import Conversation
from workers.attending.engagement import Engagement, now
from workers.attending.hold import Hold
from workers.attending.stale import let_finish
from workers.attending.surroundings import Surroundings
from workers.calls.projects import NO_PROJECT, resolved
from workers.decisions import Restarts
from workers.ledger import lifecycle, sessions
from workers.ledger.claims import LeaseLost, owned, release
from workers.ledger.states import State
from workers.ledger.tables import CallSession
from workers.observing import metrics
from workers.sentences import At
from workers.settings import Settings

log = logging.getLogger(__name__)


class _Next(Enum):
    """What a session asks for that nobody attends."""

    ATTEND = auto()
    WAIT = auto()
    END = auto()


class Attending:
    """Makes one session's attendant do what the ledger wants."""

    def __init__(
        self,
        session: CallSession,
        hold: Hold,
        around: Surroundings,
        present: Callable[[int | None], None] = lambda count: None,
    ) -> None:
        self.session_id = session.id
        self.call_cid = session.call_cid
        self.hold = hold
        self.permitted = False
        """Whether this worker has room for an attendant of the session."""
        self._engaged = Engagement(session, hold, around, present)
        self._attendant: Attendant | None = None
        self._adopting = False
        self._conversation: Conversation | None = None
        self._waiting = False
        limits = around.settings.attendants
        self._restarts = Restarts(limits.restarts, limits.backoff, limits.backoff_max, limits.healthy)

    @property
    def attended(self) -> bool:
        """Whether an attendant is in the call, or on its way."""
        return self._attendant is not None

    @property
    def waiting(self) -> bool:
        """Whether nothing runs that would suffer if this were left at once."""
        return self._waiting

    @property
    def media_delay(self) -> float:
        """Seconds by which the latest egress of the call is composed later than planned."""
        return max(self._engaged.media_delays.values(), default=0.0)

    def look(self) -> None:
        """Something in the ledger, or around us, changed."""
        self._engaged.changed.set()

    def permit(self) -> None:
        """There is room for an attendant."""
        self.permitted = True
        self._engaged.changed.set()

    def leave(self) -> None:
        """Have the files finished and the call left."""
        self._engaged.leaving = True
        self._engaged.changed.set()

    async def finish(self) -> None:
        """Have the files finished without asking the ledger, which has been away for too long."""
        if self._conversation is not None:
            await self._conversation.finish()

    async def run(self) -> None:
        """Until nothing is left to record or to wait for. Raises LeaseLost, after the attendant has finished."""
        running = asyncio.create_task(self._run(), name=f"session {self.session_id}")
        lost = asyncio.create_task(self.hold.lost.wait())
        try:
            await asyncio.wait({running, lost}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
                return
            raise LeaseLost(f"session {self.session_id} is no longer ours")
        except LeaseLost:
            self.hold.lose()
            await _end(running)
            metrics.LEASES_LOST.inc()
            attendant = starting.left_there(self._engaged) if self._adopting else self._attendant
            if attendant is not None:
                await let_finish(self._engaged.around, attendant, self.session_id, self.hold.epoch)
            raise
        finally:
            await _end(running, lost)

    async def _run(self) -> None:
        engaged = self._engaged
        loop = asyncio.get_running_loop()
        if engaged.session.attendant_socket is not None:
            self._adopting = True
            self._attendant = await starting.adopt(engaged)
            self._adopting = False
        while True:
            if self._attendant is None:
                engaged.present(None)
                engaged.media_delays.clear()
                if not await self._until_needed():
                    return
                try:
                    self._attendant = await starting.begin(engaged)
                except starting.NothingToDo:
                    continue
                if self._attendant is None:
                    await self._again(0.0, "could not be started")
                    continue
            since = loop.time()
            over = await self._converse(self._attendant)
            if over is None:
                left = self._attendant
                await clearing.died(engaged, left)
                self._attendant = None
                await self._again(loop.time() - since, f"died (exit code {_said(left)})")
            else:
                await clearing.parted(engaged, self._attendant)
                self._attendant = None

    async def _converse(self, attendant: Attendant) -> Over | None:
        self._conversation = Conversation(self._engaged, attendant)
        try:
            return await self._conversation.hold()
        finally:
            self._conversation = None

    async def _until_needed(self) -> bool:
        """Wait until an attendant is wanted and there is room for it; False when the session is over or given back."""
        engaged = self._engaged
        while True:
            engaged.changed.clear()
            match await engaged.around.ledger.write(self._next):
                case _Next.END:
                    return False
                case _Next.ATTEND if self.permitted:
                    return True
            self._waiting = True
            try:
                await engaged.changed.wait()
            finally:
                self._waiting = False

    def _next(self, tx: Session) -> _Next:
        """What is to be done. What was taken back before it began is ended here, and what nobody could attend."""
        engaged = self._engaged
        session = owned(tx, engaged.id, engaged.epoch)
        if session.ended_at is not None:
            return _Next.END
        moment = now()
        needed = False
        nowhere = _nowhere(session, engaged.around.settings)
        for egress in lifecycle.live_egresses(tx, engaged.id):
            state = State(egress.state)
            if egress.desired == "stop":
                drop(tx, egress, moment)
            elif engaged.leaving:
                continue
            elif nowhere is not None and state in (State.PENDING, *TAKEN_UP):
                log.error("%s fails: %s", egress.id, nowhere)
                lifecycle.failed(tx, egress, NO_PROJECT, nowhere, moment)
            elif state in TAKEN_UP:
                needed = possible(tx, engaged.around, egress, moment) or needed
            elif state is State.PENDING:
                needed = admit(tx, engaged.around, egress, moment) or needed
        tx.flush()
        if needed:
            return _Next.ATTEND
        if sessions.settle(tx, session, moment):
            return _Next.END
        if engaged.leaving:
            release(session)
            return _Next.END
        return _Next.WAIT

    async def _again(self, lived: float, what: str) -> None:
        """Wait before the next attempt, or fail what is wanted when there have been too many."""
        engaged = self._engaged
        pause = self._restarts.crashed(lived)
        if pause is not None:
            metrics.ATTENDANT_RESTARTS.labels("restarted").inc()
            log.warning("the attendant of %s %s; the next one starts in %.1f s", engaged.cid, what, pause)
            await asyncio.sleep(pause)
            return
        count = self._restarts.crashes
        metrics.ATTENDANT_RESTARTS.labels("given_up").inc()

        def fail(tx: Session) -> None:
            owned(tx, engaged.id, engaged.epoch)
            moment = now()
            for egress in lifecycle.live_egresses(tx, engaged.id):
                if State(egress.state) in (State.PENDING, *TAKEN_UP):
                    error = f"the attendant {what}, {count} times in a row"
                    lifecycle.failed(tx, egress, "attendant_crashed", error, moment)

        log.error("the attendant of %s %s, %d times in a row: given up", engaged.cid, what, count)
        await engaged.around.ledger.write(fail)


def _nowhere(session: CallSession, settings: Settings) -> str | None:
    """Why these settings do not say where the session's room is; None when they do."""
    try:
        resolved(session.connector, settings.projects)
    except At as error:
        return f"connector.{'; '.join(error.lines)}"
    return None


async def _end(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _said(attendant: Attendant) -> str:
    return "unknown" if attendant.exit_code is None else str(attendant.exit_code)
