"""The one way out for a page's browser: an HTTP proxy that connects to nothing but what the guard allows.

Names are resolved here and the connection goes to an address that was checked, so neither a redirect, a script, a
WebSocket nor a name that changes its address leads into a private network. It listens on 127.0.0.1 and gives nobody on
this machine more than they have. It speaks HTTP/1.1: ``CONNECT`` (RFC 9110, 9.3.6) and absolute URLs.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque

import httpx

from egress.url_guard import Guard, UrlRefused

log = logging.getLogger(__name__)

REFUSED = "wallflower-refused"
"""The field of an answer that is ours: there is none from where the page was to go."""
LONGEST_HEAD = 1 << 16
"""Bytes."""
CONNECT_TIMEOUT = 15.0
HEAD_TIMEOUT = 60.0
_PIECE = 1 << 16
_HOP = ("proxy-connection", "proxy-authorization", "connection", "keep-alive")


class GuardedProxy:
    """Event loop only."""

    def __init__(self, guard: Guard) -> None:
        self.refused: deque[str] = deque(maxlen=4)
        """Sentences on what the page asked for last that is not allowed."""
        self._guard = guard
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LONGEST_HEAD)

    async def close(self) -> None:
        """Take no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError, ValueError) as error:
            log.debug("a connection of the page ended: %r", error)
        except asyncio.CancelledError:
            pass  # nobody waits for this task but close()
        finally:
            self._connections.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(HEAD_TIMEOUT):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        request, _, fields = head.partition("\r\n")
        method, target, version = request.split(" ")
        try:
            host, port, sent = self._way(method, target, version, fields)
            async with asyncio.timeout(CONNECT_TIMEOUT):
                there, to = await self._connect(host, port)
        except UrlRefused as error:
            self._refuse(str(error))
            await _answer(writer, "403 Forbidden", str(error), f"{REFUSED}: 1\r\n")
            return
        except (OSError, TimeoutError) as error:
            await _answer(writer, "502 Bad Gateway", f"no connection: {error}")
            return
        try:
            if method == "CONNECT":
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                to.write(sent)
            await asyncio.gather(_pump(reader, to), _pump(there, writer))
        finally:
            to.close()

    def _way(self, method: str, target: str, version: str, fields: str) -> tuple[str, int, bytes]:
        """Host, port, and the head to send there. Raises UrlRefused."""
        if method == "CONNECT":
            host, _, port = target.rpartition(":")
            return host, int(port), b""
        if not target.startswith("http://"):
            # wss:// and https:// come by CONNECT, ws:// too.
            raise UrlRefused("only http:// is asked for in the clear")
        checked = self._guard.form(target, credentials=True)
        path = httpx.URL(target).raw_path.decode("ascii")
        kept = [line for line in fields.split("\r\n") if line and line.partition(":")[0].strip().lower() not in _HOP]
        lines = [f"{method} {path} {version}", *kept, "Connection: close", "", ""]
        return checked.host, checked.port, "\r\n".join(lines).encode("latin-1")

    async def _connect(self, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        last: OSError | None = None
        for address in await self._guard.addresses_async(host, port):
            try:
                return await asyncio.open_connection(str(address), port)
            except OSError as error:
                last = error
        raise last or OSError("no address")

    def _refuse(self, sentence: str) -> None:
        if sentence not in self.refused:
            log.warning("the page may not go there: %s", sentence)
            self.refused.append(sentence)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(_PIECE):
            writer.write(piece)
            await writer.drain()
    finally:
        with contextlib.suppress(OSError, RuntimeError):
            if writer.can_write_eof():
                writer.write_eof()


async def _answer(writer: asyncio.StreamWriter, status: str, text: str, more: str = "") -> None:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n"
    writer.write(f"{head}{more}\r\n".encode() + body)
    await writer.drain()
