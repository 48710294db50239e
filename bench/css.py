"""What a style sheet costs: the same call recorded natively and through a browser, in turn, while guests speak in turn.

The guests are those of a loopback room in a process of its own.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.recorded import Cost, record
from egress.protocol.encoding import Quality
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from tests.rig.loopback import LoopbackRoom
from tests.rig.servers.pictures import PictureServer, Told

GUESTS = 4
TRIES = 2
CSS = b"""
.str-video { background: linear-gradient(45deg, #123, #a52); font-family: "Noto Serif"; }
.str-video__participant-view { border-radius: 30px; }
.str-video__participant-view--speaking { outline: 6px solid gold; outline-offset: -6px; }
.str-video__participant-details { align-self: flex-start; margin: 0 40px; border-radius: 0 0 12px 12px; }
"""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Compared:
    with_it: list[Cost]
    without: list[Cost]

    @property
    def void(self) -> str | None:
        return next((run.void for run in (*self.with_it, *self.without) if run.void is not None), None)

    @property
    def ratio(self) -> float:
        """Processor time with a style sheet, of that without."""
        return statistics.median(r.cores for r in self.with_it) / statistics.median(r.cores for r in self.without)


async def compare(folder: Path, seconds: float, say: Say) -> Compared:
    """Record in turn, each kind ``TRIES`` times for so many seconds after a warm-up."""
    compared = Compared([], [])
    with PictureServer() as server:
        server.answers["/wall.css"] = [Told(CSS)]
        async with LoopbackRoom(GUESTS) as room:
            for number in range(2 * TRIES):
                styled = number % 2 == 1
                say(f"recording {GUESTS} guests for {seconds:g} s {'with' if styled else 'without'} a style sheet")
                layout = LayoutSettings(name="grid", external_css_url=f"{server.url}/wall.css" if styled else None)
                spec = CompositeRecording(egress_id="css", quality=Quality.P720, layout=layout)
                cost = await record(room.url, spec, folder / f"css-{number}", seconds)
                (compared.with_it if styled else compared.without).append(cost)
    return compared
