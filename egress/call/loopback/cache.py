"""Keeps what was drawn and spoken once in the user's cache folder, so that the next demo call begins at once."""

from __future__ import annotations

import contextlib
import hashlib
import os
import struct
import tempfile
from pathlib import Path

import av

from egress.call.loopback import guests, lines
from egress.call.loopback.cast import Guest
from egress.call.loopback.guests import Content, content

_HEADER = struct.Struct(">4I")
_LENGTH = struct.Struct(">I")


def folder() -> Path:
    """Where it is kept (XDG Base Directory Specification)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wallflower" / "loopback"


def cached_content(guest: Guest) -> Content:
    """The guest's content, from the cache or made now. A cache that cannot be read or written only costs time."""
    voice = lines.FOLDER / f"{guest.id}.opus"
    made_by = Path(guests.__file__).read_bytes() + voice.read_bytes() + av.__version__.encode() + repr(guest).encode()
    path = folder() / f"{guest.id}-{hashlib.sha256(made_by).hexdigest()[:16]}"
    with contextlib.suppress(OSError, ValueError):
        return unpack(path.read_bytes())
    made = content(guest)
    with contextlib.suppress(OSError):
        _write(path, pack(made))
    return made


def pack(shown: Content) -> bytes:
    """The four loops as bytes: their lengths, then each packet behind its own length."""
    loops = (shown.talking_pictures, shown.listening_pictures, shown.voice, shown.silence)
    parts = [_HEADER.pack(*map(len, loops))]
    for loop in loops:
        for packet in loop:
            parts += [_LENGTH.pack(len(packet)), packet]
    return b"".join(parts)


def unpack(data: bytes) -> Content:
    """The opposite of :func:`pack`. Raises ValueError when it is no such thing, or not all of it."""
    try:
        counts = _HEADER.unpack_from(data)
        at = _HEADER.size
        loops: list[list[bytes]] = []
        for count in counts:
            loop = []
            for _ in range(count):
                (length,) = _LENGTH.unpack_from(data, at)
                at += _LENGTH.size
                loop.append(data[at : at + length])
                at += length
            loops.append(loop)
    except struct.error as error:
        raise ValueError("the data ends too early") from error
    if at != len(data) or not all(loops):
        raise ValueError("the data has another length than it says")
    return Content(*loops)


def _write(path: Path, data: bytes) -> None:
    """All or nothing: another room may write the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            file.write(data)
        except OSError:
            Path(file.name).unlink()
            raise
    Path(file.name).replace(path)
