"""The process that unpacks pictures: ``python -m egress.images.child``, driven over its standard input and output.

A picture may be made to crash a decoder, to take its time or all memory, and even a good one holds Python's lock for a
third of a second. None of that may happen where a call is recorded.

In: the side and the length of the content (two numbers of 4 bytes), the content. Out: 1 and width, height (4 bytes
each) and premultiplied RGBA, or 0 and the length of a text and the text. Numbers are big-endian.
"""

from __future__ import annotations

import contextlib
import os
import resource
import struct
import sys
from typing import BinaryIO

from egress.images.decoding import ImageRefused, decode

MEMORY = 1 << 30
"""Bytes of address space beyond what a start takes."""


def serve(asked: BinaryIO, answer: BinaryIO) -> None:
    """Unpack what is asked for until nobody asks any more."""
    while len(head := asked.read(8)) == 8:
        side, length = struct.unpack(">II", head)
        content = asked.read(length)
        try:
            decoded = decode(content, side)
        except ImageRefused as error:
            _refuse(answer, str(error))
        except MemoryError:
            _refuse(answer, "it takes too much memory")
        else:
            width, height = decoded.size
            answer.write(struct.pack(">BII", 1, width, height))
            answer.write(decoded.rgba.data)
        answer.flush()


def _refuse(answer: BinaryIO, reason: str) -> None:
    text = reason.encode()
    answer.write(struct.pack(">BI", 0, len(text)) + text)


def _confine() -> None:
    """Take little: of memory, of what others want of the processor, and nothing of the disk."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        pages = int(statm.read().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        os.nice(10)


if __name__ == "__main__":
    _confine()
    serve(sys.stdin.buffer, sys.stdout.buffer)
