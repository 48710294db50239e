"""JSON lines between a listener and a loopback room."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

Message = dict[str, Any]

LONGEST_LINE = 1 << 20
"""Bytes."""


class Wire:
    """A connection to a room."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int, host: str = "127.0.0.1") -> Wire:
        return cls(*await asyncio.open_connection(host, port, limit=LONGEST_LINE))

    def send(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def read(self) -> Message | None:
        """The next message, or None when the room has gone."""
        try:
            line = await self._reader.readline()
            found = json.loads(line) if line else None
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()
