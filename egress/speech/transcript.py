"""The transcript as a file: JSON lines, written as the call goes, in the order of speech when it is closed.

A line is there for good as soon as it is added: whoever writes may die at any time. What was torn by that is left out
by whoever reads, and cut off by whoever goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from egress.speech.contract import Line, Word


class TranscriptWriter:
    """One file. A file that is there already is gone on with. Raises OSError like any file."""

    def __init__(self, path: Path, *, language: bool = False, words: bool = False) -> None:
        self.path = path
        self.lines = 0
        """Lines in the file."""
        self._language = language
        self._words = words
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            kept = b"".join(_whole(path.read_bytes()))
            self.lines = kept.count(b"\n")
            with path.open("r+b") as file:
                file.truncate(len(kept))
        self._file: BinaryIO | None = path.open("ab")

    def add(self, line: Line) -> None:
        """Write it, in the order in which texts come."""
        assert self._file is not None, "the transcript is closed"
        self._file.write(_told(line, self._language, self._words))
        self._file.flush()
        self.lines += 1

    def close(self) -> Path:
        """Put the lines in order; the file is whole at any moment, before and after. May be called again."""
        if self._file is not None:
            self._file.close()
            self._file = None
            order(self.path)
        return self.path


def order(path: Path) -> int:
    """Bring the lines of a transcript into the order in which they were spoken; returns how many there are."""
    lines = list(_whole(path.read_bytes()))
    lines.sort(key=lambda line: _key(json.loads(line)))
    beside = path.with_name(path.name + ".ordered")
    with beside.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return len(lines)


def read(path: Path) -> list[Line]:
    """The lines of a transcript, also of one that is being written. Raises OSError."""
    lines = []
    for told in _whole(path.read_bytes()):
        line = json.loads(told)
        lines.append(
            Line(
                start=_seconds(line["start_time"]),
                stop=_seconds(line["stop_time"]),
                speaker_id=line["speaker_id"],
                text=line["text"],
                language=line.get("language"),
                words=tuple(
                    Word(
                        word["text"],
                        _seconds(word["start_time"]),
                        _seconds(word["stop_time"]),
                        word.get("probability", 1.0),
                    )
                    for word in line.get("words", ())
                ),
            )
        )
    return lines


def time_of(seconds: float) -> str:
    """RFC 3339, UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(told: str) -> float:
    return datetime.fromisoformat(told).timestamp()


def _told(line: Line, language: bool, words: bool) -> bytes:
    told: dict[str, Any] = {
        "type": "speech",
        "start_time": time_of(line.start),
        "stop_time": time_of(line.stop),
        "speaker_id": line.speaker_id,
        "text": line.text,
    }
    if language and line.language:
        told["language"] = line.language
    if words:
        told["words"] = [
            {
                "text": word.text,
                "start_time": time_of(word.start),
                "stop_time": time_of(word.end),
                "probability": round(word.probability, 3),
            }
            for word in line.words
        ]
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _key(line: dict[str, Any]) -> tuple[str, str, str]:
    return line["start_time"], line["stop_time"], line["speaker_id"]


def _whole(told: bytes) -> Iterable[bytes]:
    """The lines that are whole, each with its end."""
    for line in told.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            continue
        try:
            if isinstance(json.loads(line), dict):
                yield line
        except ValueError:
            continue
