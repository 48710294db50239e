"""One call of a minute on a real Janus, recorded from a message on the queue; everything asserted of its one file."""

from __future__ import annotations

import pytest
import pytest_asyncio

from tests.rig.guests import GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.judge import Stats
from tests.rig.product import moment
from tests.scenarios.call import Recorded, Script, record

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANA, BEN, CEM, DIA, EVA = range(5)
GUESTS = [
    GuestSpec("ana", ANA, screen=(1280, 720)),
    GuestSpec("ben", BEN, clock_offset=3600.0),
    GuestSpec("cem", CEM, clock_step_after=20.0, clock_step=-30.0, plain_display=True),
    GuestSpec("dia", DIA, drift_ppm=100.0),
    GuestSpec("eva", EVA, width=1280, height=720),
]
SEAMS = {ANA + 8: "ana's screen"}


async def _script(script: Script) -> None:
    await script.at(8)
    await script.do("eva joined", "eva", "join")
    await script.at(14)
    await script.do("ben's camera went", "ben", "camera", on=False, how="remove")
    await script.at(18)
    await script.do("ben's camera came", "ben", "camera", on=True, how="remove")
    await script.at(22)
    await script.do("cem muted", "cem", "mute", on=True, how="stop")
    await script.at(25)
    await script.do("cem unmuted", "cem", "mute", on=False, how="stop")
    await script.at(28)
    await script.do("ana shares", "ana", "screen", on=True)
    await script.at(36)
    await script.do("ana shared", "ana", "screen", on=False)
    await script.at(40)
    await script.do("dia left", "dia", "leave")
    await script.at(44)
    await script.do("dia came back", "dia", "join")
    await script.at(48)
    await script.do("ben's camera stopped", "ben", "camera", on=False, how="stop")
    await script.at(52)
    await script.do("ben's camera went on", "ben", "camera", on=True, how="stop")
    await script.at(60)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(janus: JanusServer, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    return await record(
        tmp_path_factory.mktemp("call"),
        GUESTS,
        _script,
        absent=frozenset({"eva"}),
        recording={"quality": "720p", "layout": {"name": "grid"}},
        sfu=janus,
    )


async def test_events_tell_the_recording_in_order(call: Recorded) -> None:
    assert [e["type"] for e in call.events] == [
        "call.recording_started",
        "call.recording_stopped",
        "call.recording_ready",
    ]
    assert {e["call_cid"] for e in call.events} == {"default:call"}
    assert {e["recording_type"] for e in call.events} == {"composite"}
    assert len({e["egress_id"] for e in call.events}) == 1


async def test_picture_and_sound_of_every_guest_belong_together(call: Recorded) -> None:
    for guest in (ANA, BEN, CEM, DIA, EVA):
        offsets = [abs(offset) for offset in call.judged.av_offsets(guest)]
        assert len(offsets) > 30
        assert Stats.of(offsets).p95 <= 0.040, f"guest {guest}: {Stats.of(offsets)}"


async def test_guests_flash_at_the_same_instant_whatever_their_clocks_say(call: Recorded) -> None:
    spreads = call.judged.flash_spreads([ANA, BEN, CEM, EVA])
    assert len(spreads) > 30
    assert Stats.of(spreads).p95 <= 0.060
    beeps = call.judged.beep_spreads([ANA, BEN, CEM, EVA])
    assert Stats.of(beeps).p95 <= 0.060


async def test_flashes_come_once_a_second_and_no_picture_is_lost_or_shown_twice(call: Recorded) -> None:
    for guest in (ANA, CEM):
        off = [abs(deviation) for deviation in call.judged.cadence(guest)]
        assert Stats.of(off).p95 <= 0.034
        # Away from layout changes, where a tile's first picture may be seen twice.
        motion = call.judged.motion(guest, 1.0, 8.0)
        assert motion.uneven <= 0.01, motion


async def test_everybody_is_in_the_picture_while_they_are_in_the_call(call: Recorded) -> None:
    marks, end = call.marks, call.judged.video_duration
    stays = {
        ANA: [(0.5, end)],
        CEM: [(0.5, end)],
        BEN: [
            (0.5, marks["ben's camera went asked"]),
            (marks["ben's camera came"] + 1, marks["ben's camera stopped asked"]),
            (marks["ben's camera went on"] + 1, end),
        ],
        DIA: [(0.5, marks["dia left asked"]), (marks["dia came back"] + 1, end)],
        EVA: [(marks["eva joined"] + 1, end)],
    }
    for guest, times in stays.items():
        for start, stop in times:
            assert call.judged.presence(guest, start, stop) >= 0.98, f"guest {guest} between {start} and {stop}"


async def test_who_is_gone_or_shows_no_camera_is_not_in_the_picture(call: Recorded) -> None:
    marks = call.marks
    assert call.judged.presence(EVA, 0.5, marks["eva joined asked"]) == 0
    assert call.judged.presence(BEN, marks["ben's camera went"] + 1, marks["ben's camera came asked"]) == 0
    # A camera that only stops sending is known by its silence.
    assert call.judged.presence(BEN, marks["ben's camera stopped"] + 2, marks["ben's camera went on asked"]) == 0
    assert call.judged.presence(DIA, marks["dia left"] + 1, marks["dia came back asked"]) == 0


async def test_a_shared_screen_is_shown_large_beside_everybody(call: Recorded) -> None:
    start, stop = call.marks["ana shares"] + 1, call.marks["ana shared asked"]
    screen = ANA + 8
    assert call.judged.presence(screen, start, stop) >= 0.98
    tiles = call.judged.tiles_at((start + stop) / 2)
    areas = {who: width * height for who, (_, _, width, height) in tiles.items()}
    assert areas[screen] > 4 * max(area for who, area in areas.items() if who != screen)
    assert {ANA, BEN, CEM, DIA, EVA} <= set(tiles)
    assert call.judged.presence(screen, call.marks["ana shared"] + 1, call.judged.video_duration) == 0


async def test_the_muted_are_not_heard_and_nobody_else_is_cut(call: Recorded) -> None:
    muted = (call.marks["cem muted"] + 0.3, call.marks["cem unmuted asked"])
    silent = call.judged.silences(CEM, *muted)
    assert sum(stop - start for start, stop in silent) >= 0.9 * (muted[1] - muted[0])
    end = call.judged.video_duration
    for start, stop in call.judged.holes(0.5, end):
        assert stop - start <= 0.020, f"hole from {start} to {stop}"
    for start, stop in ((1.0, call.marks["cem muted asked"]), (call.marks["cem unmuted"] + 0.5, end)):
        quiet = [s for s in call.judged.silences(CEM, start, stop) if s[1] - s[0] > 0.020]
        assert not quiet, quiet


async def test_pictures_and_sound_have_no_gaps_and_last_as_long_as_the_call(call: Recorded) -> None:
    judged = call.judged
    assert judged.longest_video_gap() <= 0.101
    assert judged.frame_rate == pytest.approx(30, abs=0.3)
    recording = call.events[-1]["call_recording"]
    told = moment(recording["end_time"]) - moment(recording["start_time"])
    assert judged.video_duration == pytest.approx(told, abs=0.3)
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)


async def test_the_recording_begins_and_ends_without_delay(call: Recorded) -> None:
    assert call.message_to_picture <= 1.5
    assert call.stop_to_ready <= 2.0


async def test_the_file_is_stored_under_its_key_and_the_spool_is_empty(call: Recorded) -> None:
    (path,) = call.parts
    assert path.is_relative_to(call.product.folder / "recordings" / "default" / "call")
    assert not call.product.spooled()
