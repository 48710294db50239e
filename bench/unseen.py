"""What guests cost who are in the call and not in the picture: four guests beside twenty, both shown four at a time.

Everybody sends 720p that was encoded before. Measured are the video that the attendant received and the processor time
it took, on Janus and on LiveKit; and the same of four guests who send one size beside four who send three.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.attendant import Attendant
from bench.processor import Snapshot
from egress.protocol.encoding import Quality
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.reports import EgressEnded, EgressStarted, Progress
from egress.rtc.ice_settings import IceSettings
from tests.rig.guests import Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.livekit import LivekitServer

WARM_UP = 4.0
SHOWN = 4
CROWD = 20
BITRATE = 800_000
LAYERS = ((320, 180, 120_000), (640, 360, 300_000), (1280, 720, BITRATE))
DETAIL = 6
"""Of the pictures, so that their bit rates are those of cameras."""
MOST_DROPPED = 0.01
Sfu = JanusServer | LivekitServer
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One recording. ``video_bitrate`` is what was received, in bits a second."""

    sfu: str
    guests: int
    layered: bool
    video_bitrate: float
    cores: float
    others: float
    pictures: int
    pictures_dropped: int

    @property
    def void(self) -> str | None:
        """Why the run proves nothing, or None."""
        if self.pictures_dropped > MOST_DROPPED * self.pictures:
            return f"{self.pictures_dropped} of {self.pictures} pictures were left out: the machine had too little time"
        return None


async def run(sfu: Sfu, guests: int, folder: Path, seconds: float, *, layered: bool = False) -> Run:
    """Record so many guests for so long, after a warm-up, in a grid of two by two."""
    name = "livekit" if isinstance(sfu, LivekitServer) else "janus"
    specs = [
        GuestSpec(
            f"guest-{number}",
            number % 8,
            width=1280,
            height=720,
            bitrate=BITRATE,
            detail=DETAIL,
            layers=LAYERS if layered else (),
            # Who is not in the picture is heard; so that the picture alone is compared, they are silent.
            audio=number < SHOWN,
        )
        for number in range(guests)
    ]
    grid = LayoutSettings(name="grid", options={"grid.columns": 2, "grid.rows": 2})
    spec = CompositeRecording(egress_id="unseen", quality=Quality.P720, layout=grid)
    job = Job(
        call_cid="default:bench",
        session_id="bench",
        connector=sfu.connector(),
        ice=IceSettings(networks=[sfu.host_network]),
        spool=folder / f"unseen-{name}-{guests}-{layered}",
        egresses=[spec],
    )
    async with Guests(sfu.call(specs)) as crowd, Attendant(folder, f"unseen-{name}-{guests}-{layered}") as attendant:
        for spec_ in specs:
            await crowd.do(spec_.user_id, "join")
        await attendant.attend(job)
        await attendant.report(EgressStarted, egress_id="unseen")
        await asyncio.sleep(WARM_UP)
        pids = {"attendant": attendant.pid, "guests": crowd.pid, "sfu": sfu.pid}
        before, began, first = Snapshot.take(pids), time.monotonic(), attendant.last(Progress)
        await asyncio.sleep(seconds)
        cores = Snapshot.take(pids).cores_since(before, time.monotonic() - began)
        last = attendant.last(Progress)
        await attendant.stop("unseen")
        ended = await attendant.report(EgressEnded, egress_id="unseen")
    assert first is not None
    assert last is not None
    assert ended.reception is not None
    lasted = (ended.reception.end_time - ended.reception.start_time).total_seconds()
    video = [track for who in ended.reception.participants for track in who.tracks if track.type == "video"]
    return Run(
        sfu=name,
        guests=guests,
        layered=layered,
        video_bitrate=8 * sum(track.bytes for track in video) / lasted,
        cores=cores["attendant"],
        others=cores["others"],
        pictures=last.pictures - first.pictures,
        pictures_dropped=last.pictures_dropped - first.pictures_dropped,
    )


async def crowd(sfu: Sfu, folder: Path, seconds: float, say: Say) -> list[Run]:
    """Four guests, then twenty."""
    runs = []
    for guests in (SHOWN, CROWD):
        say(f"recording {guests} guests, {SHOWN} of them in the picture")
        runs.append(await run(sfu, guests, folder, seconds))
    return runs


async def layers(sfu: LivekitServer, folder: Path, seconds: float, say: Say) -> list[Run]:
    """Four guests who send 720p alone, then four who send three layers."""
    runs = []
    for layered in (False, True):
        say(f"recording {SHOWN} guests who send {'three layers' if layered else 'one size'}")
        runs.append(await run(sfu, SHOWN, folder, seconds, layered=layered))
    return runs
