"""Commands in, reports out: JSON lines over a Unix socket, so that an attendant outlives its agent.

Reports that matter are numbered and kept until an agent says that it has them; an agent that comes (again) is told all
it has not acknowledged. What is kept is bounded: the reports of hours without an agent fit, and more is not possible,
because an attendant without an agent finishes its files and goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from pydantic import ValidationError

from egress.composite import utc
from egress.protocol.commands import COMMAND, Ack, Command, Hello, Ping
from egress.protocol.reports import EgressEnded, EgressStopped, Over, Pong, Presence, Progress, Received, Report

log = logging.getLogger(__name__)

MAX_KEPT = 10_000
LINE_LIMIT = 1 << 20
PASSING = (Pong, Presence, Progress, Received)
"""Reports of a passing state: not numbered, not repeated."""


class Reports:
    """Numbers reports, keeps them until acknowledged, hands them to whoever listens."""

    def __init__(self) -> None:
        self._seq = 0
        self._kept: deque[Report] = deque(maxlen=MAX_KEPT)
        self._listeners: list[Callable[[Report], None]] = []
        self._empty = asyncio.Event()
        self.unasked = False
        """Whether what ends from now on ends though nobody wanted that."""

    def tell(self, report: Report) -> None:
        if self.unasked and isinstance(report, EgressStopped | EgressEnded | Over):
            report = report.model_copy(update={"unasked": True})
        if not isinstance(report, PASSING):
            self._seq += 1
            report = report.model_copy(update={"seq": self._seq})
            self._kept.append(report)
        for listener in tuple(self._listeners):
            listener(report)

    def listen(self, listener: Callable[[Report], None], after: int) -> Callable[[], None]:
        """Tell ``listener`` what is kept beyond number ``after`` and what comes; returns what ends that."""
        for report in tuple(self._kept):
            if report.seq > after:
                listener(report)
        self._listeners.append(listener)

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)

        return end

    def acknowledge(self, seq: int) -> None:
        while self._kept and self._kept[0].seq <= seq:
            self._kept.popleft()
        if not self._kept:
            self._empty.set()

    async def acknowledged(self) -> None:
        """Wait until an agent has everything."""
        if self._kept:
            self._empty.clear()
            await self._empty.wait()


class CommandSocket:
    """The socket of an attendant. Whoever may open it may command, so only its owner may."""

    def __init__(
        self,
        path: Path,
        reports: Reports,
        on_command: Callable[[Command], None],
        introduce: Callable[[], Report | None] = lambda: None,
    ) -> None:
        self._path = path
        self._reports = reports
        self._on_command = on_command
        self._introduce = introduce
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self.last_word = time.monotonic()
        """When an agent last said something."""

    async def open(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        self._server = await asyncio.start_unix_server(self._serve, str(self._path), limit=LINE_LIMIT)
        self._path.chmod(0o600)

    async def close(self) -> None:
        """Let what was told go out, then close."""
        for writer in tuple(self._writers):
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.drain()
            writer.close()
        if self._server is not None:
            self._server.close()
        if self._serving:
            await asyncio.wait(self._serving, timeout=1)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()

    def _carry_out(self, command: Command) -> None:
        try:
            self._on_command(command)
        except Exception:
            # An order that cannot be carried out must not cost the agent its connection.
            log.exception("the command %s failed", command.op)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        end: Callable[[], None] | None = None

        def send(report: Report) -> None:
            if not writer.is_closing():
                writer.write(report.model_dump_json().encode() + b"\n")

        try:
            while line := await reader.readline():
                self.last_word = time.monotonic()
                try:
                    command = COMMAND.validate_json(line)
                except ValidationError as error:
                    log.warning("a command is not understood: %s", error.errors()[0]["msg"])
                    continue
                if isinstance(command, Hello):
                    if end is not None:
                        end()
                    if (first := self._introduce()) is not None:
                        send(first)
                    end = self._reports.listen(send, command.after)
                elif isinstance(command, Ack):
                    self._reports.acknowledge(command.seq)
                elif isinstance(command, Ping):
                    send(Pong(at=utc(time.time())))
                else:
                    self._carry_out(command)
        except (ConnectionError, ValueError) as error:
            log.info("an agent's connection ended: %s", error)
        finally:
            if end is not None:
                end()
            self._writers.discard(writer)
            self._serving.discard(task)
            writer.close()
