"""What every store of finished files offers: whole files out of the spool, and uploads while a file still grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class StorageError(Exception):
    """The store did not take a file. The text is one sentence for people, without secrets.

    ``hopeless``: somebody must change something first, so trying again soon is of no use. ``of_file``: the store may
    well take other files.
    """

    def __init__(self, text: str, *, hopeless: bool = False, of_file: bool = False) -> None:
        super().__init__(text)
        self.hopeless = hopeless
        self.of_file = of_file


class UploadGone(StorageError):
    """The store does not know this upload (any more), or will not make a file of its parts: begin anew."""

    def __init__(self, text: str) -> None:
        super().__init__(text, of_file=True)


class FileGone(StorageError):
    """The file to deliver is neither in the spool nor in the store."""

    def __init__(self, text: str) -> None:
        super().__init__(text, of_file=True)


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

    def stored(self, parts: Sequence[Part]) -> Stored:
        """What :meth:`complete` answers, for one whose answer was lost."""
        ...

    def abort(self) -> None:
        """Forget what was put. Safe to call twice."""
        ...


class Target(Protocol):
    """A store. All calls block and may be made from any thread; all raise StorageError."""

    name: str
    while_growing: bool
    """Whether a file that is still being written is worth sending in parts."""

    def check(self) -> str:
        """Write a small file as a finished one would be written; returns its URL. What may not be removed stays."""
        ...

    def put(self, key: str, data: bytes) -> Stored:
        """Keep these bytes under the key, at once and whole."""
        ...

    def deliver(self, path: Path, key: str) -> Stored:
        """Take a finished file out of the spool: afterwards ``path`` is gone. Calling again after a crash is safe."""
        ...

    def open_upload(self, key: str, part_size: int) -> Upload:
        """Begin to send a file in parts of ``part_size`` bytes."""
        ...

    def resume_upload(self, token: str) -> Upload:
        """Go on with an upload that was begun elsewhere. That it is gone may come out later, as UploadGone."""
        ...
