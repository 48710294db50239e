"""All of a loopback room's exact guests arrives in what an attendant records, and the room's door notes who came."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path

from tests.rig.arrived import Arrived, Piece
from tests.rig.loopback import LoopbackRoom, Visit
from tests.rig.product import ROOT, moment


async def test_all_of_an_exact_guest_arrives(tmp_path: Path) -> None:
    async with LoopbackRoom(2, exact=True) as room:
        job = {
            "call_cid": "default:exact",
            "session_id": "s",
            "connector": {"type": "loopback", "url": room.url},
            "spool": str(tmp_path),
            "duration": 3.5,
            "egresses": [{"egress_id": "e", "quality": "360p", "video": {"fps": 15, "preset": "ultrafast"}}],
        }
        (tmp_path / "job.json").write_text(json.dumps(job))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "egress.attend", str(tmp_path / "job.json")),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(30):
            said, _ = await process.communicate()
        left = time.time()
        (closed,) = (r for r in map(json.loads, said.splitlines()) if r["report"] == "part_closed")
        piece = Piece(Path(closed["path"]), moment(closed["start_time"]))
        found = [await asyncio.to_thread(Arrived.of, [piece], identity) for identity in (0, 1)]
        (visit,) = room.visits
    for arrived in found:
        assert arrived.holes() == []
        assert arrived.missing_marks() == []
        assert len(arrived.flashes) >= 3
        assert len(arrived.beeps) >= 3
        assert 0 < arrived.behind[0] < 0.1
    assert visit.begin < found[0].begin
    assert visit.end is not None
    assert found[0].end - 0.5 < visit.end < left


def test_the_door_says_for_how_long_two_attended_at_once() -> None:
    room = LoopbackRoom(1)
    assert room.overlap() == 0
    room.visits = [Visit(10.0, 20.0), Visit(19.0, 30.0), Visit(31.0, 50.0), Visit(32.0, 35.5)]
    assert room.overlap() == 3.5
