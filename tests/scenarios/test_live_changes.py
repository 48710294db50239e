"""A loopback call that is changed by messages while it is recorded, read off the file by the rig's judge.

Layouts, options and pins change the picture where the message was taken; who is moderated is neither seen nor heard
from before that on, until it is taken back. Nothing is needed but this machine's 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import pytest_asyncio

from tests.rig.backend import Backend
from tests.rig.judge import Judged, judge
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product, moment

pytestmark = pytest.mark.asyncio(loop_scope="session")

CID = "default:changes"
ANNA, BERT, CEM = 0, 1, 2
"""Identities of guest-1, guest-2 and guest-3."""
WIDTH, HEIGHT = 854, 480
TICK = 1 / 30
HOLD = 3.0
"""Seconds for which each change is left as it is."""
BUSY = 1.5
"""Seconds after which a change is in the picture also where the machine has much else to do."""
ASKED = 0.5
"""Seconds within which it has to be there usually."""


@dataclass(slots=True)
class Changed:
    """``at`` are seconds of the recording."""

    judged: Judged
    at: dict[str, float]
    answers: dict[str, dict[str, Any]]
    path: Path
    manifest: dict[str, Any]
    start: float
    refused: str

    def area(self, identity: int, time: float) -> int:
        """Pixels of a guest's tile; 0 where it cannot be read."""
        rect = self.judged.tiles_at(time).get(identity)
        return 0 if rect is None else rect[2] * rect[3]

    def becomes(self, step: str, identity: int, larger_than: float, smaller_than: float = np.inf) -> float:
        """Seconds from a step to the first picture from which on a guest's tile has that share of the canvas."""
        before = self.at[step] - 0.2
        for tick in range(round((BUSY + 0.2) / TICK)):
            share = self.area(identity, before + tick * TICK) / (WIDTH * HEIGHT)
            if larger_than < share < smaller_than:
                return before + tick * TICK - self.at[step]
        raise AssertionError(f"{step} is not seen within {BUSY} s")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(tmp_path_factory: pytest.TempPathFactory) -> Changed:
    folder = tmp_path_factory.mktemp("changes")
    async with LoopbackRoom(3, exact=True) as room, Product(folder, ["127.0.0.0/8"]) as product:
        backend = Backend(product, CID)
        address = {"type": "loopback", "url": room.url}
        recording = {"quality": "480p", "layout": {"name": "grid", "options": {"participant.label_display": False}}}
        await backend.send("start", "start_recording", egress_id="one", connector=address, recording=recording)
        await product.event("call.recording_started")
        await asyncio.sleep(HOLD + 1)
        for step, type_, fields in (
            ("spotlight", "update_recording", {"layout": {"name": "spotlight"}}),
            ("pin cem", "pin", {"user_id": "guest-3"}),
            ("pin bert", "pin", {"user_id": "guest-2"}),
            ("unpin", "unpin", {}),
            ("grid", "update_recording", {"layout": {"name": "grid"}, "options": {"grid.columns": 1}}),
            ("columns", "update_recording", {"options": {"grid.columns": None, "grid.rows": 1}}),
            ("blur", "moderate_participant", {"user_id": "guest-2", "video": "blur", "audio": "silence"}),
            ("show", "moderate_participant", {"user_id": "guest-2", "video": "show", "audio": "keep"}),
            ("hide", "moderate_participant", {"user_id": "guest-1", "video": "hide"}),
            ("show again", "moderate_participant", {"user_id": "guest-1", "video": "show"}),
        ):
            await backend.send(step, type_, **fields)
            await asyncio.sleep(HOLD)
        bad = {"type": "update_recording", "call_cid": CID, "options": {"grid.colum": 2}}
        _, refused = await product.run("send", "--wait", "--json", json.dumps({**bad, "request_id": "bad"}))
        await backend.send("stop", "stop_recording")
        ready = await product.event("call.recording_ready")
        (path,) = product.files()
        manifest = path.with_suffix(".manifest.json")
        async with asyncio.timeout(15):
            while not manifest.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        start = moment(ready["call_recording"]["start_time"])
        told = json.loads(manifest.read_text())
    judged = judge(path)
    print(judged.summary())
    at = backend.seconds(start)
    print({step: round(second, 2) for step, second in at.items()})
    return Changed(judged, at, backend.answers, path, told, start, refused)


async def test_the_picture_changes_where_the_message_was_taken(call: Changed) -> None:
    late = {
        "pin cem": call.becomes("pin cem", CEM, 0.4),
        "pin bert": call.becomes("pin bert", BERT, 0.4),
        "grid": call.becomes("grid", BERT, 0.06, 0.12),
    }
    print({step: f"{seconds * 1000:.0f} ms" for step, seconds in late.items()})
    assert sorted(late.values())[len(late) // 2] <= ASKED


async def test_of_several_who_are_pinned_the_latest_is_the_first(call: Changed) -> None:
    shown = call.judged.tiles_at(call.at["unpin"] - 0.3)
    assert max(shown, key=lambda who: shown[who][2]) == BERT
    beside = [who for who in sorted(shown, key=lambda who: shown[who][0]) if who != BERT]
    assert beside == [CEM, ANNA]


async def test_options_alone_are_laid_over_those_that_run(call: Changed) -> None:
    one = call.judged.tiles_at(call.at["columns"] - 0.3)
    assert len({rect[0] for rect in one.values()}) == 1 and len(one) == 3
    row = call.judged.tiles_at(call.at["blur"] - 1.3)
    assert len({rect[1] for rect in row.values()}) == 1 and len(row) == 3
    assert call.answers["columns"]["changed"] == ["layout.options"]
    assert call.answers["grid"]["changed"] == ["layout.name", "layout.options"]


async def test_who_is_blurred_and_silenced_is_gone_from_what_was_not_in_the_file_yet(call: Changed) -> None:
    begin, end = call.at["blur"], call.at["show"]
    assert call.judged.presence(BERT, begin, end) == 0
    silences = call.judged.silences(BERT, begin - 1.5, end + BUSY)
    assert any(a <= begin and b >= end - 0.02 for a, b in silences), silences


async def test_who_is_shown_again_is_back_where_that_was_taken(call: Changed) -> None:
    for step, who in (("show", BERT), ("show again", ANNA)):
        back = next(a for a, b in call.judged.views(who) if b > call.at[step])
        assert call.at[step] - 0.02 <= back <= call.at[step] + BUSY
    assert call.judged.hum_level(BERT, call.at["show"] + 1, call.at["hide"]) > -45


async def test_who_is_hidden_is_not_seen_but_heard(call: Changed) -> None:
    begin, end = call.at["hide"], call.at["show again"]
    assert call.judged.presence(ANNA, begin, end) == 0
    assert call.judged.silences(ANNA, begin - 1, end + 0.5, shortest=0.2) == []


async def test_others_are_not_touched(call: Changed) -> None:
    assert call.judged.presence(CEM, 1.0, call.at["stop"] - 0.5) > 0.97
    assert call.judged.silences(CEM, 1.0, call.at["stop"] - 0.5, shortest=0.2) == []


async def test_the_file_goes_on_without_a_break(call: Changed) -> None:
    assert len(call.manifest["files"]) == 1 and call.manifest["gaps"] == []
    with av.open(str(call.path)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        keys = [
            round(float(packet.pts * stream.time_base) * 30)
            for packet in container.demux(stream)
            if packet.is_keyframe and packet.pts is not None
        ]
    # Where the picture is all new the encoder makes one by itself; none is asked for.
    assert max(np.diff(keys)) == 60 and len(keys) < call.judged.video_duration / 2 + len(call.at)
    assert call.judged.longest_video_gap() < 0.5


async def test_the_manifest_tells_what_was_kept_back_and_when(call: Changed) -> None:
    (attendant,) = call.manifest["attendants"]
    told = {guest["user_id"]: guest.get("moderation", []) for guest in attendant["participants"]}
    assert told["guest-3"] == []
    for guest, begin, end, video, audio in (
        ("guest-2", "blur", "show", "blur", "silence"),
        ("guest-1", "hide", "show again", "hide", "keep"),
    ):
        (spell,) = told[guest]
        assert (spell["video"], spell["audio"]) == (video, audio)
        first, last = moment(spell["start_time"]) - call.start, moment(spell["end_time"]) - call.start
        assert call.at[begin] - 1.05 <= first <= call.at[begin] + BUSY - 1
        assert call.at[end] - 0.02 <= last <= call.at[end] + BUSY


async def test_an_option_that_there_is_not_is_refused_with_the_nearest_one(call: Changed) -> None:
    assert 'Did you mean \\"grid.columns\\"?' in call.refused or 'Did you mean "grid.columns"?' in call.refused
