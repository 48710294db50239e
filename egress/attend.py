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
from egress.composite import utc
from egress.ipc import CommandSocket
from egress.process import Process
from egress.protocol.job import Job
from egress.protocol.reports import Ready, Refused, Report
from egress.warm import warm

SPARE_TIMEOUT = 60.0
"""Seconds without a word from an agent after which a spare goes."""
UNHURRIED = 0.3
"""Seconds without a job after which a new process is a spare."""
LAST_WORDS = 5.0
"""Seconds to wait at the end for an agent to acknowledge the last reports."""
_M_ARENA_MAX = -8


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
