"""An HTTP proxy before one server that counts requests, and can be slow, refuse, cut connections or vanish."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    """Path and query."""

    @property
    def part(self) -> int | None:
        """The number of the part that an UploadPart of S3 sends."""
        for pair in urlsplit(self.target).query.split("&"):
            name, _, value = pair.partition("=")
            if name == "partNumber":
                return int(value)
        return None


class FaultyProxy:
    """``async with FaultyProxy(server.url) as proxy``; what is set at ``proxy`` counts from the next request on.

    It lives on the loop of the test, so the code under test must not block that loop.
    """

    def __init__(self, upstream: str) -> None:
        split = urlsplit(upstream)
        assert split.hostname and split.port
        self._upstream = (split.hostname, split.port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._spent = 0.0
        self.port = 0
        self.requests: list[Request] = []
        self.upstream_bytes = 0
        self.took: list[tuple[Request, float]] = []
        """Requests that were answered, and the seconds from their coming to the end of their answer."""
        self.refused_methods: set[str] = set()
        """Answered with 403, as by a store whose policy does not grant them."""
        self.status: int | None = None
        """Answer every request with this status instead of passing it on."""
        self.bytes_per_second: float | None = None
        """How fast all requests together may go on."""
        self.cut_after: int | None = None
        """Cut a connection when so many bytes of its request went on."""
        self.lost_answers: set[str] = set()
        """Requests of these methods go on, but the connection is cut before their answer."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def parts(self) -> list[int]:
        """Numbers of the parts that were sent, in order."""
        return [part for request in self.requests if request.method == "PUT" and (part := request.part) is not None]

    def count(self, method: str, query: str = "") -> int:
        return sum(r.method == method and query in r.target for r in self.requests)

    async def appear(self) -> None:
        """Listen again, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def vanish(self) -> None:
        """Refuse connections, and cut those that are open."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.appear()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.vanish()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._open.add(writer)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # one side is gone: so is the other
        finally:
            self._open.discard(writer)
            self._tasks.discard(task)
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request a connection: the server is told to close it, and so does not wait for more."""
        head = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
        method, target, _ = head[0].decode("latin-1").split(" ", 2)
        request, began = Request(method, target), asyncio.get_running_loop().time()
        self.requests.append(request)
        if method in self.refused_methods or self.status is not None:
            status = self.status if self.status is not None else 403
            await _answer(writer, status)
            return
        lines = [line for line in head[1:-2] if not line.lower().startswith(b"connection:")]
        there, away = await asyncio.open_connection(*self._upstream)
        self._open.add(away)
        try:
            away.write(b"\r\n".join([head[0], *lines, b"Connection: close", b"", b""]))
            upward = asyncio.create_task(self._pump_up(reader, away, writer))
            try:
                await self._pump_down(there, writer, method in self.lost_answers)
                self.took.append((request, asyncio.get_running_loop().time() - began))
            finally:
                upward.cancel()
                await asyncio.gather(upward, return_exceptions=True)
        finally:
            self._open.discard(away)
            away.transport.abort()

    async def _pump_up(
        self, reader: asyncio.StreamReader, away: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        sent = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._brake(len(data))
                away.write(data)
                await away.drain()
                sent += len(data)
                self.upstream_bytes += len(data)
                if self.cut_after is not None and sent >= self.cut_after:
                    client.transport.abort()
                    away.transport.abort()
                    return
            away.transport.abort()  # the client has gone

    async def _pump_down(self, there: asyncio.StreamReader, client: asyncio.StreamWriter, lost: bool) -> None:
        while data := await there.read(_CHUNK):
            if lost and not data.startswith(b"HTTP/1.1 100"):
                return
            client.write(data)
            await client.drain()
        if client.can_write_eof():
            client.write_eof()

    async def _brake(self, count: int) -> None:
        rate = self.bytes_per_second
        if rate is None:
            return
        now = asyncio.get_running_loop().time()
        self._spent = max(self._spent, now) + count / rate
        await asyncio.sleep(self._spent - now)


async def _answer(writer: asyncio.StreamWriter, status: int) -> None:
    code = {403: "AccessDenied", 503: "SlowDown"}.get(status, "InternalError")
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>so the test wants it</Message></Error>".encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
    await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    # A client in the middle of its body must be able to read this before the connection breaks.
    await asyncio.sleep(0.05)
