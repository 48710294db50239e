"""What every connector must tell and bring of one call in which seven guests act at the same time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from egress.call.model import (
    Connected,
    Disconnected,
    Joined,
    Left,
    Participant,
    QualityChanged,
    RoomChanged,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackRemoved,
    TrackType,
    Updated,
)
from egress.rtc.track import EncodedFrame
from tests.connectors.attended import Received
from tests.connectors.call import (
    ANA,
    AUDIO,
    AWAY,
    BACK,
    BEN,
    CEM,
    DIA,
    EVA,
    EVERYBODY,
    FAY,
    GUS,
    IDENTITY,
    LARGE,
    SCREEN,
    SMALL,
    TILES,
    VIDEO,
    Call,
)
from tests.connectors.order import misorders
from tests.connectors.shown import Shown, beepers, longest_gap, pictures, sizes, voices, wrong
from tests.connectors.sites import connectors
from tests.rig.picture import CAMERAS

pytestmark = pytest.mark.asyncio(loop_scope="session")

SOON = 3.0
"""Seconds in which what happens must be told and received, where nothing stricter is said."""
AT_ONCE = 1.0
"""Seconds in which a picture that is wanted again is there."""
SETTLED = 1.0
"""Seconds after which nothing of before is under way any more."""
GAP = 0.15
"""Seconds, by the publisher's time stamps, that may be missing of who is not in trouble."""
LOUD = 60
"""-dBov: who is at least that loud speaks."""


@connectors()
async def test_events_come_in_the_order_that_is_promised(call: Call) -> None:
    assert call.attended.error is None
    events = [event for _, event in call.attended.told]
    assert isinstance(events[0], Connected)
    assert misorders(events) == []


@connectors()
async def test_who_was_there_before_us_is_received_at_once(call: Call) -> None:
    assert set(call.first) == {ANA, BEN, CEM, DIA, FAY}
    assert max(call.first.values()) < SOON
    for guest in call.first:
        assert call.track(guest).frames[0].keyframe


@connectors()
async def test_participants_are_told_with_name_and_roles(call: Call) -> None:
    who: dict[str, Participant] = {}
    for event in call.attended.events(Joined):
        who.setdefault(event.participant.user_id, event.participant)
    assert set(who) == set(EVERYBODY)
    assert (who[ANA].name, who[ANA].roles) == ("Ana", ("host",))
    assert [who[guest].name for guest in (BEN, CEM, DIA, EVA, FAY, GUS)] == ["Ben", "Cem", "Dia", "Eva", "Fay", "Gus"]


@connectors()
async def test_everybodys_tracks_are_their_own(call: Call) -> None:
    for guest in EVERYBODY:
        shown, bad = pictures(call.track(guest).frames[:30], call.track(guest).media.codec)
        assert not bad
        assert {tuple(one.numbers) for one in shown} == {(IDENTITY[guest],)}, guest
        assert voices(call.track(guest, AUDIO).frames[:50]) == {IDENTITY[guest]}, guest


@connectors()
async def test_who_comes_late_is_told_and_received(call: Call) -> None:
    [session_id, *_] = call.attended.sessions(EVA)
    joined = call.attended.events(Joined, start=call.asked["eva came"], end=call.done["eva came"] + SOON)
    assert session_id in [event.participant.session_id for event in joined]
    for type_ in (AUDIO, VIDEO):
        first = call.track(EVA, type_).frames[0]
        assert first.keyframe or type_ is AUDIO
        assert first.arrival < call.done["eva came"] + SOON


@connectors()
async def test_who_leaves_is_gone_and_comes_again_as_the_same_user(call: Call) -> None:
    left, came = call.asked["dia left"], call.asked["dia came again"]
    session_id, *_ = call.attended.sessions(DIA)
    assert [e.session_id for e in call.attended.events(Left, start=left, end=came + SOON)] == [session_id]
    removed = call.attended.events(TrackRemoved, start=left, end=came + SOON)
    assert {e.type for e in removed if e.session_id == session_id} == {AUDIO, VIDEO}
    for type_ in (AUDIO, VIDEO):
        before, after, *_ = call.attended.tracks(DIA, type_)
        assert before.between(call.done["dia left"] + SETTLED, math.inf) == []
        assert came < after.frames[0].arrival < call.done["dia came again"] + SOON
    shown, bad = pictures(call.track(DIA, number=1).between(came, call.crashed), "vp8")
    assert not bad
    assert wrong(shown, IDENTITY[DIA]) == []


@connectors()
async def test_a_muted_voice_is_silent_until_it_is_unmuted(call: Call) -> None:
    ben = call.track(BEN, AUDIO)
    muted, unmuted = call.done["ben muted"], call.done["ben unmuted"]
    assert voices(ben.between(call.began, call.asked["ben muted"])) == {IDENTITY[BEN]}
    assert voices(ben.between(muted + SETTLED, call.asked["ben unmuted"])) == set()
    assert voices(ben.between(unmuted + SETTLED, unmuted + SETTLED + 1.0)) == {IDENTITY[BEN]}
    assert voices(call.track(ANA, AUDIO).between(muted + SETTLED, call.asked["ben unmuted"])) == {IDENTITY[ANA]}


@connectors()
async def test_a_muted_camera_shows_nothing_and_goes_on_with_a_key_frame(call: Call) -> None:
    ben = call.track(BEN)
    off, on = call.done["ben's camera off"], call.asked["ben's camera on"]
    assert ben.between(off + SETTLED, on) == []
    _comes_at_once(ben, on, SOON)


@connectors(muted_told=True)
async def test_what_is_muted_is_told(call: Call) -> None:
    session_id, *_ = call.attended.sessions(BEN)
    for step, type_, muted in (
        ("ben muted", AUDIO, True),
        ("ben unmuted", AUDIO, False),
        ("ben's camera off", VIDEO, True),
        ("ben's camera on", VIDEO, False),
    ):
        told = call.attended.events(TrackMuted, start=call.asked[step], end=call.done[step] + AT_ONCE)
        assert [event for event in told if event.type is type_] == [TrackMuted(session_id, type_, muted)], step


@connectors(renegotiated_tracks=True)
async def test_a_camera_that_is_taken_back_is_removed_and_added_when_it_is_published_again(call: Call) -> None:
    session_id, *_ = call.attended.sessions(BEN)
    removed, published = call.asked["ben's camera removed"], call.asked["ben's camera published"]
    assert TrackRemoved(session_id, VIDEO) in call.attended.events(TrackRemoved, start=removed, end=published)
    added = call.attended.events(TrackAdded, start=published, end=call.done["ben's camera published"] + SOON)
    assert [(event.session_id, event.type) for event in added] == [(session_id, VIDEO)]
    again = call.track(BEN, number=1)
    assert again.media is added[0].media
    _comes_at_once(again, published, SOON)
    assert longest_gap(call.track(BEN, AUDIO).between(removed, call.crashed), 48_000) < GAP


@connectors()
async def test_a_camera_of_another_size_is_seen_whole_from_its_first_picture(call: Call) -> None:
    dia = call.track(DIA)
    shown, bad = pictures(dia.between(call.began, call.asked["dia left"]), dia.media.codec)
    assert not bad
    assert sizes(shown) == [SMALL, LARGE, SMALL]
    assert wrong(shown, IDENTITY[DIA]) == []
    assert longest_gap(dia.between(call.began, call.asked["dia left"]), 90_000) < GAP


@connectors(screen_share=True)
async def test_a_shared_screen_is_told_seen_and_gone(call: Call) -> None:
    screen = call.track(CEM, TrackType.SCREEN_SHARE)
    shares, shared = call.asked["cem shares"], call.done["cem shared"]
    assert shares < screen.added < call.done["cem shares"] + SOON
    assert screen.removed is not None
    assert call.asked["cem shared"] < screen.removed < shared + SOON
    _comes_at_once(screen, shares, SOON)
    # An SFU may end it with a blank picture.
    shown, bad = pictures(screen.between(shares, call.asked["cem shared"]), screen.media.codec)
    assert not bad
    assert sizes(shown) == [SCREEN]
    assert wrong(shown, IDENTITY[CEM] + CAMERAS) == []
    assert longest_gap(call.track(CEM).between(shares, shared + SETTLED), 90_000) < GAP


@connectors(screen_share_audio=True)
async def test_the_sound_of_a_shared_screen_is_heard_apart_from_the_voice(call: Call) -> None:
    sound = call.track(CEM, TrackType.SCREEN_SHARE_AUDIO)
    assert beepers(sound.frames) == {IDENTITY[CEM] + CAMERAS}
    assert voices(sound.frames) == set()
    assert sound.removed is not None
    assert call.asked["cem shared"] < sound.removed < call.done["cem shared"] + SOON
    assert voices(call.track(CEM, AUDIO).between(sound.added, sound.removed)) == {IDENTITY[CEM]}


@connectors()
async def test_who_speaks_is_known(call: Call) -> None:
    muted, unmuted = call.done["ben muted"] + SETTLED + 0.5, call.asked["ben unmuted"]
    assert _spoke(call, ANA, call.began, call.crashed)
    assert _spoke(call, BEN, call.began, call.asked["ben muted"])
    assert not _spoke(call, BEN, muted, unmuted)
    assert _spoke(call, ANA, muted, unmuted)
    assert _spoke(call, BEN, unmuted, call.crashed)


@connectors()
async def test_a_guest_whose_network_dies_falls_silent_and_comes_back(call: Call) -> None:
    frozen, thawed = call.asked["eva frozen"], call.done["eva frozen"]
    session_id, *_ = call.attended.sessions(EVA)
    assert session_id not in [event.session_id for event in call.attended.events(Left, end=call.crashed)]
    for type_ in (AUDIO, VIDEO):
        eva = call.track(EVA, type_)
        assert eva.between(frozen + 0.5, thawed - 0.1) == []
        assert _within(eva.first_since(thawed), thawed, SOON)
    eva = call.track(EVA)
    shown, bad = pictures(eva.between(call.began, call.crashed), eva.media.codec)
    assert not bad
    assert wrong(shown, IDENTITY[EVA]) == []
    assert voices(call.track(EVA, AUDIO).between(thawed + SETTLED, call.crashed)) == {IDENTITY[EVA]}


@connectors()
async def test_nobody_else_suffers_from_what_a_guest_does(call: Call) -> None:
    for type_, clock_rate in ((AUDIO, 48_000), (VIDEO, 90_000)):
        frames = call.track(ANA, type_).between(call.began, call.crashed)
        assert frames[-1].arrival > call.crashed - 0.5
        assert longest_gap(frames, clock_rate) < GAP
    shown, bad = pictures(call.track(ANA).between(call.began, call.crashed), "vp8")
    assert not bad
    assert wrong(shown, IDENTITY[ANA]) == []


@connectors()
async def test_h264_is_received(call: Call) -> None:
    cem = call.track(CEM)
    assert cem.media.codec == "h264"
    shown, bad = pictures(cem.between(call.began, call.crashed), "h264")
    assert not bad
    assert sizes(shown) == [SMALL]
    assert wrong(shown, IDENTITY[CEM]) == []


@connectors(pause=True)
async def test_what_nobody_listens_to_is_not_sent_to_us(call: Call) -> None:
    before, after = call.last_packets["gus unshown"]
    assert before == after
    assert call.track(GUS).between(0.0, call.asked["gus shown"]) == []


@connectors(pause=True)
async def test_what_is_not_wanted_of_a_server_that_crashed_is_not_sent_by_it_anew(call: Call) -> None:
    before, after = call.last_packets["gus unshown again"]
    assert before == after
    gus = call.track(GUS, number=-1)
    assert gus.added > call.crashed
    _comes_at_once(gus, call.asked["gus shown at last"], AT_ONCE)


@connectors()
async def test_a_guest_who_published_while_nobody_listened_is_seen_at_once(call: Call) -> None:
    gus = call.track(GUS)
    _comes_at_once(gus, call.asked["gus shown"], AT_ONCE)
    shown, bad = pictures(gus.between(call.asked["gus shown"], call.asked["gus hidden"]), gus.media.codec)
    assert not bad
    assert wrong(shown, IDENTITY[GUS]) == []


@connectors(pause=True)
@pytest.mark.parametrize(("away", "again"), [("gus hidden", "gus shown again"), ("gus unwanted", "gus wanted again")])
async def test_what_is_not_wanted_is_not_sent_until_it_is_wanted_again(call: Call, away: str, again: str) -> None:
    gus = call.track(GUS)
    before, after = call.last_packets[away]
    assert before == after
    assert gus.between(call.asked[away] + SETTLED, call.asked[again]) == []
    _comes_at_once(gus, call.asked[again], AT_ONCE)
    # What is listened to is the picture alone.
    assert longest_gap(call.track(GUS, AUDIO).between(call.began, call.crashed), 48_000) < GAP


@connectors(layers=True)
async def test_the_picture_is_as_large_as_its_tile(call: Call) -> None:
    shown, bad = _of_fay(call)
    assert not bad
    for number, size in enumerate(TILES):
        asked, until = call.asked[f"fay's tile {number}"], call.asked.get(f"fay's tile {number + 1}")
        until = until or call.asked["fay's tile is gone"]
        there = [one.size for one in shown if asked + SETTLED <= one.arrival < until]
        assert set(there) == {size}, f"in a tile of {size}"
        assert len(there) > 20


@connectors(layers=True)
async def test_another_layer_leaves_neither_a_gap_nor_a_broken_picture(call: Call) -> None:
    frames = call.track(FAY).between(call.began, call.crashed)
    shown, bad = _of_fay(call)
    assert not bad
    assert wrong(shown, IDENTITY[FAY]) == []
    assert longest_gap(frames, 90_000) <= 0.5


@connectors(names_change=True)
async def test_a_new_name_is_told(call: Call) -> None:
    [event] = call.attended.events(Updated, start=call.asked["cem renamed"], end=call.done["cem renamed"] + SOON)
    assert (event.participant.session_id, event.participant.name) == (call.attended.sessions(CEM)[0], "Cem B.")


@connectors(room_metadata=True)
async def test_what_is_said_of_the_room_is_told(call: Call) -> None:
    told = call.attended.events(RoomChanged, start=call.asked["room described"], end=call.crashed)
    assert told == [RoomChanged("about the weather")]


@connectors(connection_quality=True)
async def test_how_well_guests_are_connected_is_told(call: Call) -> None:
    grades = [(event.session_id, event.quality) for event in call.attended.events(QualityChanged, end=call.crashed)]
    assert {grade for _, grade in grades} <= {"excellent", "good", "poor", "lost"}
    present = {session for guest in EVERYBODY for session in call.attended.sessions(guest)}
    assert grades and {session for session, _ in grades} <= present


@connectors()
async def test_a_server_that_crashed_is_attended_again_with_everybody_in_it(call: Call) -> None:
    assert call.server_back - call.crashed >= AWAY
    assert len(call.attended.events(Disconnected, start=call.crashed)) == 1
    assert len(call.attended.events(Disconnected, Connected, start=call.crashed)) == 2
    assert set(call.back) == set(EVERYBODY)
    assert max(call.back.values()) < BACK
    for guest in EVERYBODY:
        track = call.track(guest, number=-1)
        assert track.added > call.crashed
        assert track.frames[0].keyframe
        shown, bad = pictures(track.frames, track.media.codec)
        assert not bad
        assert wrong(shown, IDENTITY[guest]) == [], guest


@connectors()
async def test_closing_leaves_nothing_running(call: Call) -> None:
    assert call.attended.left_over == []


def _of_fay(call: Call) -> tuple[list[Shown], list[str]]:
    return pictures(call.track(FAY).between(call.began, call.crashed), "vp8")


def _comes_at_once(track: Received, asked: float, within: float) -> None:
    """The first frame since then came in time, and is a key frame."""
    first = track.first_since(asked)
    assert _within(first, asked, within)
    assert first is not None and first.keyframe


def _within(frame: EncodedFrame | None, since: float, seconds: float) -> bool:
    assert frame is not None, "nothing came"
    assert frame.arrival - since < seconds, f"it took {frame.arrival - since:.2f} s"
    return True


def _spoke(call: Call, guest: str, start: float, end: float) -> bool:
    """Whether a guest was known to speak at some time between the two, by what the connector declares to tell it by."""
    sessions = set(call.attended.sessions(guest))
    if call.abilities.speakers == "rtp levels":
        return _loud(call.track(guest, AUDIO).between(start, end))
    told = [(at, event) for at, event in call.attended.told if isinstance(event, Speaking) and at < end]
    before = [event for at, event in told if at < start][-1:]
    return any(sessions & set(event.levels) for event in [*before, *(event for at, event in told if at >= start)])


def _loud(frames: Sequence[EncodedFrame]) -> bool:
    return any(frame.audio_level is not None and frame.audio_level <= LOUD for frame in frames)
