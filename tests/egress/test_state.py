"""A call's state: events in, what a layout may know out."""

from __future__ import annotations

from typing import Any

import pytest

from egress.call.model import (
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    Participant,
    Pinned,
    QualityChanged,
    RoomChanged,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackPaused,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
)
from egress.call.state import MAX_METADATA, PAUSED_PICTURE, SILENT_CAMERA, CallState
from egress.protocol.directions import Directions, Moderated, Pin
from egress.rtc.clock import ParticipantClock, TrackClock
from layouts.scene import ParticipantView

AUDIO, VIDEO, SCREEN = TrackType.AUDIO, TrackType.VIDEO, TrackType.SCREEN_SHARE


class Media:
    def __init__(self, rate: int = 90_000) -> None:
        self.clock = TrackClock(rate)
        self.last_packet: float | None = None

    def join(self, group: ParticipantClock) -> None:
        self.clock.join(group)


def media() -> Any:
    return Media()


def who(user: str = "a", /, **changed: Any) -> Participant:
    return Participant(**{"session_id": f"s-{user}", "user_id": user, "name": user.upper(), **changed})


def after(*events: Any, now: float = 10.0) -> CallState:
    state = CallState()
    for event in events:
        state.apply(event, now)
    return state


def seen(state: CallState, name: str = "a", now: float = 10.0) -> ParticipantView:
    [found] = [p for p in state.view(now).participants if p.session_id == f"s-{name}"]
    return found


@pytest.mark.parametrize(
    ("events", "video", "audio", "screen"),
    [
        ([], False, False, False),
        ([TrackAdded("s-a", VIDEO, media())], True, False, False),
        ([TrackAdded("s-a", AUDIO, media())], False, True, False),
        ([TrackAdded("s-a", SCREEN, media())], False, False, True),
        ([TrackAdded("s-a", VIDEO, media()), TrackMuted("s-a", VIDEO, True)], False, False, False),
        ([TrackAdded("s-a", AUDIO, media()), TrackMuted("s-a", AUDIO, True)], False, False, False),
        (
            [TrackAdded("s-a", VIDEO, media()), TrackMuted("s-a", VIDEO, True), TrackMuted("s-a", VIDEO, False)],
            True,
            False,
            False,
        ),
        ([TrackAdded("s-a", VIDEO, media()), TrackRemoved("s-a", VIDEO)], False, False, False),
        ([TrackRemoved("s-a", VIDEO), TrackMuted("s-a", AUDIO, True)], False, False, False),
        ([TrackAdded("s-b", VIDEO, media()), TrackMuted("s-b", VIDEO, True)], False, False, False),
        ([TrackAdded("s-a", TrackType.SCREEN_SHARE_AUDIO, media())], False, False, False),
    ],
)
def test_tracks_show_as_flags(events: list[Any], video: bool, audio: bool, screen: bool):
    view = seen(after(Joined(who()), *events))
    assert (view.has_video, view.has_audio, view.has_screen_share) == (video, audio, screen)


def test_participants_keep_the_order_in_which_they_joined():
    state = CallState()
    for n, name in enumerate("cab"):
        state.apply(Joined(who(name)), float(n))
    state.apply(Left("s-a"), 5)
    state.apply(Joined(who("a")), 6)
    view = state.view(7)
    assert [p.user_id for p in view.participants] == ["c", "b", "a"]
    assert [p.joined_at for p in view.participants] == [0.0, 2.0, 6.0]


def test_joining_twice_is_one_participant_with_the_newer_name_and_the_same_tracks():
    state = after(Joined(who()), TrackAdded("s-a", VIDEO, media()), Joined(who(name="Anna")))
    view = seen(state)
    assert (view.name, view.has_video) == ("Anna", True)


def test_one_user_may_be_in_the_call_twice():
    state = after(Joined(who("a")), Joined(who("b", user_id="a")))
    assert [p.user_id for p in state.view(10).participants] == ["a", "a"]


def test_updates_change_the_name_and_nothing_else():
    state = after(Joined(who()), Pinned("s-a", True), Updated(who(name="Anna", roles=("host",))), Updated(who("x")))
    view = seen(state)
    assert (view.name, view.roles, view.is_pinned) == ("Anna", ("host",), True)
    assert len(state.participants) == 1


def test_who_left_is_gone_and_speaks_no_more():
    state = after(Joined(who()))
    for n in range(50):
        state.speakers.hear("s-a", -20, 9 + n * 0.02)
    assert seen(state).is_speaking and seen(state).is_dominant_speaker
    state.apply(Left("s-a"), 10)
    assert state.view(10).participants == ()
    state.apply(Joined(who()), 10.1)
    assert not seen(state, now=10.1).is_speaking


def test_events_about_nobody_and_about_the_connection_change_nothing():
    state = after(
        Left("s-x"),
        Pinned("s-x", True),
        Updated(who("x")),
        Connected(),
        Disconnected("away"),
        Ended("over"),
        Speaking({"s-x": 1}),
        TrackPaused("s-x", VIDEO, True),
        TrackUnreadable("s-x", VIDEO, "vp9", "not read"),
        QualityChanged("s-x", "poor"),
    )
    assert state.view(10).participants == ()


def test_tracks_of_one_participant_share_their_clock_and_others_do_not():
    sound, seen_, other = media(), media(), media()
    after(
        Joined(who("a")),
        Joined(who("b")),
        TrackAdded("s-a", AUDIO, sound),
        TrackAdded("s-a", VIDEO, seen_),
        TrackAdded("s-b", AUDIO, other),
    )
    assert sound.clock.group is seen_.clock.group
    assert other.clock.group is not sound.clock.group


def test_a_camera_without_packets_counts_as_off_but_a_screen_may_rest():
    camera, screen = media(), media()
    state = after(Joined(who()), TrackAdded("s-a", VIDEO, camera), TrackAdded("s-a", SCREEN, screen))
    for track in state.participants["s-a"].tracks.values():
        track.wanted, track.wanted_since = True, 10.0
    camera.last_packet = screen.last_packet = 20.0
    assert seen(state, now=20.0 + SILENT_CAMERA - 0.1).has_video
    later = seen(state, now=20.0 + SILENT_CAMERA + 0.1)
    assert (later.has_video, later.has_screen_share) == (False, True)
    camera.last_packet = 30.0
    assert seen(state, now=30.1).has_video


def test_a_camera_that_nobody_wanted_is_not_off_for_sending_nothing():
    camera = media()
    state = after(Joined(who()), TrackAdded("s-a", VIDEO, camera))
    assert seen(state, now=100.0).has_video
    track = state.participants["s-a"].tracks[VIDEO]
    track.wanted, track.wanted_since = True, 100.0
    assert seen(state, now=100.0 + SILENT_CAMERA - 0.1).has_video, "it gets the time to begin"
    assert not seen(state, now=100.0 + SILENT_CAMERA + 0.1).has_video


def test_levels_told_by_the_sfu_make_speakers_and_silence():
    state = after(Joined(who("a")), Joined(who("b")))
    for n in range(20):
        state.apply(Speaking({"s-a": 0.5}), 10 + n * 0.1)
    assert (seen(state, "a", 12.0).is_speaking, seen(state, "b", 12.0).is_speaking) == (True, False)
    for n in range(20):
        state.apply(Speaking({}), 12 + n * 0.1)
    assert not seen(state, "a", 14.0).is_speaking


def listening(state: CallState, start: float, end: float) -> None:
    """Look at the call as an attendant does."""
    for n in range(round((end - start) / 0.05)):
        assert state.listen_to_told_levels(start + n * 0.05)


def test_who_was_told_to_speak_goes_on_until_the_sfu_tells_something_else():
    state = after(Joined(who("a")), Joined(who("b")))
    assert not state.listen_to_told_levels(10)
    state.apply(Speaking({"s-a": 0.7}), 10)
    listening(state, 10, 15)
    assert seen(state, "a", 15.0).is_speaking and seen(state, "a", 15.0).is_dominant_speaker
    state.apply(Speaking({"s-b": 0.7}), 15)
    listening(state, 15, 17)
    assert (seen(state, "a", 17.0).is_speaking, seen(state, "b", 17.0).is_speaking) == (False, True)
    assert seen(state, "b", 17.0).is_dominant_speaker


def test_what_an_sfu_told_before_it_went_away_counts_no_more():
    state = after(Joined(who("a")), Speaking({"s-a": 0.7}), Disconnected("away"))
    assert not state.listen_to_told_levels(11)
    assert not seen(state, "a", 11.0).is_speaking


@pytest.mark.parametrize("type_", [VIDEO, SCREEN])
def test_the_last_picture_of_a_track_that_the_sfu_paused_stays_for_a_second(type_: TrackType):
    track = media()
    state = after(Joined(who()), TrackAdded("s-a", type_, track))
    known = state.participants["s-a"].tracks[type_]
    known.wanted, known.wanted_since, track.last_packet = True, 10.0, 20.0

    def shown(now: float) -> bool:
        view = seen(state, now=now)
        return view.has_video if type_ is VIDEO else view.has_screen_share

    state.apply(TrackPaused("s-a", type_, True), 20.0)
    state.apply(TrackPaused("s-a", type_, True), 20.8)
    assert shown(20.0 + PAUSED_PICTURE - 0.1)
    assert not shown(20.0 + PAUSED_PICTURE + 0.1)
    state.apply(TrackPaused("s-a", type_, False), 25.0)
    track.last_packet = 25.1
    assert shown(25.2)


def test_a_pause_ends_with_its_track():
    state = after(Joined(who()), TrackAdded("s-a", VIDEO, media()), TrackPaused("s-a", VIDEO, True), now=5.0)
    state.apply(TrackRemoved("s-a", VIDEO), 6.0)
    state.apply(TrackAdded("s-a", VIDEO, media()), 7.0)
    track = state.participants["s-a"].tracks[VIDEO]
    track.wanted, track.wanted_since = True, 7.0
    assert seen(state, now=7.5).has_video


@pytest.mark.parametrize("readable", [TrackAdded("s-a", VIDEO, media()), TrackRemoved("s-a", VIDEO)])
def test_an_unreadable_track_is_not_shown_and_known_until_it_is_readable_or_gone(readable: Any):
    state = after(
        Joined(who()),
        TrackAdded("s-a", VIDEO, media()),
        TrackAdded("s-a", AUDIO, media()),
        TrackUnreadable("s-a", VIDEO, "av1", "AV1 is not received"),
    )
    view = seen(state)
    assert (view.has_video, view.has_audio) == (False, True)
    assert state.participants["s-a"].unreadable == {VIDEO: TrackUnreadable("s-a", VIDEO, "av1", "AV1 is not received")}
    state.apply(readable, 11.0)
    assert seen(state).has_video is isinstance(readable, TrackAdded)
    assert state.participants["s-a"].unreadable == {}


def test_the_quality_told_last_is_known():
    state = after(Joined(who()), QualityChanged("s-a", "poor"), QualityChanged("s-a", "good"))
    assert state.participants["s-a"].quality == "good"


def test_of_a_rooms_metadata_a_bounded_length_is_kept():
    state = after(RoomChanged("lesson 4"))
    assert state.room_metadata == "lesson 4"
    state.apply(RoomChanged("x" * (MAX_METADATA + 1)), 11.0)
    assert state.room_metadata == "x" * MAX_METADATA


def test_the_latest_pin_by_message_comes_before_the_others_and_before_those_of_the_sfu():
    state = after(*(Joined(who(name)) for name in "abcd"), Pinned("s-a", True))
    state.direct(Directions(pins=(Pin(participant="s-c"), Pin(user_id="b"))))
    pins = {p.user_id: (p.is_pinned, p.pin_order) for p in state.view(10).participants}
    assert pins == {"a": (True, 2), "b": (True, 1), "c": (True, 0), "d": (False, 0)}
    state.direct(Directions())
    assert [p.user_id for p in state.view(10).participants if p.is_pinned] == ["a"]


def test_who_is_hidden_has_no_pictures_and_who_is_silenced_no_voice():
    state = after(
        Joined(who()),
        TrackAdded("s-a", VIDEO, media()),
        TrackAdded("s-a", TrackType.SCREEN_SHARE, media()),
        TrackAdded("s-a", TrackType.AUDIO, media()),
    )
    clear = seen(state)
    assert (clear.has_video, clear.has_screen_share, clear.has_audio, clear.moderation) == (True, True, True, "show")
    state.direct(Directions(moderation=(Moderated(user_id="a", video="hide"),)))
    assert (seen(state).has_video, seen(state).has_screen_share, seen(state).has_audio) == (False, False, True)
    state.direct(Directions(moderation=(Moderated(user_id="a", video="blur", audio="silence"),)))
    blurred = seen(state)
    assert (blurred.has_video, blurred.has_audio, blurred.moderation) == (True, False, "blur")


def test_who_is_silenced_does_not_lead_the_conversation():
    state = after(Joined(who("a")), Joined(who("b")))
    state.direct(Directions(moderation=(Moderated(user_id="a", audio="silence"),)))
    for n in range(100):
        state.hear("s-a", -10, 8 + n * 0.02)
        state.hear("s-b", -30, 8 + n * 0.02)
    view = {p.user_id: p for p in state.view(10).participants}
    assert view["b"].is_dominant_speaker and not view["a"].is_speaking


def test_moderation_is_of_a_user_wherever_they_join_from_and_of_nobody_else():
    state = after(Joined(who("b")))
    state.direct(Directions(moderation=(Moderated(user_id="a", video="blur"),)))
    state.apply(Joined(who("x", user_id="a")), 9)
    assert [p.moderation for p in state.view(10).participants] == ["show", "blur"]
