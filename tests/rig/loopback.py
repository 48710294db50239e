"""A loopback room for scenarios: its process, commands to it, and a door at which everybody who comes in is counted.

``async with LoopbackRoom(guests=3) as room`` starts one; ``room.url`` is where a call lives, ``await room.do("add")``
lets guests act. What goes through the door is not changed, only noted. ``exact=True`` seats the exact guests of
:mod:`tests.rig.exact_room`, whose marks say of every second of a file when it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from egress.call.loopback.wire import LONGEST_LINE, Wire
from tests.rig.product import ROOT


@dataclass(slots=True)
class Visit:
    """One listener that attended, from when it asked to until its connection ended."""

    begin: float
    end: float | None = None


class LoopbackRoom:
    """``operations`` counts the commands that came through the door, ``attended`` says when listeners asked to attend.

    ``visits`` has the same attendances with their ends. Times are seconds since 1970.
    """

    def __init__(self, guests: int, *, exact: bool = False) -> None:
        self.operations: Counter[str] = Counter()
        self.attended: list[float] = []
        self.visits: list[Visit] = []
        self._guests = guests
        self._module = "tests.rig.exact_room" if exact else "egress.call.loopback.room"
        self._process: asyncio.subprocess.Process | None = None
        self._port = 0
        self._door: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._door is not None
        return f"tcp://127.0.0.1:{self._door.sockets[0].getsockname()[1]}"

    @property
    def inner_url(self) -> str:
        """Where the room is behind the door, before and after it was :meth:`restarted <restart>`."""
        return f"tcp://127.0.0.1:{self._port}"

    async def __aenter__(self) -> Self:
        await self._start()
        self._door = await asyncio.start_server(self._let_in, "127.0.0.1", 0, limit=LONGEST_LINE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._door is not None and self._process is not None
        self._door.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)
        await self._process.communicate(b"")

    async def restart(self, away: float = 0.0) -> None:
        """Crash, stay away for so many seconds, start anew at the same port, with the guests of the beginning."""
        assert self._process is not None
        self._process.kill()
        await self._process.communicate()
        await asyncio.sleep(away)
        await self._start()

    def overlap(self) -> float:
        """The longest time for which two listeners attended at once; who has not gone yet stays until now."""
        now = time.time()
        spans = sorted((visit.begin, visit.end or now) for visit in self.visits)
        longest, until = 0.0, 0.0
        for begin, end in spans:
            longest = max(longest, min(end, until) - begin)
            until = max(until, end)
        return longest

    async def do(self, operation: str, **fields: Any) -> dict[str, Any]:
        """Give the room a command (docs/connectors.md lists them), beside the door; returns its answer."""
        wire = await Wire.open(self._port)
        wire.send({"op": operation, **fields})
        answer = await wire.read()
        await wire.close()
        assert answer is not None and answer["event"] == "done", answer
        return answer

    async def _start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", self._module),
            *("--guests", str(self._guests), "--port", str(self._port), "--until-stdin-closes"),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(60):  # the first time, pictures and voices are made
            self._port = json.loads(await self._process.stdout.readline())["port"]

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        room_reader, room_writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LONGEST_LINE)
        mine: list[Visit] = []
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pass(reader, room_writer, mine))
                both.create_task(self._pass(room_reader, writer, None))
        finally:
            self._passing.discard(task)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, noted: list[Visit] | None
    ) -> None:
        """Hand on line by line, until one side closes. What a listener says is noted."""
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                if noted is not None:
                    self._note(json.loads(line).get("op"), noted)
                writer.write(line)
        writer.close()
        for visit in noted or []:
            visit.end = time.time()

    def _note(self, operation: str, mine: list[Visit]) -> None:
        self.operations[operation] += 1
        if operation == "attend":
            mine.append(Visit(time.time()))
            self.visits.append(mine[-1])
            self.attended.append(mine[-1].begin)
