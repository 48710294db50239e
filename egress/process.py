"""What an attendant's process is asked and told, around the one call that it attends."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from egress import logs
from egress.attendant import Attendant
from egress.composite import utc
from egress.ipc import Reports
from egress.protocol.commands import Attend, Command, Direct, Fenced, Leave, SetLanguage, Start, Update
from egress.protocol.job import Job
from egress.protocol.reports import Attends, EgressFailed, Over, Refused, Report

log = logging.getLogger(__name__)


class Process:
    """What the process is asked and told, around one attendant."""

    def __init__(self) -> None:
        self.reports = Reports()
        self.attendant: Attendant | None = None
        self.failed = False
        self._leave: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._attending = asyncio.Event()
        self._epoch = 0
        self.reports.listen(self._watch, 0)

    def introduce(self) -> Attends | None:
        """What an agent that comes is told first."""
        if self.attendant is None:
            return None
        job = self.attendant.job
        return Attends(at=utc(time.time()), session_id=job.session_id, epoch=self._epoch, pid=os.getpid())

    def _watch(self, report: Report) -> None:
        self.failed = self.failed or isinstance(report, EgressFailed)

    def leave(self, reason: str, *, unasked: bool = False) -> None:
        """Finish everything and go. Unasked is an end that no agent wanted: another attendant may go on."""
        if not self._leave.done():
            self.reports.unasked = unasked
            self._leave.set_result(reason)

    def attend(self, job: Job) -> None:
        self._epoch = job.epoch
        logs.always_about(call_cid=job.call_cid, session_id=job.session_id)
        logs.hide([*logs.secrets_in(job), *logs.telling_in(job.connector)])
        self.attendant = Attendant(job, self.reports.tell)
        self.attendant.open()
        self._attending.set()

    def command(self, command: Command) -> None:
        """Carry out an agent's command, or tell why not."""
        if isinstance(command, Attend):
            if self.attendant is not None:
                self._refuse("attend", "already_attending", f"already attending {self.attendant.job.call_cid}")
            else:
                self.attend(command.job)
            return
        if not isinstance(command, Fenced):
            return
        if command.epoch < self._epoch:
            self._refuse(command.op, "stale_epoch", f"epoch {command.epoch} is over, it is {self._epoch} now")
            return
        self._epoch = command.epoch
        if self.reports.unasked:
            log.info("%s comes too late: we leave, and whoever comes next sees to it", command.op)
            return
        if isinstance(command, Leave):
            self.leave("the agent told to leave", unasked=command.resume)
        elif self.attendant is None:
            self._refuse(command.op, "not_attending", "no call is attended")
        elif isinstance(command, Start):
            self.attendant.start(command.egress)
        elif isinstance(command, Direct):
            self.attendant.direct(command.directions)
        elif isinstance(command, Update):
            if not self.attendant.update(command.egress_id, command.layout):
                self._unknown(command.op, command.egress_id)
        elif isinstance(command, SetLanguage):
            if not self.attendant.set_language(command.egress_id, command.language):
                self._unknown(command.op, command.egress_id)
        elif not self.attendant.stop(command.egress_id, command.reason):
            self._unknown(command.op, command.egress_id)

    def _unknown(self, op: str, egress_id: str) -> None:
        self._refuse(op, "unknown_egress", f"no egress {egress_id} runs here", egress_id)

    def _refuse(self, op: str, code: str, error: str, egress_id: str | None = None) -> None:
        self.reports.tell(Refused(at=utc(time.time()), op=op, code=code, error=error, egress_id=egress_id))

    async def until_over(self, *, by_hand: bool) -> tuple[str, str]:
        """Wait for the end of the call or the order to leave; finish everything. Returns code and reason."""
        waits = [asyncio.create_task(self._ended()), asyncio.create_task(self._left())]
        if by_hand:
            waits.append(asyncio.create_task(self._all_done()))
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        code, reason = done.pop().result()
        if self.attendant is not None:
            await self.attendant.close(reason)
        return code, reason

    def last_word(self, code: str, reason: str) -> None:
        """Tell that the process ends, and whether the room did."""
        ended = self.attendant is not None and self.attendant.room_ended
        self.reports.tell(Over(at=utc(time.time()), code=code, reason=reason, room_ended=ended))

    async def _ended(self) -> tuple[str, str]:
        await self._attending.wait()
        assert self.attendant is not None
        await self.attendant.ended.wait()
        return self.attendant.end_code, self.attendant.end_reason

    async def _left(self) -> tuple[str, str]:
        return "", await asyncio.shield(self._leave)

    async def _all_done(self) -> tuple[str, str]:
        """By hand: the job's duration is recorded, or nothing is left to record."""
        assert self.attendant is not None
        job = self.attendant.job
        while not (job.egresses and self.attendant.idle):
            await asyncio.sleep(0.05)
            if job.duration is not None and self.attendant.recorded >= job.duration:
                return "", f"{job.duration:g} s are recorded"
        return "", "everything is recorded" if self.attendant.recordings.egresses else "there is nothing to record"
