from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from egress.call.janus.roster import (
    EMPTY,
    Guest,
    Identity,
    Roster,
    Stream,
    changes,
    guests,
    roster,
    silent_mids,
    streams,
    track_types,
)
from egress.call.model import Joined, Left, Participant, TrackAdded, TrackRemoved, TrackType, Updated
from egress.rtc.track import Kind, MediaTrack

AUDIO, VIDEO, SCREEN, SCREEN_AUDIO = (
    TrackType.AUDIO,
    TrackType.VIDEO,
    TrackType.SCREEN_SHARE,
    TrackType.SCREEN_SHARE_AUDIO,
)


@dataclass(frozen=True)
class FakeMedia:
    name: str


def media(name: str) -> MediaTrack:
    return cast(MediaTrack, FakeMedia(name))


def person(feed: int | str, user: str, source: str = "", publishing: bool = True) -> Guest:
    return Guest(feed, Identity(user, user.title(), source=source), publishing)


def present(*participants: str) -> Roster:
    return Roster({id_: Participant(id_, id_, id_) for id_ in participants}, {}, frozenset())


def test_who_is_listed_is_read_and_dummies_are_left_out() -> None:
    listing = {
        "participants": [
            {"id": 7, "display": "Ana", "publisher": True, "talking": False},
            {"id": 8, "publisher": False},
            {"id": "text", "display": 5, "publisher": True},
            {"id": 9, "dummy": True, "publisher": True},
            {"display": "nobody"},
        ]
    }

    assert guests(listing, None) == [
        Guest(7, Identity("Ana", "Ana"), True),
        Guest(8, Identity("8", "Guest"), False),
        Guest("text", Identity("text", "Guest"), True),
    ]


def test_a_screen_belongs_to_the_guest_of_the_same_user() -> None:
    found = roster([person(2, "ana", "screen_share"), person(1, "ana"), person(3, "bo", publishing=False)])

    assert list(found.participants) == ["1", "3"]
    assert found.owners == {1: "1", 2: "1", 3: "3"}
    assert found.screens == {2}


def test_a_screen_whose_user_is_not_there_is_a_participant() -> None:
    found = roster([person(2, "ana", "screen_share")])

    assert found.participants == {"2": Participant("2", "ana", "Ana")}
    assert found.owners == {2: "2"}


def test_a_user_who_is_there_twice_is_two_participants() -> None:
    assert list(roster([person(1, "ana"), person(2, "ana")]).participants) == ["1", "2"]


def test_streams_are_read_with_what_they_show() -> None:
    data = {
        "streams": [
            {"type": "audio", "active": True, "mid": "0", "feed_id": 7, "feed_mid": "a", "codec": "opus"},
            {"type": "video", "mid": "1", "feed_id": 7, "feed_mid": "v", "feed_description": "My Screen"},
            {"type": "video", "mid": "2", "feed_id": 7, "feed_mid": "w", "simulcast": True},
            {"type": "data", "mid": "3", "feed_id": 7, "feed_mid": "d"},
            {"type": "video", "active": False, "mid": "4"},
        ]
    }

    assert streams(data) == [
        (7, Stream("0", "a", "audio")),
        (7, Stream("1", "v", "video", screen=True)),
        (7, Stream("2", "w", "video", simulcast=True)),
        (None, Stream("4", "", "video", active=False)),
    ]


def test_what_the_offer_does_not_send_is_not_active() -> None:
    offer = (
        "v=0\r\na=group:BUNDLE 0 1 2\r\n"
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=sendonly\r\na=mid:0\r\n"
        "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=inactive\r\na=mid:1\r\n"
        "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=sendonly\r\na=mid:2\r\n"
    )
    data = {"streams": [{"type": "video", "mid": "1", "feed_id": 7, "feed_mid": "1", "active": True}]}

    assert silent_mids(offer) == {"1", "2"}
    assert [stream.active for _, stream in streams(data, offer)] == [False]


def stream(mid: str, kind: Kind, **more: Any) -> Stream:
    return Stream(mid, mid, kind, **more)


@pytest.mark.parametrize(
    ("published", "only_screen", "expected"),
    [
        ([stream("0", "audio"), stream("1", "video")], False, {"0": AUDIO, "1": VIDEO}),
        ([stream("0", "audio"), stream("1", "video")], True, {"0": SCREEN_AUDIO, "1": SCREEN}),
        ([stream("0", "video", screen=True), stream("1", "video")], False, {"0": SCREEN, "1": VIDEO}),
        ([stream("0", "video"), stream("1", "video")], False, {"0": VIDEO}),
        ([stream("0", "video", active=False), stream("1", "video")], False, {"1": VIDEO}),
        ([stream("0", "audio"), stream("1", "audio", screen=True)], False, {"0": AUDIO, "1": SCREEN_AUDIO}),
        ([], False, {}),
    ],
)
def test_streams_become_tracks(published: list[Stream], only_screen: bool, expected: dict[str, TrackType]) -> None:
    assert track_types(published, only_screen=only_screen) == expected


def test_everything_new_is_told_participants_first() -> None:
    after = present("a")

    assert changes(EMPTY, {}, after, {("a", VIDEO): media("v")}) == [
        Joined(after.participants["a"]),
        TrackAdded("a", VIDEO, media("v")),
    ]


def test_who_leaves_loses_the_tracks_first() -> None:
    before = present("a", "b")

    assert changes(before, {("a", AUDIO): media("m")}, present("b"), {}) == [TrackRemoved("a", AUDIO), Left("a")]


def test_a_track_with_other_media_is_removed_and_added() -> None:
    both = present("a")
    same = media("same")

    told = changes(
        both,
        {("a", AUDIO): same, ("a", VIDEO): media("old")},
        both,
        {
            ("a", AUDIO): same,
            ("a", VIDEO): media("new"),
        },
    )

    assert told == [TrackRemoved("a", VIDEO), TrackAdded("a", VIDEO, media("new"))]


def test_another_name_is_an_update() -> None:
    before, after = present("a"), Roster({"a": Participant("a", "a", "Ana")}, {}, frozenset())

    assert changes(before, {}, after, {}) == [Updated(after.participants["a"])]


def test_nothing_new_is_not_told() -> None:
    same: Callable[[], Roster] = lambda: present("a")  # noqa: E731
    track = media("m")

    assert changes(same(), {("a", AUDIO): track}, same(), {("a", AUDIO): track}) == []


def test_a_screen_moves_to_its_user_when_they_come() -> None:
    screen = media("screen")
    alone = roster([person(2, "ana", "screen_share")])
    both = roster([person(2, "ana", "screen_share"), person(1, "ana")])

    told = changes(alone, {("2", SCREEN): screen}, both, {("1", SCREEN): screen})

    assert told == [
        TrackRemoved("2", SCREEN),
        Left("2"),
        Joined(Participant("1", "ana", "Ana")),
        TrackAdded("1", SCREEN, screen),
    ]
