"""Attendant processes as the agent sees them: started or found again, spoken to over their socket."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from egress.protocol.commands import Ack, Hello, Ping
from egress.protocol.reports import REPORT, Ready, Report
from workers.attendant_environment import environment
from workers.settings import Settings

log = logging.getLogger(__name__)

LONGEST_LINE = 4 * 2**20
"""Bytes of one report."""


class AttendantGone(Exception):
    """The attendant does not answer any more."""


class Attendant:
    """One attendant: its process, when it is our child, and a connection to its socket."""

    def __init__(self, path: Path, pid: int | None = None, *, child: bool = False) -> None:
        self.path = path
        self.pid = pid
        self.exit_code: int | None = None
        self.heard = asyncio.get_running_loop().time()
        """When anything was last heard of it, on the loop's clock."""
        self._child = child
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @classmethod
    def spawn(cls, settings: Settings) -> Attendant:
        """Start a spare, in a session of its own so that it outlives us. It has to be connected to next."""
        name = uuid.uuid4().hex[:12]
        for folder in (settings.runs, settings.sockets):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = settings.sockets / f"{name}.sock"
        log_file = str(settings.runs / f"{name}.log")
        command = [*settings.attendants.command, "--socket", str(path)]
        write = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        # Not subprocess: its objects insist on the end of the child before their own.
        pid = os.posix_spawnp(
            command[0],
            command,
            environment(settings, os.environ),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log_file, write, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        return cls(path, pid, child=True)

    @property
    def name(self) -> str:
        return self.path.stem

    async def connect(self, timeout: float, after: int = 0) -> None:
        """Open the connection and say hello, waiting for the socket to appear. Raises AttendantGone."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            try:
                self._reader, self._writer = await asyncio.open_unix_connection(self.path, limit=LONGEST_LINE)
                break
            except OSError as error:
                waiting = self._child and error.errno in (errno.ENOENT, errno.ECONNREFUSED)
                if not waiting or self.ended() or asyncio.get_running_loop().time() > deadline:
                    raise AttendantGone(f"attendant {self.name} cannot be reached: {error.strerror}") from None
            await asyncio.sleep(0.02)
        await self.send(Hello(after=after))

    async def send(self, command: BaseModel) -> None:
        """Give a command. Raises AttendantGone."""
        if self._writer is None:
            raise AttendantGone(f"attendant {self.name} is not connected")
        try:
            self._writer.write(command.model_dump_json().encode() + b"\n")
            await self._writer.drain()
        except OSError as error:
            raise AttendantGone(f"attendant {self.name} hung up: {error}") from None

    async def ack(self, seq: int) -> None:
        await self.send(Ack(seq=seq))

    async def ping(self) -> None:
        await self.send(Ping())

    async def reports(self) -> AsyncIterator[Report]:
        """What it says, until it hangs up. Lines that are no reports are logged and left out."""
        assert self._reader is not None
        while True:
            try:
                line = await self._reader.readline()
            except (OSError, ValueError) as error:
                log.warning("attendant %s: the connection broke: %s", self.name, error)
                return
            if not line:
                return
            self.heard = asyncio.get_running_loop().time()
            try:
                report = REPORT.validate_json(line)
            except ValidationError as error:
                log.warning("attendant %s said something unknown: %s", self.name, error.errors(include_url=False)[:1])
                continue
            if isinstance(report, Ready):
                self.pid = report.pid
            yield report

    async def ready(self, timeout: float) -> None:
        """Wait until a spare has everything loaded. Raises AttendantGone."""
        try:
            async with asyncio.timeout(timeout):
                async for report in self.reports():
                    if isinstance(report, Ready):
                        return
        except TimeoutError:
            raise AttendantGone(f"attendant {self.name} was not ready within {timeout:g} s") from None
        self.ended()
        raise AttendantGone(f"attendant {self.name} ended before it was ready (exit code {self.exit_code})")

    def ended(self) -> bool:
        """Whether the process is gone. Collects the exit code of a child."""
        if self.exit_code is not None:
            return True
        if self.pid is None:
            return False
        if self._child:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                self.exit_code = 0
                return True
            if pid == 0:
                return False
            self.exit_code = os.waitstatus_to_exitcode(status)
            return True
        return not _runs(self.pid, self.path)

    async def gone(self, timeout: float) -> bool:
        """Wait for the end of the process; False when it takes longer."""
        deadline = asyncio.get_running_loop().time() + timeout
        while not self.ended():
            if asyncio.get_running_loop().time() >= deadline:
                return False
            await asyncio.sleep(0.02)
        return True

    def kill(self) -> None:
        """End it by force. A process id that another program has by now is left alone."""
        if self.pid is not None and not self.ended() and (self._child or _runs(self.pid, self.path)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    async def hang_up(self) -> None:
        """Close the connection; the attendant goes on."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
            self._writer = None

    def forget(self) -> None:
        """Remove the socket of an attendant that has ended."""
        self.path.unlink(missing_ok=True)


def _runs(pid: int, socket: Path) -> bool:
    """Whether that process is the attendant at that socket, and not a zombie or a later process."""
    try:
        said = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return os.fsencode(socket.name) in said
