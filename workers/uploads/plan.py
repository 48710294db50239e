"""What is to be sent next of one file: pure decisions.

While a file grows, a part goes up when the file has grown beyond it. When nothing was sent for a while, the unfinished
tail goes up as the part after; it is sent again when it has grown. At the close the tail goes up, and *then* part 1
once more, because a closing MP4 changes its head to point at its end: until the end is there, the old head is the
right one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

MOST_PARTS = 10_000
"""That S3 takes of one file."""
_ROUNDED = 2**20


@dataclass(frozen=True, slots=True)
class View:
    """One file as it is now."""

    size: int
    """Bytes on the disk."""
    closed: bool
    changed: bool
    """Whether bytes that were sent may have changed anywhere, as when a torn end was cut off."""
    part_size: int
    opened: bool
    """Whether an upload was begun."""
    sent: Mapping[int, int]
    """Sizes of the parts that the store has, by number."""
    checked: Collection[int]
    """Parts of a closed file that are known to be those of the disk."""
    in_flight: Collection[int]
    idle: float
    """Seconds since a part was sent, or since the file was first seen."""
    tail_after: float


@dataclass(frozen=True, slots=True)
class Put:
    """Send a part. With ``compare``, only when its bytes are not those that were sent."""

    number: int
    offset: int
    size: int
    compare: bool = False


@dataclass(frozen=True, slots=True)
class PutWhole:
    """Send the whole file by one request."""

    size: int


@dataclass(frozen=True, slots=True)
class Complete:
    """Put together the parts up to this one."""

    count: int


@dataclass(frozen=True, slots=True)
class BeginAnew:
    """The file has outgrown its parts."""


@dataclass(frozen=True, slots=True)
class Move:
    """Hand the closed file to a store that takes files as they are."""


@dataclass(frozen=True, slots=True)
class Vanished:
    """The closed file is not in the spool: make do with the parts that were sent."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """Complete the upload of a worker that is gone, with the parts that were sent."""


Step = Put | PutWhole | Complete | BeginAnew | Move | Vanished | Rescue


def next_step(view: View) -> Step | None:
    if view.closed:
        return _closed(view)
    return _growing(view)


def _growing(view: View) -> Step | None:
    size = view.part_size
    full = min(max(0, view.size - 1) // size, MOST_PARTS)
    for number in range(1, full + 1):
        if view.sent.get(number) != size and number not in view.in_flight:
            return Put(number, (number - 1) * size, size)
    tail = view.size - full * size
    due = view.idle >= view.tail_after and not view.in_flight and full < MOST_PARTS
    if due and tail > 0 and view.sent.get(full + 1) != tail:
        return Put(full + 1, full * size, tail)
    return None


def _closed(view: View) -> Step | None:
    size = view.part_size
    if not view.opened and view.size <= size:
        return None if view.in_flight else PutWhole(view.size)
    count = max(1, -(-view.size // size))
    if count > MOST_PARTS:
        return None if view.in_flight else BeginAnew()
    for number in (*range(2, count + 1), 1):
        if number in view.in_flight:
            continue
        wanted = min(size, view.size - (number - 1) * size)
        there = view.sent.get(number) == wanted
        doubtful = view.changed or number in (1, count)
        if there and (number in view.checked or not doubtful):
            continue
        if number == 1 and view.in_flight:
            return None
        return Put(number, (number - 1) * size, wanted, compare=there)
    return None if view.in_flight else Complete(count)


def part_size_for(expected: int, least: int) -> int:
    """The size of parts for a file of so many bytes at most: whole MiB, with a tenth to spare."""
    needed = -(-expected * 11 // (10 * MOST_PARTS))
    return max(least, -(-needed // _ROUNDED) * _ROUNDED)
