"""The attendant's process: ``python -m egress.attend JOB.json`` by hand, ``--socket PATH`` as an agent's spare.

By hand it attends the job at once and prints its reports as JSON lines; it ends when the job's ``duration`` is
recorded, the call is over, or at SIGINT or SIGTERM, and finishes its files first. Exit codes: 0 all is well, 1 an
egress failed or was refused, 2 the job cannot be read.

As a spare it loads everything, listens on the socket and waits for ``attend``. It ends with ``leave``, when the call is
over, or when no agent has spoken to it for the job's ``orphan_timeout``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path

from egress import job_file, logs
from egress.attendant import Attendant
from egress.composite import utc
from egress.ipc import CommandSocket, Reports
from egress.protocol.commands import Attend, Command, Direct, Fenced, Leave, SetLanguage, Start, Update
from egress.protocol.job import Job
from egress.protocol.reports import Attends, EgressFailed, Over, Ready, Refused, Report
from egress.warm import warm

log = logging.getLogger("egress.attend")

SPARE_TIMEOUT = 60.0
"""Seconds without a word from an agent after which a spare goes."""
UNHURRIED = 0.3
"""Seconds without a job after which a new process is a spare."""
LAST_WORDS = 5.0
"""Seconds to wait at the end for an agent to acknowledge the last reports."""
_M_ARENA_MAX = -8


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


async def _by_hand(job: Job) -> int:
    process = Process()
    _on_signals(process, unasked=False)
    refused: list[Refused] = []

    def told(report: Report) -> None:
        print(report.model_dump_json(), flush=True)
        if isinstance(report, Refused):
            refused.append(report)

    process.reports.listen(told, 0)
    process.attend(job)
    code, reason = await process.until_over(by_hand=True)
    process.last_word(code, reason)
    return 1 if process.failed or refused or code else 0


async def _by_agent(path: Path) -> int:
    process = Process()
    _on_signals(process, unasked=True)
    socket = CommandSocket(path, process.reports, process.command, process.introduce)
    await socket.open()
    process.reports.tell(Ready(at=utc(time.time()), pid=os.getpid()))
    warming = asyncio.create_task(_warm_up(process))
    watching = asyncio.create_task(_watch_orphan(process, socket))
    code, reason = await process.until_over(by_hand=False)
    watching.cancel()
    warming.cancel()
    process.last_word(code, reason)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS):
            await process.reports.acknowledged()
    await socket.close()
    return 1 if process.failed or code else 0


async def _warm_up(process: Process) -> None:
    """Warm a spare. One that was started for a call that waits has better things to do."""
    await asyncio.sleep(UNHURRIED)
    if process.attendant is None:
        await asyncio.to_thread(warm)


async def _watch_orphan(process: Process, socket: CommandSocket) -> None:
    while True:
        await asyncio.sleep(0.5)
        limit = process.attendant.job.orphan_timeout if process.attendant else SPARE_TIMEOUT
        if time.monotonic() - socket.last_word > limit:
            process.leave(f"no agent has spoken for {limit:g} s", unasked=True)


def _on_signals(process: Process, *, unasked: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        leave = partial(process.leave, f"signal {signal.Signals(number).name}", unasked=unasked)
        loop.add_signal_handler(number, leave)


def _bound_memory() -> None:
    """Keep glibc from making an arena for every thread: each would hold on to the largest frame it ever saw."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def main(arguments: list[str] | None = None) -> int:
    """Run an attendant; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m egress.attend", description="Attend one call.")
    parser.add_argument("job", nargs="?", type=Path, help="job file (JSON)")
    parser.add_argument("--socket", type=Path, help="wait for an agent on this Unix socket")
    parser.add_argument("--log-level", default=os.environ.get("WALLFLOWER_LOG_LEVEL", "INFO"))
    given = parser.parse_args(arguments)
    if given.log_level.upper() not in logging.getLevelNamesMapping():
        parser.error(f"--log-level {given.log_level!r} is unknown; known are DEBUG, INFO, WARNING, ERROR, CRITICAL")
    _bound_memory()
    if (given.job is None) == (given.socket is None):
        parser.error("give either a job file or --socket")
    logs.configure(logging.getLevelNamesMapping()[given.log_level.upper()], logs.format_by_environment())
    for noisy in ("aioice", "aiortc", "httpx", "httpcore", "websockets"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    if given.socket:
        return asyncio.run(_by_agent(given.socket))
    try:
        job = job_file.read(given.job)
    except job_file.JobFileError as error:
        print(error, file=sys.stderr)
        return 2
    return asyncio.run(_by_hand(job))


if __name__ == "__main__":
    code = main()
    # Threads of libraries may still be winding down; everything of ours is closed.
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)
