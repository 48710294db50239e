"""What one recording of a loopback call costs: all that the attendant's process tree uses, once it is under way."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.attendant import Attendant
from egress.protocol.job import GuardRules, Job
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import EgressEnded, EgressStarted, Progress, Warned

WARM_UP = 6.0
MOST_DROPPED = 0.01
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    seconds: float
    cores: float
    pictures: int
    pictures_dropped: int
    warned: bool

    @property
    def void(self) -> str | None:
        """Why it proves nothing, or None."""
        if self.pictures_dropped > MOST_DROPPED * self.pictures:
            return f"{self.pictures_dropped} of {self.pictures} pictures were left out: the machine had too little time"
        return "something that it needs could not be had" if self.warned else None


async def record(room: str, spec: CompositeRecording, folder: Path, seconds: float) -> Cost:
    """Record a loopback room with an attendant of its own, and measure for so many seconds after a warm-up."""
    await asyncio.to_thread(folder.mkdir)
    job = Job(
        call_cid="default:bench",
        session_id="bench",
        connector={"type": "loopback", "url": room},
        guard=GuardRules(allow_private=("127.0.0.0/8",)),
        spool=folder / "spool",
        egresses=[spec],
    )
    async with Attendant(folder, spec.egress_id) as attendant:
        await attendant.attend(job)
        await attendant.report(EgressStarted, egress_id=spec.egress_id)
        await asyncio.sleep(WARM_UP)
        before, began, first = tree_seconds(attendant.pid), time.monotonic(), attendant.last(Progress)
        await asyncio.sleep(seconds)
        used, passed, last = tree_seconds(attendant.pid) - before, time.monotonic() - began, attendant.last(Progress)
        warned = attendant.last(Warned)
        await attendant.stop(spec.egress_id)
        await attendant.report(EgressEnded, egress_id=spec.egress_id)
    assert first is not None
    assert last is not None
    return Cost(
        seconds=passed,
        cores=used / passed,
        pictures=last.pictures - first.pictures,
        pictures_dropped=last.pictures_dropped - first.pictures_dropped,
        warned=warned is not None,
    )


def tree_seconds(root: int) -> float:
    """Processor seconds of a process and all that descend from it, those that have ended included."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        parents[int(entry.name)] = int(fields[1])
        used[int(entry.name)] = sum(int(field) for field in fields[11:15])
    family, newer = {root}, {root}
    while newer:
        newer = {pid for pid, parent in parents.items() if parent in newer}
        family |= newer
    return sum(used.get(pid, 0) for pid in family) / _TICK
