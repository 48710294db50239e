"""A receiver of hooks in the test's own loop: records what comes, and fails in every way it is told to.

``async with HookReceiver() as hook`` listens at ``hook.url``. Every request is in ``hook.requests``; ``hook.events``
are those taken with 2xx, each once by its id. ``hook.answers`` says what becomes of the next requests, ``hook.behave``
of all others. ``await hook.kill()`` closes the port and every connection, ``await hook.start()`` opens the same one.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

STALL = "stall"
"""No answer until the connection ends or ``hook.resume()`` lets it be taken."""
CLOSE = "close"
"""The request is read, the connection closed."""


@dataclass(slots=True)
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    after: float = 0.0
    """Seconds before the answer."""


Behaviour = Answer | int | str
"""An answer, a status, or STALL or CLOSE."""


@dataclass(slots=True)
class HookRequest:
    at: float
    """time.monotonic() when it was read whole."""
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    verified: bool
    """Whether the signature is that of the body with the receiver's secret."""
    connection: int
    """Number of the connection, from 1: keep-alive gives many requests one number."""
    status: int | None = None
    """What was answered."""

    @property
    def id(self) -> str:
        return self.headers["x-webhook-id"]

    @property
    def attempt(self) -> int:
        return int(self.headers["x-webhook-attempt"])

    @property
    def event(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded


class HookReceiver:
    def __init__(self, secret: str = "hook-secret", port: int = 0) -> None:
        self.secret = secret
        self.port = port
        self.requests: list[HookRequest] = []
        self.answers: deque[Behaviour] = deque()
        self.behave: Callable[[HookRequest], Behaviour] = lambda request: 200
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}
        self._count = 0
        self._resumed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[HookRequest]:
        """Requests that were answered with 2xx, also those that came twice."""
        return [r for r in self.requests if r.status is not None and 200 <= r.status < 300]

    @property
    def events(self) -> list[dict[str, Any]]:
        """Events that were taken, each once by its id, in the order in which they first were."""
        first: dict[str, dict[str, Any]] = {}
        for request in self.taken:
            first.setdefault(request.id, request.event)
        return list(first.values())

    async def start(self) -> None:
        """Listen, on the same port as before."""
        assert self._server is None
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, reuse_address=True)
        self.port = self._server.sockets[0].getsockname()[1]

    async def kill(self) -> None:
        """Be gone: nobody listens any more, open connections are reset."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for writer in list(self._connections):
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.gather(*(task for task in self._connections.values() if task is not None))

    def resume(self) -> None:
        """Take what is stalled."""
        self._resumed.set()
        self._resumed = asyncio.Event()

    async def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"not within {timeout} s; {len(self.requests)} requests came"
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections[writer] = asyncio.current_task()
        self._count += 1
        number = self._count
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while (request := await self._read(reader, number)) is not None:
                self.requests.append(request)
                if not await self._answer(request, reader, writer):
                    break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        del self._connections[writer]

    async def _read(self, reader: asyncio.StreamReader, number: int) -> HookRequest | None:
        first = await reader.readline()
        if not first.strip():
            return None
        method, path, _ = first.decode("latin-1").split(" ", 2)
        headers: dict[str, str] = {}
        while (line := (await reader.readline()).decode("latin-1").strip()) != "":
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        right = hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()
        verified = hmac.compare_digest(right, headers.get("x-signature", ""))
        return HookRequest(time.monotonic(), method, path, headers, body, verified, number)

    async def _answer(self, request: HookRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        behaviour = self.answers.popleft() if self.answers else self.behave(request)
        if behaviour == CLOSE:
            return False
        if behaviour == STALL:
            resumed = asyncio.create_task(self._resumed.wait())
            gone = asyncio.create_task(reader.read(1))
            await asyncio.wait([resumed, gone], return_when=asyncio.FIRST_COMPLETED)
            for task in (resumed, gone):
                task.cancel()
            await asyncio.gather(resumed, gone, return_exceptions=True)
            if not resumed.done() or resumed.cancelled():
                return False
            behaviour = 200
        answer = Answer(behaviour) if isinstance(behaviour, int) else behaviour
        assert isinstance(answer, Answer)
        if answer.after:
            await asyncio.sleep(answer.after)
        lines = [f"HTTP/1.1 {answer.status} -", f"Content-Length: {len(answer.body)}"]
        lines += [f"{name}: {value}" for name, value in answer.headers.items()]
        request.status = answer.status
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        await writer.drain()
        return True
