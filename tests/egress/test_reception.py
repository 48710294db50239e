"""The report of how a call came in: events and looks in, bounded facts with wall-clock times out."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from egress.call.model import (
    Connected,
    Disconnected,
    Joined,
    Left,
    Participant,
    QualityChanged,
    RoomChanged,
    TrackAdded,
    TrackMuted,
    TrackPaused,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
)
from egress.call.state import MAX_METADATA, CallState
from egress.protocol.directions import Directions, Moderated
from egress.protocol.reception import ParticipantReception, Reception, TrackReception
from egress.protocol.reports import EgressEnded
from egress.reception.bounds import MOST_PARTICIPANTS, MOST_SIZES, MOST_SPELLS, MOST_SPELLS_IN_ALL
from egress.reception.log import ReceptionLog
from egress.reception.track import SILENT
from egress.rtc.track import TrackCounts
from tests.media.fakes import FakeTrack

AUDIO, VIDEO, SCREEN = TrackType.AUDIO, TrackType.VIDEO, TrackType.SCREEN_SHARE
WALL = datetime(2025, 2, 10, 9, 0, 0, tzinfo=UTC)
BEGAN = 100.0
"""Monotonic seconds at ``WALL``."""


def at(seconds: float) -> datetime:
    """So many seconds after the egress began."""
    return WALL + timedelta(seconds=seconds)


def who(name: str = "a", **changed: Any) -> Participant:
    return Participant(**{"session_id": f"s-{name}", "user_id": name, "name": name.upper(), **changed})


class Kept:
    """A call, and the log of it that begins when it is told to."""

    def __init__(self) -> None:
        self.state = CallState()
        self.log: ReceptionLog | None = None

    def tell(self, seconds: float, *events: Any) -> None:
        """What happened so many seconds after the beginning of the egress."""
        for event in events:
            self.state.apply(event, BEGAN + seconds)
            if self.log is not None:
                self.log.hear(event, BEGAN + seconds)

    def begin(self, away: str | None = None) -> None:
        self.log = ReceptionLog(self.state, BEGAN, WALL.timestamp(), away)

    def look(self, seconds: float, **sizes: tuple[int, int] | None) -> None:
        """``sizes`` of pictures of participant a, by track."""
        assert self.log is not None
        pictures = {("s-a", TrackType(name)): size for name, size in sizes.items()}
        self.log.look(self.state, pictures, BEGAN + seconds)

    def close(self, seconds: float) -> Reception:
        assert self.log is not None
        return self.log.close(BEGAN + seconds)


@pytest.fixture
def call() -> Kept:
    return Kept()


def media(type_: TrackType = VIDEO) -> FakeTrack:
    return FakeTrack("audio", "opus") if type_.is_audio else FakeTrack("video", "vp8")


def guest(report: Reception, session_id: str = "s-a") -> ParticipantReception:
    [found] = [p for p in report.participants if p.session_id == session_id]
    return found


def track(report: Reception, type_: TrackType = VIDEO) -> TrackReception:
    [found] = [t for t in guest(report).tracks if t.type == type_]
    return found


def test_times_are_wall_clock_times_from_the_start_of_the_egress_to_its_end(call: Kept):
    call.tell(-20, Joined(who("a")), Joined(who("b")))
    call.tell(-10, Left("s-b"))
    call.begin()
    call.tell(5, Joined(who("c")))
    call.tell(8, Left("s-c"))
    report = call.close(60)
    assert (report.start_time, report.end_time) == (at(0), at(60))
    assert [(p.user_id, p.joined_at, p.left_at) for p in report.participants] == [
        ("a", at(0), None),
        ("c", at(5), at(8)),
    ]


def test_what_comes_after_the_end_changes_nothing(call: Kept):
    call.tell(-1, Joined(who()), TrackAdded("s-a", VIDEO, media()))
    call.begin()
    before = call.close(10)
    call.tell(11, Left("s-a"), Joined(who("b")), Disconnected("away"))
    call.look(12, video=(640, 360))
    assert call.close(20) is before
    assert guest(before).left_at is None and before.away is None


def test_times_out_of_reach_are_told_with_their_reasons(call: Kept):
    call.begin(away="the server restarts")
    call.tell(2, Connected())
    call.tell(10, Disconnected("the connection broke"), Disconnected("still broken"))
    call.tell(13.5, Connected())
    call.tell(50, Disconnected("gone"))
    report = call.close(60)
    assert report.away is not None
    assert (report.away.count, report.away.seconds) == (3, 15.5)
    assert [(s.start_time, s.end_time, s.reason) for s in report.away.listed] == [
        (at(0), at(2), "the server restarts"),
        (at(10), at(13.5), "the connection broke"),
        (at(50), at(60), "gone"),
    ]


def test_seconds_of_quality_are_counted_by_grade(call: Kept):
    call.tell(-30, Joined(who()), QualityChanged("s-a", "excellent"))
    call.begin()
    call.tell(10, QualityChanged("s-a", "poor"))
    call.tell(12, QualityChanged("s-a", "lost"), QualityChanged("s-x", "good"))
    call.tell(13, QualityChanged("s-a", "excellent"))
    assert guest(call.close(20)).quality == {"excellent": 17.0, "poor": 2.0, "lost": 1.0}


def test_of_a_tracks_packets_those_since_the_start_count_over_every_time_it_was_published(call: Kept):
    first, second = media(), media()
    call.tell(-10, Joined(who()), TrackAdded("s-a", VIDEO, first))
    first.counts = TrackCounts(1000, 10, 1, 300, 2, 5)
    call.begin()
    first.counts = TrackCounts(1500, 12, 2, 400, 3, 6)
    call.tell(20, TrackRemoved("s-a", VIDEO))
    first.counts = TrackCounts(9999)
    call.tell(30, TrackAdded("s-a", VIDEO, second))
    second.codec = "h264"
    second.counts = TrackCounts(700, 0, 0, 100, 0, 1)
    found = track(call.close(40))
    assert (found.packets, found.repaired, found.lost) == (1200, 2, 1)
    assert (found.frames, found.frames_dropped, found.keyframes_asked) == (200, 1, 2)
    assert found.codec == "h264"


def looked(call: Kept, start: float, end: float, feed: Any = None) -> None:
    """Look as an attendant does, twenty times a second; ``feed`` gets a packet just before each look."""
    for n in range(round((end - start) * 20)):
        now = start + n / 20
        if feed is not None:
            feed.last_packet = BEGAN + now - 0.01
        call.look(now)


@pytest.mark.parametrize("type_", [VIDEO, AUDIO])
def test_a_wanted_track_that_sends_nothing_is_silent_from_its_last_packet_to_its_next(call: Kept, type_: TrackType):
    one = media(type_)
    call.tell(-1, Joined(who()), TrackAdded("s-a", type_, one))
    call.state.participants["s-a"].tracks[type_].wanted = True
    call.begin()
    looked(call, 0, 5, one)
    looked(call, 5, 5 + SILENT - 0.1)
    looked(call, 5 + SILENT - 0.1, 8, one)
    looked(call, 8, 14)
    looked(call, 14, 20, one)
    found = track(call.close(20), type_).silent
    assert found is not None and found.count == 1
    assert found.seconds == pytest.approx(6.0, abs=0.1)
    [spell] = found.listed
    assert (spell.start_time - at(8)).total_seconds() == pytest.approx(0, abs=0.1)
    assert (spell.end_time - at(14)).total_seconds() == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize(
    ("type_", "events", "wanted"),
    [
        (VIDEO, [TrackMuted("s-a", VIDEO, True)], True),
        (AUDIO, [TrackMuted("s-a", AUDIO, True)], True),
        (VIDEO, [TrackPaused("s-a", VIDEO, True)], True),
        (VIDEO, [], False),
        (SCREEN, [], True),
    ],
    ids=["camera off", "muted", "paused", "not wanted", "screen that rests"],
)
def test_a_track_that_need_not_send_is_not_silent(call: Kept, type_: TrackType, events: list[Any], wanted: bool):
    one = media(type_)
    call.tell(-1, Joined(who()), TrackAdded("s-a", type_, one))
    call.state.participants["s-a"].tracks[type_].wanted = wanted
    call.begin()
    looked(call, 0, 1, one)
    call.tell(1, *events)
    looked(call, 1, 10)
    assert track(call.close(10), type_).silent is None


def test_silence_before_a_track_was_unmuted_is_not_counted(call: Kept):
    one = media(AUDIO)
    call.tell(-1, Joined(who()), TrackAdded("s-a", AUDIO, one), TrackMuted("s-a", AUDIO, True))
    call.begin()
    looked(call, 0, 10)
    call.tell(10, TrackMuted("s-a", AUDIO, False))
    looked(call, 10, 11)
    looked(call, 11, 12, one)
    assert track(call.close(12), AUDIO).silent is None


def test_pauses_are_counted_also_those_that_were_there_at_the_start_and_end_with_the_track(call: Kept):
    call.tell(-9, Joined(who()), TrackAdded("s-a", VIDEO, media()), TrackPaused("s-a", VIDEO, True))
    call.begin()
    call.tell(1, TrackPaused("s-a", VIDEO, False))
    call.tell(5, TrackPaused("s-a", VIDEO, True), TrackPaused("s-a", VIDEO, True))
    call.tell(9, TrackRemoved("s-a", VIDEO))
    found = track(call.close(20)).paused
    assert found is not None
    assert (found.count, found.seconds) == (2, 5.0)


def test_an_unreadable_track_is_told_with_its_codec_and_reason_until_it_can_be_read(call: Kept):
    call.tell(-5, Joined(who()), TrackUnreadable("s-a", VIDEO, "av1", "AV1 is not received"))
    call.begin()
    call.tell(2, TrackUnreadable("s-a", SCREEN, "", "it is encrypted end to end"))
    call.tell(4, TrackAdded("s-a", SCREEN, media()))
    report = call.close(10)
    assert (track(report).codec, track(report).unreadable) == ("av1", "AV1 is not received")
    assert (track(report, SCREEN).codec, track(report, SCREEN).unreadable) == ("vp8", None)


def test_each_size_of_picture_is_told_with_its_first_time_and_how_long_it_came(call: Kept):
    one = media()
    call.tell(-1, Joined(who()), TrackAdded("s-a", VIDEO, one))
    call.state.participants["s-a"].tracks[VIDEO].wanted = True
    call.begin()
    for seconds, size in ((0.0, None), (1.0, (320, 180)), (3.0, (1280, 720)), (7.0, (320, 180)), (8.0, (320, 180))):
        one.last_packet = BEGAN + seconds
        call.look(seconds, video=size)
    found = track(call.close(9))
    assert [(s.width, s.height, s.first, s.seconds) for s in found.sizes] == [
        (320, 180, at(1), 4.0),
        (1280, 720, at(3), 4.0),
    ]
    assert found.sizes_left_out == 0


def test_the_newest_name_and_metadata_count(call: Kept):
    call.tell(-1, Joined(who()), RoomChanged("before"))
    call.begin()
    call.tell(1, Updated(who(user_id="anna")))
    assert (guest(call.close(2)).user_id, call.close(2).room_metadata) == ("anna", "before")
    later = Kept()
    later.begin()
    later.tell(1, RoomChanged("x" * 2 * MAX_METADATA))
    assert later.close(2).room_metadata == "x" * MAX_METADATA


def test_a_report_stays_small_whatever_the_call_does(call: Kept):
    tracks = (AUDIO, VIDEO, SCREEN, TrackType.SCREEN_SHARE_AUDIO)
    names = [f"{n}-{'u' * 1000}" for n in range(MOST_PARTICIPANTS + 50)]
    call.begin()
    call.tell(0, RoomChanged("\N{GRINNING FACE}" * 20_000), *(Joined(who(name)) for name in names))
    medias: dict[tuple[str, TrackType], FakeTrack] = {}
    for name in names:
        for type_ in tracks:
            medias[name, type_] = one = media(type_)
            one.codec = "c" * 10
            call.tell(0, TrackAdded(f"s-{name}", type_, one))
            one.counts = TrackCounts(*[10**10] * 6)
            call.state.participants[f"s-{name}"].tracks[type_].wanted = True
    for n in range(MOST_SPELLS + 15):
        now = 10.0 * n
        call.tell(now, Disconnected("r" * 5000))
        for name in names:
            for grade in ("excellent", "good", "poor", "lost"):
                call.tell(now, QualityChanged(f"s-{name}", grade))
            call.tell(now, TrackPaused(f"s-{name}", VIDEO, True))
        call.tell(now + 1, Connected(), *(TrackPaused(f"s-{name}", VIDEO, False) for name in names))
        assert call.log is not None
        for name in names:
            medias[name, VIDEO].last_packet = BEGAN + now + 1.5
        call.log.look(call.state, {(f"s-{name}", VIDEO): (1000 + n, 700) for name in names}, BEGAN + now + 1.6)
        call.log.look(call.state, {}, BEGAN + now + 6)
    call.tell(900, *(TrackUnreadable(f"s-{name}", SCREEN, "v" * 900, "w" * 900) for name in names))
    report = call.close(1000)
    line = EgressEnded(at=at(1000), egress_id="e1", reception=report).model_dump_json()
    assert len(line.encode()) < 512 * 1024
    assert len(report.participants) == MOST_PARTICIPANTS
    assert report.participants_left_out == 50
    first = report.participants[0].tracks
    sizes = first[1].sizes
    every = [t.paused for p in report.participants for t in p.tracks if t.paused is not None]
    assert {spells.count for spells in every} == {MOST_SPELLS + 15}
    assert sum(len(spells.listed) for spells in every) <= MOST_SPELLS_IN_ALL
    assert (len(sizes), first[1].sizes_left_out) == (MOST_SIZES, MOST_SPELLS + 15 - MOST_SIZES)
    assert report.away is not None
    assert (report.away.count, len(report.away.listed)) == (MOST_SPELLS + 15, MOST_SPELLS)


def test_counts_add_up_field_by_field():
    one = TrackCounts(10, 2, 3, 4, 5, 6)
    assert one + one - one == one
    assert one - TrackCounts(packets=1) == replace(one, packets=9)


def test_times_in_which_somebody_was_moderated_are_told_from_what_was_not_composed_yet(call: Kept):
    call.tell(-1, Joined(who("a")), Joined(who("b")))
    call.log = ReceptionLog(call.state, BEGAN, WALL.timestamp(), None, delay=1.0)

    def say(seconds: float, *moderation: Moderated) -> None:
        call.state.direct(Directions(moderation=moderation))
        call.look(seconds)

    say(5, Moderated(user_id="a", video="blur"))
    call.look(6)
    say(8, Moderated(user_id="a", video="hide", audio="silence"))
    say(12)
    say(30, Moderated(user_id="b", audio="silence"))
    call.tell(35, Left("s-b"))
    report = call.close(60)
    assert [(s.start_time, s.end_time, s.video, s.audio) for s in guest(report).moderation] == [
        (at(4), at(8), "blur", "keep"),
        (at(8), at(12), "hide", "silence"),
    ]
    assert [(s.start_time, s.end_time) for s in guest(report, "s-b").moderation] == [(at(29), at(35))]


def test_what_a_page_shows_is_not_told_to_be_kept_back(call: Kept):
    call.tell(-1, Joined(who("a")))
    call.log = ReceptionLog(call.state, BEGAN, WALL.timestamp(), restrained=False)
    call.state.direct(Directions(moderation=(Moderated(user_id="a", video="blur", audio="silence"),)))
    call.look(5)
    assert guest(call.close(9)).moderation == []


def test_what_is_told_so_far_is_what_would_be_told_at_the_end_and_changes_nothing(call: Kept):
    told: list[list[Reception]] = []
    for asked in (True, False):
        call = Kept()
        one = media()
        call.tell(-1, Joined(who("a")), Joined(who("b")), TrackAdded("s-a", VIDEO, one))
        call.state.participants["s-a"].tracks[VIDEO].wanted = True
        call.begin(away="the server restarts")
        call.state.direct(Directions(moderation=(Moderated(user_id="a", video="blur"),)))
        reports = []
        for second in range(0, 40, 2):
            one.counts = TrackCounts(packets=10 * second)
            if second < 20:
                one.last_packet = BEGAN + second
            call.look(second, video=(640, 360) if second < 10 else (320, 180))
            call.tell(second, QualityChanged("s-a", "poor" if second % 4 else "good"))
            call.tell(second, TrackPaused("s-a", VIDEO, second in range(4, 8)))
            if asked:
                assert call.log is not None
                reports.append(call.log.so_far(BEGAN + second))
        told.append([*reports, call.close(39)])
    assert told[0][-1] == told[1][0]
    assert all(report.unfinished for report in told[0][:-1]) and not told[0][-1].unfinished

    sixteen = told[0][8]
    assert (sixteen.start_time, sixteen.end_time) == (at(0), at(16))
    assert sixteen.away is not None and sixteen.away.seconds == 16.0
    anna = guest(sixteen)
    assert [(s.start_time, s.end_time, s.video) for s in anna.moderation] == [(at(0), at(16), "blur")]
    assert sum(anna.quality.values()) == 16.0
    assert (track(sixteen).packets, [s.seconds for s in track(sixteen).sizes]) == (160, [6.0, 6.0])
    assert track(sixteen).paused is not None and track(sixteen).paused.seconds == 4.0
    assert track(sixteen).silent is None and track(told[0][-1]).silent is not None


def test_what_is_told_of_moderation_is_bounded(call: Kept):
    call.tell(-1, Joined(who("a")))
    call.begin()
    for n in range(3 * MOST_SPELLS):
        call.state.direct(Directions(moderation=(Moderated(user_id="a", video="blur"),) if n % 2 else ()))
        call.look(n)
    told = guest(call.close(100))
    assert len(told.moderation) == MOST_SPELLS
    assert told.moderation_left_out == 3 * MOST_SPELLS // 2 - MOST_SPELLS
