"""A door before a server, at which connections of TCP can be cut: what is behind it does not know why."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Self
from urllib.parse import urlsplit


class Door:
    """``address`` is that of a room, through this door; ``entered`` counts the connections that came through it."""

    def __init__(self, address: dict[str, Any]) -> None:
        self.entered = 0
        self._behind = address
        self._server: asyncio.Server | None = None
        self._through: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> dict[str, Any]:
        assert self._server is not None
        url = urlsplit(self._behind["url"])
        here = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return {**self._behind, "url": url._replace(netloc=here).geturl()}

    def cut(self) -> None:
        """Every connection is reset; new ones may come."""
        for writer in self._through:
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._let_in, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _let_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._passing.add(task)
        self.entered += 1
        url = urlsplit(self._behind["url"])
        inner_reader, inner_writer = await asyncio.open_connection(url.hostname, url.port)
        both = {writer, inner_writer}
        self._through |= both
        try:
            await asyncio.gather(_pass(reader, inner_writer), _pass(inner_reader, writer))
        finally:
            self._through -= both
            self._passing.discard(task)


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1 << 16):
            writer.write(data)
    writer.close()
