"""Makes the file of a writer that died end where its last whole fragment ends (ISO/IEC 14496-12, 4.2: boxes)."""

from __future__ import annotations

import os
from pathlib import Path

_HEADER = 8
_LARGE_HEADER = 16


def drop_torn_fragment(path: Path) -> int:
    """Cut off what follows the last complete ``moof`` and ``mdat`` of a fragmented MP4; returns how many bytes.

    A file that is whole, or is no MP4, stays as it is. Raises OSError.
    """
    size = path.stat().st_size
    whole = 0
    with path.open("rb") as file:
        position = 0
        while position + _HEADER <= size:
            file.seek(position)
            header = file.read(_LARGE_HEADER)
            length, kind = int.from_bytes(header[:4], "big"), header[4:8]
            if position == 0 and kind != b"ftyp":
                return 0
            if length == 1 and len(header) == _LARGE_HEADER:
                length = int.from_bytes(header[8:16], "big")
            if length == 0:  # to the end of the file
                return 0
            if length < _HEADER or position + length > size:
                break
            position += length
            if kind != b"moof":  # a moof without its mdat describes what is not there
                whole = position
    if whole in (0, size):
        return 0
    os.truncate(path, whole)
    return size - whole
