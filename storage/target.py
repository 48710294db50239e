"""What every store of finished files offers: whole files out of the spool, and uploads while a file still grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StorageError(Exception):
    """The store did not take a file. The text is one sentence for people; trying again may help."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file as the store has it. ``size`` is in bytes."""

    key: str
    url: str
    size: int


@dataclass(frozen=True, slots=True)
class Part:
    """A part that the store has: what it answered, which it wants to hear again when parts are put together."""

    number: int
    size: int
    """Bytes."""
    tag: str
    checksum: str = ""


class Upload(Protocol):
    """A file on its way. Parts are numbered from 1, all of ``part_size`` bytes but the last.

    A part may be put again as long as the upload is open; the latest bytes count (the head of an MP4 changes when it
    is closed).
    """

    token: str
    """Enough to take the upload up again with :meth:`Target.resume_upload`, also from another host."""
    part_size: int

    def put_part(self, number: int, data: bytes) -> Part:
        """Send one part; the store has checked its checksum when this returns."""
        ...

    def complete(self, parts: Sequence[Part]) -> Stored:
        """Make the parts visible under the key, all at once. Needs no right to read."""
        ...

    def abort(self) -> None:
        """Forget what was put. Safe to call twice."""
        ...


class Target(Protocol):
    """A store. All calls block and may be made from any thread; all raise StorageError."""

    name: str
    while_growing: bool
    """Whether a file that is still being written is worth sending in parts."""

    def check(self) -> None:
        """Write, read and remove a small file."""
        ...

    def deliver(self, path: Path, key: str) -> Stored:
        """Take a finished file out of the spool: afterwards ``path`` is gone. Calling again after a crash is safe."""
        ...

    def open_upload(self, key: str, part_size: int) -> Upload: ...

    def resume_upload(self, token: str) -> Upload: ...
