"""Where events go: a JSON-lines file and standard output."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO


@dataclass(frozen=True, slots=True)
class Envelope:
    """An event on its way. ``id`` stays the same however often it is sent; ``payload`` is what is told."""

    id: str
    call_cid: str
    position: int
    payload: dict[str, Any]


class SinkError(Exception):
    """A sink did not take an event. The text is one sentence for people; trying again may help."""


class Sink(Protocol):
    """Takes events, one at a time, those of one call in order. May be called again with the same event."""

    name: str

    def send(self, event: Envelope) -> None:
        """Blocks. Raises SinkError."""
        ...


class FileSink:
    """Appends the payloads to a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self.name = f"file {path}"
        self._path = path

    def send(self, event: Envelope) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line(event) + "\n")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {error.strerror}") from error


class StreamSink:
    """Prints the payloads, one JSON object a line."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.name = "standard output"
        self._stream = stream

    def send(self, event: Envelope) -> None:
        stream = self._stream or sys.stdout
        try:
            stream.write(line(event) + "\n")
            stream.flush()
        except (OSError, ValueError) as error:
            raise SinkError(f"standard output cannot be written: {error}") from error


def line(event: Envelope) -> str:
    return json.dumps(event.payload, ensure_ascii=False, separators=(",", ":"))
