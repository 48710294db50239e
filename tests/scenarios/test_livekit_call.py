"""One call on a real LiveKit, recorded from a message on the queue; everything asserted of its one file."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.rig.guests import GuestSpec
from tests.rig.judge import Stats
from tests.rig.livekit import LivekitServer
from tests.rig.product import moment
from tests.scenarios.call import Recorded, Script, record

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANA, BEN, CEM, DIA = range(4)
GUESTS = [
    GuestSpec("ana", ANA, screen=(1280, 720), codec="h264"),
    GuestSpec("ben", BEN, clock_offset=3600.0, dtx=True),
    GuestSpec("cem", CEM, layers=((320, 180, 150_000), (640, 360, 400_000), (1280, 720, 1_200_000))),
    GuestSpec("dia", DIA, drift_ppm=100.0, other_sizes=((320, 180),)),
]
SETTLED = 20.0
"""Seconds after which a sender's clock has settled."""


async def _script(script: Script) -> None:
    await script.at(6)
    await script.do("dia joined", "dia", "join")
    await script.at(10)
    await script.do("ben's camera went", "ben", "camera", on=False, how="mute")
    await script.at(14)
    await script.do("ben's camera came", "ben", "camera", on=True, how="mute")
    await script.at(17)
    await script.do("cem muted", "cem", "mute", on=True, how="mute")
    await script.at(20)
    await script.do("cem unmuted", "cem", "mute", on=False, how="mute")
    await script.at(22)
    await script.do("ana shares", "ana", "screen", on=True, sound=True)
    await script.at(28)
    await script.do("ana shared", "ana", "screen", on=False)
    await script.at(30)
    await script.do("dia's camera is another", "dia", "resize", width=320, height=180)
    await script.at(33)
    await script.do("ben left", "ben", "leave")
    await script.at(36)
    await script.do("ben came back", "ben", "join")
    await script.at(44)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(livekit: LivekitServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return await record(
        tmp_path_factory.mktemp("call"),
        GUESTS,
        _script,
        absent=frozenset({"dia"}),
        recording={"quality": "720p", "layout": {"name": "grid"}},
        sfu=livekit,
    )


async def test_picture_and_sound_of_every_guest_belong_together(call: Recorded) -> None:
    for guest in (ANA, BEN, CEM, DIA):
        offsets = [abs(offset) for offset in call.judged.av_offsets(guest)]
        assert len(offsets) > 20
        assert Stats.of(offsets).p95 <= 0.040, f"guest {guest}: {Stats.of(offsets)}"


async def test_guests_flash_at_the_same_instant_whatever_their_clocks_say(call: Recorded) -> None:
    spreads = call.judged.flash_spreads([ANA, BEN, CEM])
    assert len(spreads) > 15
    assert Stats.of(spreads).p95 <= 0.060
    assert Stats.of(call.judged.beep_spreads([ANA, BEN, CEM])).p95 <= 0.060


async def test_no_picture_is_lost_or_shown_twice(call: Recorded) -> None:
    for guest in (ANA, CEM):
        assert Stats.of([abs(off) for off in call.judged.cadence(guest)]).p95 <= 0.034
        motion = call.judged.motion(guest, 1.0, 6.0)
        assert motion.uneven <= 0.01, motion
    assert call.judged.longest_video_gap() <= 0.101


async def test_everybody_is_in_the_picture_while_they_are_in_the_call_and_nobody_else(call: Recorded) -> None:
    marks, end = call.marks, call.judged.video_duration
    stays = {
        ANA: [(0.5, end)],
        CEM: [(0.5, end)],
        BEN: [
            (0.5, marks["ben's camera went asked"]),
            (marks["ben's camera came"] + 1, marks["ben left asked"]),
            (marks["ben came back"] + 1, end),
        ],
        DIA: [(marks["dia joined"] + 1, end)],
    }
    for guest, times in stays.items():
        for start, stop in times:
            assert call.judged.presence(guest, start, stop) >= 0.98, f"guest {guest} between {start} and {stop}"
    assert call.judged.presence(DIA, 0.5, marks["dia joined asked"]) == 0
    assert call.judged.presence(BEN, marks["ben's camera went"] + 0.5, marks["ben's camera came asked"]) == 0
    assert call.judged.presence(BEN, marks["ben left"] + 0.5, marks["ben came back asked"]) == 0


async def test_a_shared_screen_is_shown_large_and_heard(call: Recorded) -> None:
    start, stop = call.marks["ana shares"] + 1, call.marks["ana shared asked"]
    screen = ANA + 8
    assert call.judged.presence(screen, start, stop) >= 0.98
    tiles = call.judged.tiles_at((start + stop) / 2)
    areas = {who: width * height for who, (_, _, width, height) in tiles.items()}
    assert areas[screen] > 4 * max(area for who, area in areas.items() if who != screen)
    assert call.judged.presence(screen, call.marks["ana shared"] + 1, call.judged.video_duration) == 0


async def test_the_muted_are_not_heard_and_nobody_else_is_cut(call: Recorded) -> None:
    muted = (call.marks["cem muted"] + 0.3, call.marks["cem unmuted asked"])
    silent = call.judged.silences(CEM, *muted)
    assert sum(stop - start for start, stop in silent) >= 0.9 * (muted[1] - muted[0])
    for start, stop in call.judged.holes(0.5, call.judged.video_duration):
        assert stop - start <= 0.020, f"hole from {start} to {stop}"


async def test_the_file_is_as_long_as_the_call_and_begins_and_ends_without_delay(call: Recorded) -> None:
    judged = call.judged
    assert judged.frame_rate == pytest.approx(30, abs=0.3)
    recording = call.events[-1]["call_recording"]
    told = moment(recording["end_time"]) - moment(recording["start_time"])
    assert judged.video_duration == pytest.approx(told, abs=0.3)
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)
    assert call.message_to_picture <= 1.5
    assert call.stop_to_ready <= 2.0
