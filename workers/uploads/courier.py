"""One file on its way to a store: what is known of it, and what is due."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from storage.target import Upload
from workers.ledger.uploads import Pending
from workers.uploads.pauses import Pauses
from workers.uploads.plan import MOST_PARTS, Move, Rescue, Step, Vanished, View, next_step, part_size_for
from workers.uploads.progress import Progress


class Courier:
    """Belongs to the lane of its store. ``now`` is the loop's clock; other times are seconds since 1970."""

    def __init__(self, pending: Pending, host: str, least_part: int, now: float) -> None:
        file = pending.file
        assert file.key is not None
        self.file_id = file.id
        self.egress_id = file.egress_id
        self.call_cid = pending.call_cid
        self.path = Path(file.spool_path)
        self.key = file.key
        self.start_time: datetime = file.start_time
        self.progress = Progress.from_json(file.upload)
        self.part_size = self.progress.part_size if self.progress else part_size_for(_most(pending.spec), least_part)
        spool_host = (file.upload or {}).get("spool_host")
        self.rescued = spool_host is not None and spool_host != host
        """Whether the file lies in the spool of a worker that is gone, and only its parts can be had."""
        self.resumed = spool_host == host
        self.closed = False
        self.salvaged = False
        self.size: int | None = None
        """Bytes on the disk; None when it is not there."""
        self.upload: Upload | None = None
        self.checked: set[int] = set()
        self.in_flight: set[int] = set()
        self.busy = False
        """A step is done that bears no other beside it."""
        self.over = False
        self.pauses = Pauses()
        self.failed_at = 0.0
        self.noted = file.error
        self.recording = asyncio.Lock()
        """Held while the progress is written down, so that an older one never overwrites a newer one."""
        self._written = 0.0
        self._passed: dict[int, float] = {}
        self._last_sent = now

    def observe(self, pending: Pending, found: os.stat_result | None) -> None:
        """Take in what the ledger and the disk say now."""
        self.closed = pending.file.state == "closed"
        self.salvaged = pending.file.salvaged or self.resumed
        if found is None:
            self.size = None
            return
        before = (self.size or 0) // self.part_size
        if self.size is not None:  # of what was there at the first look nobody knows when it was written
            for number in range(before + 1, found.st_size // self.part_size + 1):
                self._passed.setdefault(number, found.st_mtime)
        self.size, self._written = found.st_size, found.st_mtime

    def until(self, number: int, end: int) -> float:
        """When the byte before ``end``, the last one of that part, was on the disk. In between it is estimated."""
        size = self.size or 0
        if end >= size or size == 0:
            return self._written
        start = self.start_time.timestamp()
        return self._passed.get(number, start + (self._written - start) * end / size)

    def step(self, now: float, tail_after: float, *, whole: bool) -> Step | None:
        """``whole``: the store takes files only when they are closed, and as they are."""
        if self.rescued:
            return Rescue()
        if whole:
            return Move() if self.closed else None
        if self.size is None:
            return Vanished() if self.closed else None
        view = View(
            size=self.size,
            closed=self.closed,
            changed=self.salvaged,
            part_size=self.part_size,
            opened=self.progress is not None,
            sent={number: sent.part.size for number, sent in self.progress.parts.items()} if self.progress else {},
            checked=self.checked,
            in_flight=self.in_flight,
            idle=now - self._last_sent,
            tail_after=tail_after,
        )
        return next_step(view)

    def sent(self, now: float) -> None:
        self._last_sent = now

    def begin_anew(self, *, larger: bool = False) -> Upload | None:
        """Forget the upload; returns what is to be aborted."""
        old, self.upload, self.progress = self.upload, None, None
        self.checked.clear()
        if larger:
            self.part_size = max(2 * self.part_size, part_size_for(self.size or 0, self.part_size))
        return old


def _most(spec: dict[str, Any]) -> int:
    """Bytes that one file of an egress has at most, as far as its settings tell."""
    video = (spec.get("video") or {}).get("max_bitrate") or 20_000_000
    audio = (spec.get("audio") or {}).get("bitrate") or 128_000
    return min(int(spec.get("roll_over") or 7200.0) * (video + audio) // 8, MOST_PARTS * 512 * 2**20)
