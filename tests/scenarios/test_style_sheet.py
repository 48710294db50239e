"""A call in a loopback room, recorded with a style sheet whose browser crashes on the way: read off the file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from egress.browser.chromium import BrowserMissing, chromium
from egress.protocol.encoding import Quality
from egress.protocol.job import GuardRules, Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from layouts.engine import compose
from layouts.scene import CallView, ParticipantView, Rect
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import ROOT
from tests.rig.required import require
from tests.rig.servers.pictures import PictureServer, Told

SIZE = (854, 480)
ROUND = 60
CSS = f"""
.str-video {{ background: white; }}
.str-video__participant-view {{ border-radius: {ROUND}px; outline: none; }}
.str-video__participant-details {{ display: none; }}
[data-user-id="guest-2"] {{ visibility: hidden; }}
"""


def tiles(guests: int) -> list[Rect]:
    people = tuple(
        ParticipantView(f"s{n}", f"guest-{n}", "Guest", has_video=True, joined_at=float(n))
        for n in range(1, guests + 1)
    )
    return [tile.rect for tile in compose("grid", {}, SIZE, CallView(people)).tiles]


class Attended:
    """An attendant that is run by hand, and what it reports."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.reports: list[dict[str, Any]] = []

    async def until(self, kind: str) -> dict[str, Any]:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line := await self.process.stdout.readline():
                self.reports.append(json.loads(line))
                if self.reports[-1]["report"] == kind:
                    return self.reports[-1]
        raise AssertionError(f"no {kind} was reported")

    def kill_browsers(self) -> int:
        killed = 0
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "chrom" in child.name():
                    child.kill()
                    killed += 1
        return killed


async def attend(folder: Path, room: LoopbackRoom, css: str) -> Attended:
    layout = LayoutSettings(name="grid", external_css_url=css)
    job = Job(
        call_cid="default:styled",
        session_id="styled",
        connector={"type": "loopback", "url": room.url},
        guard=GuardRules(allow_private=("127.0.0.0/8",)),
        spool=folder / "spool",
        egresses=[CompositeRecording(egress_id="e1", quality=Quality.P480, layout=layout)],
    )
    path = folder / "job.json"
    path.write_text(job.model_dump_json())
    return Attended(
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "egress.attend", str(path)),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 22,
        )
    )


def frames(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)]


def seen(frame: NDArray[np.uint8], rects: list[Rect]) -> list[bool]:
    """In which of the rectangles something else than the white ground is, around the middle."""
    middles = [(r.y + r.height // 2, r.x + r.width // 2) for r in rects]
    # Wide enough that it is no stroke of an initial alone, which is white too.
    return [bool(np.median(frame[y - 40 : y + 40, x - 40 : x + 40].min(axis=2)) < 230) for y, x in middles]


def is_round(frame: NDArray[np.uint8], rect: Rect) -> bool:
    """Whether the ground is seen in the corner of a tile whose picture reaches its edges."""
    return bool(frame[rect.y + 5, rect.x + 5].min() > 220 and frame[rect.y + 5, rect.x + rect.width // 2].min() < 220)


async def test_a_recording_looks_as_its_style_sheet_says_though_the_browser_crashes(tmp_path: Path):
    try:
        chromium()
    except BrowserMissing as error:
        require(str(error))
    with PictureServer() as server:
        server.answers["/wall.css"] = [Told(CSS.encode())]
        async with LoopbackRoom(3) as room:
            attended = await attend(tmp_path, room, f"{server.url}/wall.css")
            try:
                await attended.until("egress_started")
                await asyncio.sleep(4)
                assert attended.kill_browsers() > 0
                await asyncio.sleep(1)
                await room.do("add")
                await asyncio.sleep(6)
                attended.process.send_signal(signal.SIGINT)
                part = await attended.until("part_closed")
                ended = await attended.until("egress_ended")
                await attended.process.wait()
            finally:
                if attended.process.returncode is None:
                    attended.process.kill()
    film = frames(Path(part["path"]))
    three, four = tiles(3), tiles(4)
    early, late = film[75], film[-15]
    assert seen(early, three) == [True, False, True]
    assert is_round(early, three[0]) and is_round(early, three[2])
    assert seen(late, four) == [True, False, True, True], "the guest who came after the crash"
    assert all(is_round(late, four[n]) for n in (0, 2, 3))
    assert film[0][2, 2].min() > 230, "from the first picture on"
    assert [report for report in attended.reports if report["report"] == "warned"] == []
    video = {
        who["user_id"]: track["frames"]
        for who in ended["reception"]["participants"]
        for track in who["tracks"]
        if track["type"] == "video"
    }
    assert video["guest-1"] > 150
    assert video.get("guest-2", 0) < 60, "who is hidden is not received"


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/none.css", "http://10.1.2.3/none.css"])
async def test_a_recording_goes_on_without_a_style_sheet_that_cannot_be_had(tmp_path: Path, url: str):
    async with LoopbackRoom(1) as room:
        attended = await attend(tmp_path, room, url)
        try:
            await attended.until("egress_started")
            await asyncio.sleep(2)
            attended.process.send_signal(signal.SIGINT)
            part = await attended.until("part_closed")
            await attended.process.wait()
        finally:
            if attended.process.returncode is None:
                attended.process.kill()
    [warned] = [report for report in attended.reports if report["report"] == "warned"]
    assert (warned["code"], warned["egress_id"]) == ("layout_not_styled", "e1")
    film = frames(Path(part["path"]))
    [tile] = tiles(1)
    assert film[-1][tile.y + tile.height // 2, tile.x + tile.width // 2].max() > 40
