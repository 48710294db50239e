"""A folder as store: files are moved into place, so that nobody ever sees half of one."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path

from storage.target import FileGone, Part, StorageError, Stored, Upload, UploadGone


class LocalUpload:
    """A file that grows beside its place, hidden by a leading dot, until it is complete."""

    def __init__(self, target: LocalTarget, key: str, part_size: int, temporary: Path) -> None:
        self._target = target
        self._key = key
        self._temporary = temporary
        self.part_size = part_size
        self.token = json.dumps({"key": key, "part_size": part_size, "temporary": temporary.name})

    def put_part(self, number: int, data: bytes) -> Part:
        if number < 1 or len(data) > self.part_size:
            raise StorageError(f"part {number} of {len(data)} bytes does not fit parts of {self.part_size} bytes")
        try:
            with self._temporary.open("r+b") as file:
                file.seek((number - 1) * self.part_size)
                file.write(data)
            return Part(number, len(data), "")
        except OSError as error:
            raise StorageError(f"{self._temporary} cannot be written: {error.strerror}") from error

    def complete(self, parts: Sequence[Part]) -> Stored:
        place = self._target.place(self._key)
        try:
            _sync(self._temporary)
            self._temporary.replace(place)
            _sync(place.parent)
            return Stored(self._key, place.as_uri(), place.stat().st_size)
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error.strerror}") from error

    def stored(self, parts: Sequence[Part]) -> Stored:
        return Stored(self._key, self._target.place(self._key).as_uri(), sum(part.size for part in parts))

    def abort(self) -> None:
        self._temporary.unlink(missing_ok=True)


class LocalTarget:
    """Files below ``folder``; URLs are ``file://``."""

    while_growing = False
    """Moving a finished file is quicker than copying a growing one."""

    def __init__(self, folder: Path, name: str = "local") -> None:
        self.name = name
        self._folder = folder.absolute()

    def place(self, key: str) -> Path:
        """Where a key is kept. Raises StorageError for a key that would leave the folder."""
        if key.startswith("/") or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
            raise StorageError(f"{key!r} is no path inside {self._folder}")
        return self._folder / key

    def check(self) -> str:
        """Write, read and remove a file."""
        said = b"Wallflower can write here.\n"
        stored = self.put(f".wallflower-{uuid.uuid4().hex}.md", said)
        place = self.place(stored.key)
        read = place.read_bytes()
        place.unlink()
        if read != said:
            raise StorageError(f"{self._folder} gives back other bytes than were written")
        return stored.url

    def put(self, key: str, data: bytes) -> Stored:
        upload = self.open_upload(key, max(1, len(data)))
        return upload.complete([upload.put_part(1, data)])

    def deliver(self, path: Path, key: str) -> Stored:
        place = self.place(key)
        if not path.exists():
            # A crash between moving the file and writing so down: it is where it belongs.
            if place.is_file():
                return Stored(key, place.as_uri(), place.stat().st_size)
            raise FileGone(f"{path} is not in the spool, and {place} is not there either")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                path.replace(place)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._carry_over(path, place)
            _sync(place.parent)
            return Stored(key, place.as_uri(), place.stat().st_size)
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error.strerror}") from error

    def open_upload(self, key: str, part_size: int) -> Upload:
        place = self.place(key)
        temporary = place.with_name(f".{uuid.uuid4().hex}.upload")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary.touch(mode=0o644)
        except OSError as error:
            raise StorageError(f"{place} cannot be written: {error.strerror}") from error
        return LocalUpload(self, key, part_size, temporary)

    def resume_upload(self, token: str) -> Upload:
        said = json.loads(token)
        temporary = self.place(said["key"]).with_name(said["temporary"])
        if not temporary.is_file():
            raise UploadGone(f"the upload of {said['key']} is gone")
        return LocalUpload(self, said["key"], said["part_size"], temporary)

    def _carry_over(self, path: Path, place: Path) -> None:
        """Move between file systems: the copy is safe on disk before it takes its name and the original goes."""
        temporary = place.with_name(f".{uuid.uuid4().hex}.upload")
        try:
            shutil.copyfile(path, temporary)
            _sync(temporary)
            temporary.replace(place)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        path.unlink()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
