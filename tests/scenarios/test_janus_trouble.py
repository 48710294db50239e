"""What goes wrong on the wire and beside it: the recording goes on, and says no more than it must."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.rig.guests import Call, Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.judge import judge
from tests.rig.product import Product, moment
from tests.scenarios.call import Script, record

pytestmark = pytest.mark.asyncio(loop_scope="session")

RICH = {"width": 640, "height": 360, "bitrate": 800_000, "detail": 6}


async def test_loss_and_jitter_neither_freeze_tiles_nor_tear_the_sound(janus: JanusServer, tmp_path: Path) -> None:
    # Given an attendant on a network that loses 5 % and reorders by up to 50 ms, both ways, for 15 s
    trouble = tmp_path / "trouble.json"
    trouble.write_text("[]")
    command = [sys.executable, "-m", "tests.rig.troubled_attend", "--trouble", str(trouble)]
    specs = [GuestSpec(name, identity, **RICH) for identity, name in enumerate(("ana", "ben", "cem"))]

    async def script(script: Script) -> None:
        await script.at(5)
        script.marks["begins"] = script.now
        trouble.write_text(json.dumps([{"from": 0, "loss": 0.05, "jitter": 0.05}]))
        await script.at(20)
        trouble.write_text("[]")
        script.marks["ends"] = script.now
        await script.at(30)

    # When a call is recorded
    done = await record(tmp_path, specs, script, settings={"attendants__command": json.dumps(command)}, sfu=janus)

    # Then nobody stands still, and hardly anything is missed
    begins, ends = done.marks["begins"], done.marks["ends"]
    for guest in range(3):
        motion = done.judged.motion(guest, begins, ends)
        assert motion.longest_frozen <= 1.5
        assert done.judged.presence(guest, 0.5, done.judged.video_duration) >= 0.9
        silences = done.judged.silences(guest, begins, ends)
        assert sum(b - a for a, b in silences) <= 0.02 * (ends - begins)
        assert all(b - a <= 0.2 for a, b in silences)
        after = done.judged.motion(guest, ends + 5, done.judged.video_duration)
        assert after.uneven <= 0.01, after


async def test_guests_return_after_their_network_or_janus_was_away(janus: JanusServer, tmp_path: Path) -> None:
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]

    async def script(script: Script) -> None:
        await script.at(3)
        await script.do("ana is back", "ana", "freeze", timeout=30, seconds=10)
        await script.at(18)
        script.marks["janus away"] = script.now
        await janus.restart(away=1.5)
        script.marks["janus back"] = script.now
        await script.at(32)

    # Who joins anew is busy for a moment, and only presence is asserted.
    done = await record(tmp_path, specs, script, late=0.1, sfu=janus)

    judged, marks = done.judged, done.marks
    assert [e["type"] for e in done.events].count("call.recording_started") == 1
    assert len(done.parts) == 1
    assert judged.presence(0, marks["ana is back asked"] + 2, marks["ana is back asked"] + 9) == 0
    assert judged.presence(1, 0.5, marks["janus away"]) >= 0.98
    assert judged.presence(0, marks["ana is back"] + 2, marks["janus away"]) >= 0.98
    for guest in (0, 1):
        assert judged.presence(guest, marks["janus back"] + 10, judged.video_duration) >= 0.98
    assert judged.longest_video_gap() <= 0.101
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)


async def test_a_killed_attendant_costs_three_seconds_and_no_more(janus: JanusServer, tmp_path: Path) -> None:
    assert janus.ws_url is not None
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]
    call = Call(url=janus.ws_url, room=1234, host_address=janus.host_address, guests=specs)
    address = {"type": "janus", "url": janus.http_url, "room": 1234}
    async with Product(tmp_path, [janus.host_network]) as product, Guests(call) as guests:
        # Given a recording that has run for ten seconds, with a spare beside it
        await guests.everybody("join")
        await product.send({"type": "start_recording", "call_cid": "default:kill", "connector": address})
        await product.event("call.recording_started")
        await asyncio.sleep(10)
        busy = max(product.attendants(), key=_threads)
        # When its attendant is killed
        killed = time.time()
        os.kill(busy, signal.SIGKILL)
        await asyncio.sleep(9)
        await product.send({"type": "stop_recording", "call_cid": "default:kill"})
        await product.event("call.recording_ready", number=2)
    # Then the first part plays up to the delay and a second before the kill, and the second begins within 3 s
    first, second = (e["call_recording"] for e in product.events("call.recording_ready"))
    judged = [judge(path) for path in product.files()]
    start = moment(first["start_time"])
    assert start + judged[0].video_duration >= killed - 2.0
    assert moment(first["end_time"]) == pytest.approx(start + judged[0].video_duration, abs=0.3)
    assert moment(second["start_time"]) - killed <= 3.0
    for part in judged:
        assert part.presence(0, 1.0, part.video_duration - 0.1) >= 0.98
        assert part.presence(1, 1.0, part.video_duration - 0.1) >= 0.98
    assert not product.events("call.recording_failed")


async def test_a_room_that_comes_back_with_another_pin_fails_the_recording_and_delivers_what_there_is(
    janus: JanusServer, tmp_path: Path
) -> None:
    assert janus.ws_url is not None
    room = await janus.create_room()
    guest = GuestSpec("ana", 0, comes_back=False)
    call = Call(url=janus.ws_url, room=room, host_address=janus.host_address, guests=[guest])
    async with Product(tmp_path, [janus.host_network]) as product, Guests(call) as guests:
        # Given a recording that runs
        await guests.everybody("join")
        address = {"type": "janus", "url": janus.http_url, "room": room}
        await product.send({"type": "start_recording", "call_cid": "default:pin", "connector": address})
        await product.event("call.recording_started")
        await asyncio.sleep(4)
        # When Janus dies, and the room comes back with a pin that nobody told us
        await janus.restart()
        await janus.create_room(room=room, pin="another")
        failed = await product.event("call.recording_failed", timeout=40)
        await product.event("call.recording_ready", failing=True)
    # Then the recording has failed for that reason, and its file is there
    assert failed["error_code"] == "wrong_pin"
    assert "pin" in failed["error"]
    (path,) = product.files()
    assert judge(path).video_duration >= 4


def _threads(pid: int) -> int:
    """An attendant that records has more threads than a spare."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


async def test_parts_laid_end_to_end_lose_and_repeat_nothing(janus: JanusServer, tmp_path: Path) -> None:
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]

    async def script(script: Script) -> None:
        await script.at(24)

    done = await record(tmp_path, specs, script, settings={"recording__roll_over_seconds": "5"}, sfu=janus)

    assert len(done.parts) >= 5
    for number, part in enumerate(done.parts, 1):
        alone = judge(part)
        assert alone.presence(0) >= 0.98, f"part {number}"
        assert alone.audio_duration == pytest.approx(alone.video_duration, abs=0.1)
    judged = done.judged
    for guest in (0, 1):
        seconds = int(judged.video_duration)
        assert abs(len(judged.flashes(guest)) - seconds) <= 1
        assert abs(len(judged.beeps(guest)) - seconds) <= 1
        assert all(abs(off) <= 0.034 for off in judged.cadence(guest))
        assert all(abs(off) <= 0.005 for off in judged.beep_cadence(guest))
        motion = judged.motion(guest, 0.5, judged.video_duration)
        assert motion.repeated == motion.dropped == 0
    assert not [h for h in judged.holes(0.2, judged.video_duration - 0.05) if h[1] - h[0] > 0.02]
    times = [e["call_recording"] for e in done.events if e["type"] == "call.recording_ready"]
    for before, after in itertools.pairwise(times):
        # One picture lies between the last of a part and the first of the next.
        assert moment(after["start_time"]) - moment(before["end_time"]) == pytest.approx(1 / 30, abs=0.002)
