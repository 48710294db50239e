"""The measurements of a live call: what composing and receiving it costs, and how soon things happen."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import clips
from bench.attendant import Attendant
from bench.processor import Snapshot, peak_memory
from egress.protocol.encoding import Quality
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import EgressEnded, EgressStarted, Progress
from egress.rtc.ice_settings import IceSettings
from tests.rig.guests import Call, Guests, GuestSpec
from tests.rig.janus import JanusServer

ROOM = 1234
WARM_UP = 5.0
MOST_DROPPED = 0.01
"""Part of the pictures that may be left out; what is not made costs nothing, and a cheap run proves nothing."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiveRun:
    """``cores`` used per process; ``others`` is what else ran on the machine."""

    seconds: float
    cores: dict[str, float]
    peak_memory: int
    pictures: int
    pictures_dropped: int
    bytes: int

    @property
    def void(self) -> str | None:
        """Why the run proves nothing, or None."""
        if self.pictures_dropped > MOST_DROPPED * self.pictures:
            return f"{self.pictures_dropped} pictures were left out: the machine had too little time"
        return None


@dataclass(frozen=True, slots=True)
class ReceiveRun:
    seconds: float
    packets: int
    cpu_seconds: float

    @property
    def microseconds(self) -> float:
        """Per packet."""
        return self.cpu_seconds / self.packets * 1e6


@dataclass(slots=True)
class Latencies:
    """Seconds; each list has one value a try."""

    attend_with_spare: list[float] = field(default_factory=list)
    attend_without_spare: list[float] = field(default_factory=list)
    start_when_attended: list[float] = field(default_factory=list)
    stop_beside_another: list[float] = field(default_factory=list)
    """While another egress of the call goes on, what is composed keeps its distance behind live."""
    stop: list[float] = field(default_factory=list)


def job(janus: JanusServer, spool: Path, *egresses: CompositeRecording) -> Job:
    return Job(
        call_cid="default:bench",
        session_id="bench",
        connector={"type": "janus", "url": janus.ws_url or janus.http_url, "room": ROOM},
        ice=IceSettings(networks=[janus.host_network]),
        spool=spool,
        egresses=list(egresses),
    )


@asynccontextmanager
async def publishing(janus: JanusServer, files: list[Path]) -> AsyncIterator[int]:
    """Four guests who send the clips. Gives their process id."""
    assert janus.ws_url is not None
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.publishers", *map(str, files)),
        *("--url", janus.ws_url, "--room", str(ROOM), "--address", janus.host_address),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), 60)
        if ready.strip() != b"ready":
            raise RuntimeError("the guests could not publish")
        yield process.pid
    finally:
        process.stdin.close()
        try:
            await asyncio.wait_for(process.communicate(), 20)
        except TimeoutError:
            process.kill()
            await process.wait()


async def compose(janus: JanusServer, guests: int, folder: Path, seconds: float, say: Say) -> LiveRun:
    """Record the call for ``seconds`` after a warm-up, and look at what that costs. ``guests`` is their process id."""
    spec = CompositeRecording(egress_id="live", quality=Quality.P720)
    async with Attendant(folder, "live") as attendant:
        await attendant.attend(job(janus, folder / "spool", spec))
        await attendant.report(EgressStarted, egress_id="live")
        await asyncio.sleep(WARM_UP)
        pids = {"attendant": attendant.pid, "guests": guests, "janus": janus.pid}
        before, began, first = Snapshot.take(pids), time.monotonic(), attendant.last(Progress)
        while (left := began + seconds - time.monotonic()) > 0:
            await asyncio.sleep(min(5.0, left))
            say(f"  {time.monotonic() - began:.0f} of {seconds:.0f} s")
        passed = time.monotonic() - began
        cores = Snapshot.take(pids).cores_since(before, passed)
        last = attendant.last(Progress)
        await attendant.stop("live")
        await attendant.report(EgressEnded, egress_id="live")
        memory = peak_memory(attendant.pid)
    assert first is not None
    assert last is not None
    return LiveRun(
        seconds=passed,
        cores=cores,
        peak_memory=memory,
        pictures=last.pictures - first.pictures,
        pictures_dropped=last.pictures_dropped - first.pictures_dropped,
        bytes=last.size - first.size,
    )


async def receive(janus: JanusServer, seconds: float) -> ReceiveRun:
    """Receive everything and drop it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.receive", "--url", janus.ws_url or janus.http_url, "--room", str(ROOM)),
        *("--network", janus.host_network, "--tracks", str(2 * clips.GUESTS), "--seconds", str(seconds)),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the receiver failed")
    told: dict[str, Any] = json.loads(said)
    return ReceiveRun(told["seconds"], int(told["packets"]), told["cpu_seconds"])


async def latencies(janus: JanusServer, folder: Path, tries: int) -> Latencies:
    """How soon the first picture is recorded, and a stopped recording is closed. Guests answer at once when asked for
    a key frame, as browsers do."""
    assert janus.ws_url is not None
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]
    found = Latencies()
    async with Guests(Call(janus.ws_url, ROOM, janus.host_address, specs)) as guests:
        await guests.everybody("join")
        await janus.until_participants(2)
        for number in range(tries):
            first = CompositeRecording(egress_id="first", quality=Quality.P720)
            second = CompositeRecording(egress_id="second", quality=Quality.P360)
            task = job(janus, folder / f"spool-{number}", first)
            async with Attendant(folder, f"spare-{number}") as spare:
                asked = time.time()
                await spare.attend(task)
                found.attend_with_spare.append(await _started(spare, "first") - asked)
                await asyncio.sleep(2)
                asked = time.time()
                await spare.start(second)
                found.start_when_attended.append(await _started(spare, "second") - asked)
                await asyncio.sleep(2)
                found.stop_beside_another.append(await _stopped(spare, "second"))
                found.stop.append(await _stopped(spare, "first"))
            asked = time.time()
            async with Attendant(folder, f"cold-{number}") as cold:
                await cold.attend(job(janus, folder / f"cold-spool-{number}", first))
                found.attend_without_spare.append(await _started(cold, "first") - asked)
                await cold.stop("first")
                await cold.report(EgressEnded, egress_id="first")
    return found


async def _started(attendant: Attendant, egress_id: str) -> float:
    return (await attendant.report(EgressStarted, egress_id=egress_id)).at.timestamp()


async def _stopped(attendant: Attendant, egress_id: str) -> float:
    asked = time.time()
    await attendant.stop(egress_id)
    return (await attendant.report(EgressEnded, egress_id=egress_id)).at.timestamp() - asked
