"""Real browsers on a real Janus: what Chromium does that exact guests do not (growing pictures, RED, own clocks)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import pytest_asyncio

from tests.rig.chromium import Chromium, why_not
from tests.rig.janus import RED, JanusServer
from tests.rig.judge import Judged, Stats, judge
from tests.rig.product import Product, moment

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANA, BEN = 0, 1
ATTEMPTS = 3


class BrowserCall:
    """What was recorded, and when the guests did what (seconds of the recording)."""

    def __init__(self, judged: Judged, marks: dict[str, float]) -> None:
        self.judged = judged
        self.marks = marks


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(janus: JanusServer, tmp_path_factory: pytest.TempPathFactory) -> BrowserCall:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    for _ in range(ATTEMPTS):
        recorded, void = await _record(janus, tmp_path_factory.mktemp("browsers"))
        print(recorded.judged.summary())
        if void is None:
            return recorded
        print(f"this take proves nothing: {void}")
    raise AssertionError(f"the machine is too busy for browsers: {void}")


async def _record(janus: JanusServer, folder: Path) -> tuple[BrowserCall, str | None]:
    """The call, and why it proves nothing if the browsers could not keep up."""
    assert janus.ws_url is not None
    loop = asyncio.get_running_loop()
    async with (
        Product(folder, [janus.host_network]) as product,
        Chromium(janus.ws_url, RED, janus.host_address) as chromium,
    ):
        ana = await chromium.guest("ana", ANA)
        ben = await chromium.guest("ben", BEN, join=False)
        address = {"type": "janus", "url": janus.ws_url, "room": RED}
        message = {
            "type": "start_recording",
            "call_cid": "default:web",
            "connector": address,
            "recording": {"quality": "480p"},
        }
        code, said = await product.send(message)
        assert code == 0, said
        started = await product.event("call.recording_started")
        began = loop.time()
        marks: dict[str, float] = {}

        async def at(second: float, name: str) -> None:
            await asyncio.sleep(max(0.0, began + second - loop.time()))
            marks[name] = loop.time() - began

        await at(4, "ben joins")
        await ben.join()
        await at(11, "ben's camera goes")
        await ben.camera(False, "remove")
        await at(14, "ben's camera comes")
        await ben.camera(True, "remove")
        await at(18, "ana mutes")
        await ana.mute(True)
        await at(21, "ana unmutes")
        await ana.mute(False)
        await at(23, "ana shares")
        await ana.screen(True)
        await at(29, "ana stops sharing")
        await ana.screen(False)
        await at(32, "ben leaves")
        sent = [await ana.sent(), await ben.sent()]
        await ben.leave()
        await at(35, "ben rejoins")
        await ben.rejoin()
        await at(41, "end")
        assert not ana.errors + ben.errors
        code, said = await product.send({"type": "stop_recording", "call_cid": "default:web"})
        assert code == 0, said
        ready = await product.event("call.recording_ready")
        (path,) = product.files()
    shift = moment(started["created_at"]) - moment(ready["call_recording"]["start_time"])
    late = [f"guest {n}: {s}" for n, s in enumerate(sent) if s["skipped"] > s["drawn"] / 50 or s["late"] > 0.06]
    judged = judge(path)
    return BrowserCall(judged, {name: at + shift for name, at in marks.items()}), "; ".join(late) or None


async def test_browsers_pictures_and_sounds_belong_together(call: BrowserCall) -> None:
    for guest in (ANA, BEN):
        offsets = [abs(offset) for offset in call.judged.av_offsets(guest)]
        assert len(offsets) > 15
        assert Stats.of(offsets).p95 <= 0.080, f"guest {guest}: {Stats.of(offsets)}"


async def test_a_browser_is_seen_while_it_is_there(call: BrowserCall) -> None:
    marks, end = call.marks, call.judged.video_duration
    assert call.judged.presence(BEN, marks["ben joins"] + 2.5, marks["ben's camera goes"]) >= 0.98
    assert call.judged.presence(BEN, marks["ben's camera goes"] + 2.5, marks["ben's camera comes"]) == 0
    assert call.judged.presence(BEN, marks["ben's camera comes"] + 2.5, marks["ben leaves"]) >= 0.98
    assert call.judged.presence(BEN, marks["ben leaves"] + 2.0, marks["ben rejoins"]) == 0
    assert call.judged.presence(BEN, marks["ben rejoins"] + 2.5, end) >= 0.98
    assert call.judged.presence(ANA, 1.0, end) >= 0.98


async def test_a_shared_tab_is_shown_beside_its_owner(call: BrowserCall) -> None:
    start, stop = call.marks["ana shares"] + 2.0, call.marks["ana stops sharing"]
    assert call.judged.presence(ANA + 8, start, stop) >= 0.98


async def test_a_muted_browser_is_silent_and_then_heard_again(call: BrowserCall) -> None:
    start, stop = call.marks["ana mutes"] + 1.0, call.marks["ana unmutes"]
    silent = sum(b - a for a, b in call.judged.silences(ANA, start, stop))
    assert silent >= 0.9 * (stop - start)
    beeps = [beep for beep in call.judged.beeps(ANA) if beep > call.marks["ana unmutes"] + 1]
    assert len(beeps) >= 15


async def test_what_browsers_send_is_recorded_without_gaps(call: BrowserCall) -> None:
    assert call.judged.longest_video_gap() <= 0.101
    assert call.judged.audio_duration == pytest.approx(call.judged.video_duration, abs=0.1)
