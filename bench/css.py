"""What a style sheet costs: the same call recorded natively and through a browser, in turn, while guests speak in turn.

The guests are those of a loopback room in a process of its own. Counted is all that the attendant's process tree uses.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.attendant import Attendant
from egress.protocol import (
    CompositeRecording,
    EgressEnded,
    EgressStarted,
    GuardRules,
    Job,
    LayoutSettings,
    Progress,
    Quality,
    Warned,
)
from tests.rig.loopback import LoopbackRoom
from tests.rig.servers.pictures import PictureServer, Told

GUESTS = 4
TRIES = 2
WARM_UP = 6.0
MOST_DROPPED = 0.01
CSS = b"""
.str-video { background: linear-gradient(45deg, #123, #a52); font-family: "Noto Serif"; }
.str-video__participant-view { border-radius: 30px; }
.str-video__participant-view--speaking { outline: 6px solid gold; outline-offset: -6px; }
.str-video__participant-details { align-self: flex-start; margin: 0 40px; border-radius: 0 0 12px 12px; }
"""
_TICK = os.sysconf("SC_CLK_TCK")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    styled: bool
    seconds: float
    cores: float
    pictures: int
    pictures_dropped: int
    warnings: int

    @property
    def void(self) -> str | None:
        """Why the run proves nothing, or None."""
        if self.pictures_dropped > MOST_DROPPED * self.pictures:
            return f"{self.pictures_dropped} of {self.pictures} pictures were left out: the machine had too little time"
        return "it was not drawn by the style sheet" if self.warnings else None


@dataclass(frozen=True, slots=True)
class Compared:
    runs: list[Run]

    @property
    def void(self) -> str | None:
        return next((run.void for run in self.runs if run.void is not None), None)

    @property
    def ratio(self) -> float:
        """Processor time with a style sheet, of that without."""
        with_it, without = ([run.cores for run in self.runs if run.styled is kind] for kind in (True, False))
        return statistics.median(with_it) / statistics.median(without)


async def compare(folder: Path, seconds: float, say: Say) -> Compared:
    """Record in turn, each kind ``TRIES`` times for so many seconds after a warm-up."""
    runs = []
    with PictureServer() as server:
        server.answers["/wall.css"] = [Told(CSS)]
        async with LoopbackRoom(GUESTS) as room:
            for number in range(2 * TRIES):
                styled = number % 2 == 1
                say(f"recording {GUESTS} guests for {seconds:g} s {'with' if styled else 'without'} a style sheet")
                css = f"{server.url}/wall.css" if styled else None
                runs.append(await _run(room.url, css, folder / f"css-{number}", seconds))
    return Compared(runs)


async def _run(room: str, css: str | None, folder: Path, seconds: float) -> Run:
    await asyncio.to_thread(folder.mkdir)
    spec = CompositeRecording(
        egress_id="css", quality=Quality.P720, layout=LayoutSettings(name="grid", external_css_url=css)
    )
    job = Job(
        call_cid="default:bench",
        session_id="bench",
        connector={"type": "loopback", "url": room},
        guard=GuardRules(allow_private=("127.0.0.0/8",)),
        spool=folder / "spool",
        egresses=[spec],
    )
    async with Attendant(folder, "css") as attendant:
        await attendant.attend(job)
        await attendant.report(EgressStarted, egress_id="css")
        await asyncio.sleep(WARM_UP)
        before, began, first = tree_seconds(attendant.pid), time.monotonic(), attendant.last(Progress)
        await asyncio.sleep(seconds)
        used, passed, last = tree_seconds(attendant.pid) - before, time.monotonic() - began, attendant.last(Progress)
        warned = attendant.last(Warned)
        await attendant.stop("css")
        await attendant.report(EgressEnded, egress_id="css")
    assert first is not None
    assert last is not None
    return Run(
        styled=css is not None,
        seconds=passed,
        cores=used / passed,
        pictures=last.pictures - first.pictures,
        pictures_dropped=last.pictures_dropped - first.pictures_dropped,
        warnings=int(warned is not None),
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
