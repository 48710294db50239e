"""What goes wrong between us and a LiveKit: its death, a bad network, our own network's death, lost signalling."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.rig.guests import GuestSpec
from tests.rig.livekit import LivekitServer
from tests.rig.product import moment
from tests.scenarios.call import Script, record

LAYERS = ((320, 180, 150_000), (640, 360, 500_000), (1280, 720, 1_200_000))


async def test_guests_are_back_in_the_same_file_after_the_server_was_killed(
    livekit: LivekitServer, tmp_path: Path
) -> None:
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]

    async def script(script: Script) -> None:
        await script.at(8)
        script.marks["away"] = script.now
        await livekit.restart(away=2.0)
        script.marks["back"] = script.now
        await script.at(26)

    # Who joins anew is busy for a moment, and only presence is asserted.
    done = await record(tmp_path, specs, script, late=0.1, sfu=livekit)

    judged, marks = done.judged, done.marks
    assert [e["type"] for e in done.events].count("call.recording_started") == 1
    assert len(done.parts) == 1
    for guest in (0, 1):
        assert judged.presence(guest, 0.5, marks["away"]) >= 0.98
        assert judged.presence(guest, marks["back"] + 10, judged.video_duration) >= 0.98
    assert judged.longest_video_gap() <= 0.101
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)
    assert judged.video_duration >= 26
    # And the manifest tells when the server was out of reach, and of no silence before that.
    attended = done.manifest["attendants"][-1]
    assert attended["away"]["count"] == 1
    began = moment(attended["start_time"])
    assert moment(attended["away"]["listed"][0]["start_time"]) - began == pytest.approx(marks["away"], abs=1.5)
    spells = [
        spell
        for who in attended["participants"]
        for track in who["tracks"]
        for spell in (track["silent"] or {"listed": []})["listed"]
    ]
    assert all(moment(spell["start_time"]) - began > marks["away"] - 1.0 for spell in spells), spells


async def test_loss_and_jitter_neither_freeze_tiles_nor_tear_the_sound(livekit: LivekitServer, tmp_path: Path) -> None:
    # Given an attendant on a network that loses 5 % and reorders by up to 50 ms, both ways, for 12 s
    trouble = tmp_path / "trouble.json"
    trouble.write_text("[]")
    command = [sys.executable, "-m", "tests.rig.troubled_attend", "--trouble", str(trouble)]
    specs = [GuestSpec(name, identity, layers=LAYERS) for identity, name in enumerate(("ana", "ben"))]

    async def script(script: Script) -> None:
        await script.at(5)
        script.marks["begins"] = script.now
        trouble.write_text(json.dumps([{"from": 0, "loss": 0.05, "jitter": 0.05}]))
        await script.at(17)
        trouble.write_text("[]")
        script.marks["ends"] = script.now
        await script.at(30)

    # When a call is recorded
    done = await record(tmp_path, specs, script, settings={"attendants__command": json.dumps(command)}, sfu=livekit)

    # Then nobody stands still, and hardly anything is missed
    begins, ends = done.marks["begins"], done.marks["ends"]
    for guest in range(2):
        motion = done.judged.motion(guest, begins, ends)
        assert motion.longest_frozen <= 1.5
        assert done.judged.presence(guest, 0.5, done.judged.video_duration) >= 0.9
        silences = done.judged.silences(guest, begins, ends)
        assert sum(b - a for a, b in silences) <= 0.02 * (ends - begins)
        assert all(b - a <= 0.2 for a, b in silences)
        after = done.judged.motion(guest, ends + 5, done.judged.video_duration)
        assert after.uneven <= 0.01, after


async def test_a_dead_network_of_ours_leaves_a_gap_and_no_second_file(livekit: LivekitServer, tmp_path: Path) -> None:
    # Given an attendant whose media network is dead for ten seconds
    trouble = tmp_path / "trouble.json"
    trouble.write_text("[]")
    command = [sys.executable, "-m", "tests.rig.troubled_attend", "--trouble", str(trouble)]

    async def script(script: Script) -> None:
        await script.at(5)
        script.marks["dead"] = script.now
        trouble.write_text(json.dumps([{"from": 0, "dead": True}]))
        await script.at(15)
        trouble.write_text("[]")
        script.marks["alive"] = script.now
        await script.at(28)

    # When a call is recorded
    done = await record(
        tmp_path,
        [GuestSpec("ana", 0)],
        script,
        settings={"attendants__command": json.dumps(command)},
        late=0.1,
        sfu=livekit,
    )

    # Then the file goes on, and its manifest tells what is missing
    assert len(done.parts) == 1
    judged, marks = done.judged, done.marks
    assert judged.presence(0, 0.5, marks["dead"]) >= 0.98
    assert judged.presence(0, marks["dead"] + 2.5, marks["alive"]) == 0
    for track in ("video", "audio"):
        silent = done.reception("ana", track)["silent"]
        assert silent["count"] == 1
        assert silent["seconds"] == pytest.approx(10.0, abs=2.5)
    assert judged.presence(0, marks["alive"] + 10, judged.video_duration) >= 0.98
    assert judged.longest_video_gap() <= 0.101
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)
