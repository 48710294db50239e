"""An attendant process as its agent would drive it: started as a spare, commanded over its socket."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from pydantic import BaseModel

from egress.protocol.commands import Ack, Attend, Hello, Leave, Start, Stop
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import REPORT, Ready, Report

Kind = TypeVar("Kind", bound=BaseModel)


class Attendant:
    """``async with Attendant(folder) as attendant``: a spare that is ready."""

    def __init__(self, folder: Path, name: str = "attendant") -> None:
        self._socket = folder / f"{name}.sock"
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._reports: list[Report] = []
        self._told = asyncio.Condition()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "egress.attend", "--socket", str(self._socket), stdout=log, stderr=log
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(str(self._socket), limit=1 << 22)
                break
            except OSError:
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the attendant did not start: {self._log.read_text()[-2000:]}") from None
                await asyncio.sleep(0.01)
        self._reading = asyncio.create_task(self._read(reader))
        await self.say(Hello())
        await self.report(Ready)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        with contextlib.suppress(ConnectionError):
            await self.say(Leave(epoch=1 << 30))
        try:
            await asyncio.wait_for(self._process.wait(), 20)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            self._reading.cancel()

    async def say(self, command: BaseModel) -> None:
        assert self._writer is not None
        self._writer.write(command.model_dump_json().encode() + b"\n")
        await self._writer.drain()

    async def attend(self, job: Job) -> None:
        await self.say(Attend(job=job))

    async def start(self, spec: CompositeRecording) -> None:
        await self.say(Start(epoch=1, egress=spec))

    async def stop(self, egress_id: str) -> None:
        await self.say(Stop(epoch=1, egress_id=egress_id))

    async def report(self, kind: type[Kind], timeout: float = 30.0, **wanted: Any) -> Kind:
        """The report of that kind (and those values), now or when it comes."""
        async with asyncio.timeout(timeout), self._told:
            while True:
                for report in self._reports:
                    if isinstance(report, kind) and all(getattr(report, k) == v for k, v in wanted.items()):
                        return report
                await self._told.wait()

    def last(self, kind: type[Kind]) -> Kind | None:
        """The newest report of that kind."""
        return next((r for r in reversed(self._reports) if isinstance(r, kind)), None)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            report = REPORT.validate_json(line)
            async with self._told:
                self._reports.append(report)
                self._told.notify_all()
            if report.seq:
                await self.say(Ack(seq=report.seq))
