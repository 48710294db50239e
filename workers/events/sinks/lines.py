"""Sinks of JSON lines: a file, and standard output. Each line is the payload with the event's id as ``event_id``."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from pathlib import Path
from typing import TextIO

from workers.events.sinks.sink import Envelope, NotTaken

LANES = 8
"""Lines are written one after another, but their places in the ledger together."""


class FileSink:
    """Appends to a file. A line that a dead writer left half written is cut off: its event is sent again."""

    lanes = LANES

    def __init__(self, path: Path) -> None:
        self.name = f"file:{path}"[:255]
        self._path = path
        self._lock = threading.Lock()
        self._whole = False
        """Whether the file is known to end with a whole line."""

    def wants(self, event_type: str) -> bool:
        return True

    async def send(self, event: Envelope, attempts: int) -> None:
        try:
            await asyncio.to_thread(self._append, f"{line(event)}\n".encode())
        except OSError as error:
            raise NotTaken(f"{self._path} cannot be written: {error.strerror}") from error

    async def close(self) -> None:
        pass

    def _append(self, text: bytes) -> None:
        with self._lock:
            self._append_alone(text)

    def _append_alone(self, text: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            if not self._whole:
                os.ftruncate(file, _whole_lines(file))
            self._whole = False
            while text:
                text = text[os.write(file, text) :]
            self._whole = True
        finally:
            os.close(file)


class StreamSink:
    """Prints."""

    lanes = LANES

    def __init__(self, stream: TextIO | None = None) -> None:
        self.name = "stdout"
        self._stream = stream
        self._lock = threading.Lock()

    def wants(self, event_type: str) -> bool:
        return True

    async def send(self, event: Envelope, attempts: int) -> None:
        stream = self._stream or sys.stdout

        def write() -> None:
            with self._lock:
                stream.write(f"{line(event)}\n")
                stream.flush()

        try:
            await asyncio.to_thread(write)
        except (OSError, ValueError) as error:
            raise NotTaken(f"standard output cannot be written: {error}") from error

    async def close(self) -> None:
        pass


def line(event: Envelope) -> str:
    return json.dumps({**event.payload, "event_id": event.id}, ensure_ascii=False, separators=(",", ":"))


def _whole_lines(file: int) -> int:
    """How many bytes of the file are whole lines."""
    end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(file, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
