"""What every store of finished files offers: whole files out of the spool, and uploads while a file still grows."""

from __future__ import annotations

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


class Upload(Protocol):
    """A file on its way. Parts are numbered from 1, all of ``part_size`` bytes but the last.

    A part may be put again as long as the upload is open; the latest bytes count (the head of an MP4 changes when it
    is closed).
    """

    token: str
    """Enough to take the upload up again with :meth:`Target.resume_upload`, also from another process."""
    part_size: int

    def put_part(self, number: int, data: bytes) -> None: ...

    def complete(self) -> Stored:
        """Make what was put visible under its key, all at once."""
        ...

    def abort(self) -> None:
        """Forget what was put. Safe to call twice."""
        ...


class Target(Protocol):
    """A store. All calls block and may be made from any thread; all raise StorageError."""

    name: str

    def check(self) -> None:
        """Write, read and remove a small file."""
        ...

    def deliver(self, path: Path, key: str) -> Stored:
        """Take a finished file out of the spool: afterwards ``path`` is gone. Calling again after a crash is safe."""
        ...

    def open_upload(self, key: str, part_size: int) -> Upload: ...

    def resume_upload(self, token: str) -> Upload: ...
