"""What does not move: speakers are held, pages turn when asked, shuffles go round, moderation keeps places."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layouts.engine import compose
from layouts.options import parse_options
from layouts.orientation import canvas_size
from layouts.scene import CallView, Moderation, Scene
from layouts.steady import STAY, Steady
from tests.layouts.calls import call_of, shown, tile_of

SIZE = (1280, 720)


def dominant(call: CallView) -> int | None:
    return next((int(guest.session_id[1:]) for guest in call.participants if guest.is_dominant_speaker), None)


def moderated(call: CallView, number: int, moderation: Moderation) -> CallView:
    return CallView(
        tuple(
            replace(guest, moderation=moderation) if guest.session_id == f"s{number}" else guest
            for guest in call.participants
        )
    )


def test_a_new_speaker_is_shown_at_once_and_a_quick_exchange_is_not() -> None:
    steady = Steady()

    def at(now: float, speaker: int | None) -> int | None:
        return dominant(steady.view(call_of(4, dominant=speaker), now))

    assert at(0.0, None) is None
    assert at(0.1, 1) == 1
    assert [at(0.1 + 0.2 * n, 2 - n % 2) for n in range(1, 5)] == [1, 1, 1, 1]
    assert at(0.1 + STAY, 2) == 2
    assert at(0.2 + STAY, 1) == 2
    assert at(9.0, 1) == 1


def test_after_a_silence_who_speaks_is_shown_at_once() -> None:
    steady = Steady()
    for now, told, expected in ((0.0, 1, 1), (0.2, None, 1), (1.5, None, None), (1.6, 3, 3)):
        assert dominant(steady.view(call_of(4, dominant=told), now)) == expected


def test_a_speaker_who_leaves_holds_nothing() -> None:
    steady = Steady()
    assert dominant(steady.view(call_of(4, dominant=1), 0.0)) == 1
    assert dominant(steady.view(call_of([0, 2, 3], dominant=2), 0.1)) == 2


def test_a_call_in_which_nothing_is_held_is_the_same_object() -> None:
    steady, call = Steady(), call_of(4, dominant=1)
    assert steady.view(call, 0.0) is call


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0.01, 0.7), st.sampled_from([0, 1, 2, None])), max_size=40))
def test_no_speaker_is_replaced_by_another_before_their_time(told: list[tuple[float, int | None]]) -> None:
    steady, now, since, last = Steady(), 0.0, 0.0, None
    for step, speaker in told:
        now += step
        shown_now = dominant(steady.view(call_of(3, dominant=speaker), now))
        if shown_now != last:
            assert last is None or shown_now is None or now - since >= STAY - 1e-9
            last, since = shown_now, now


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([("grid", 20), ("spotlight", 5)]),
    st.integers(7, 40),
    st.lists(st.integers(0, 39) | st.none(), min_size=1, max_size=8),
)
def test_a_change_of_speaker_moves_at_most_two_tiles(
    layout: tuple[str, int], count: int, speakers: list[int | None]
) -> None:
    name, _ = layout
    scene = compose(name, {}, SIZE, call_of(count))
    for speaker in speakers:
        after = compose(name, {}, SIZE, call_of(count, dominant=speaker), scene)
        assert [tile.rect for tile in after.tiles] == [tile.rect for tile in scene.tiles]
        changed = sum(one != other for one, other in zip(shown(scene), shown(after), strict=True))
        # In a grid one tile changes hands; in a spotlight the stage, and the place that was theirs or the last one.
        assert changed <= (1 if name == "grid" else 2)
        scene = after


def pages(count: int, seconds: int, times: Collection[float], **call: Any) -> list[list[str]]:
    options = parse_options("grid", {"grid.columns": 2, "grid.rows": 2, "layout.rotate_seconds": seconds})
    scene: Scene | None = None
    found = []
    for now in times:
        scene = compose("grid", options, SIZE, call_of(count, **call), scene, now=now)
        found.append(shown(scene))
    return found


def test_pages_turn_when_asked_and_the_last_one_is_full() -> None:
    assert pages(6, 10, (0, 9.9, 10, 19, 20)) == [
        ["0", "1", "2", "3"],
        ["0", "1", "2", "3"],
        ["4", "5", "0", "1"],
        ["4", "5", "0", "1"],
        ["0", "1", "2", "3"],
    ]
    assert pages(6, 0, (0, 10, 20)) == [["0", "1", "2", "3"]] * 3
    assert pages(4, 10, (0, 10)) == [["0", "1", "2", "3"]] * 2


def test_pins_screens_and_the_speaker_are_on_every_page() -> None:
    assert pages(7, 10, (0, 10, 20), pinned=(5,)) == [
        ["5", "0", "1", "2"],
        ["5", "3", "4", "6"],
        ["5", "0", "1", "2"],
    ]
    assert pages(8, 10, (0, 10), dominant=1) == [["0", "1", "2", "3"], ["4", "5", "6", "1"]]


def test_the_bar_of_a_spotlight_turns_its_pages_too() -> None:
    options = {"layout.spotlight.participants_bar_limit": 2, "layout.rotate_seconds": 5}
    assert [shown(compose("spotlight", options, SIZE, call_of(5), now=now)) for now in (0, 5, 10)] == [
        ["0", "1", "2"],
        ["0", "3", "4"],
        ["0", "1", "2"],
    ]


def shuffle(count: int, turns: int, **call: Any) -> list[str]:
    options = parse_options("single-participant", {"layout.single-participant.mode": "shuffle"})
    scenes = [
        compose("single-participant", options, SIZE, call_of(count, **call), now=n * 3.5 + 0.1) for n in range(turns)
    ]
    return [shown(scene)[0] for scene in scenes]


def test_a_shuffle_shows_everybody_once_a_round_and_nobody_twice_in_a_row() -> None:
    order = shuffle(3, 600)
    assert all(one != other for one, other in itertools.pairwise(order))
    order = shuffle(6, 60)
    rounds = [tuple(order[at : at + 6]) for at in range(0, 60, 6)]
    assert all(sorted(each) == list("012345") for each in rounds)
    assert len(set(rounds)) > 5
    assert all(one != other for one, other in itertools.pairwise(order))


def test_a_shuffle_leaves_the_stage_to_pins_and_screens() -> None:
    assert set(shuffle(6, 12, pinned=(2,))) == {"2"}
    assert set(shuffle(6, 12, sharing=(3,))) == {"3*"}
    assert shuffle(1, 3) == ["0", "0", "0"]
    assert shuffle(2, 4) == ["0", "1", "0", "1"]
    assert compose("single-participant", {"layout.single-participant.mode": "shuffle"}, SIZE, call_of(0)).tiles == ()


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant"])
def test_who_is_hidden_keeps_their_tile_without_a_picture(layout: str) -> None:
    scene = compose(layout, {}, SIZE, moderated(call_of(1), 0, "hide"))
    tile = tile_of(scene, 0)
    assert (tile.source, tile.blurred) == (None, False)
    assert tile.participant is not None
    assert tile.participant.moderation == "hide"


def test_a_hidden_screen_changes_no_layout_and_nobody_elses_place() -> None:
    before = compose("grid", {}, SIZE, call_of(4))
    after = compose("grid", {}, SIZE, moderated(call_of(4, sharing=(1,)), 1, "hide"), before)
    assert (after.layout, shown(after)) == ("grid", ["0", "1", "2", "3"])
    assert [tile.source for tile in after.tiles] == ["video", None, "video", "video"]


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant"])
def test_camera_and_screen_of_who_is_blurred_are(layout: str) -> None:
    scene = compose(layout, {}, SIZE, moderated(call_of(3, sharing=(1,)), 1, "blur"))
    blurred = [(tile.session_id, tile.source) for tile in scene.tiles if tile.blurred]
    assert blurred == [("s1", "screen_share"), ("s1", "video")]
    without = compose(layout, {}, SIZE, moderated(call_of(1, without_video=(0,)), 0, "blur"))
    assert not without.tiles[0].blurred


def test_places_say_what_tiles_are() -> None:
    def places(layout: str, **call: Any) -> list[str]:
        scene = compose(layout, {}, SIZE, call_of(3, **call))
        assert all(tile.participant and tile.participant.session_id == tile.session_id for tile in scene.tiles)
        return [tile.place for tile in scene.tiles]

    assert places("grid") == ["grid"] * 3
    assert places("spotlight") == ["stage", "bar", "bar"]
    assert places("single-participant") == ["stage"]
    assert places("single-participant", sharing=(1,)) == ["stage", "presenter"]
    assert places("grid", sharing=(1,)) == ["stage", "bar", "bar", "bar"]


def test_a_filter_hides_screens_but_not_from_the_only_picture() -> None:
    options = {"participant.filter": {"hasVideo": True}}
    call = call_of(3, sharing=(1,), without_video=(1,))
    assert shown(compose("grid", options, SIZE, call)) == ["0", "2"]
    assert compose("grid", options, SIZE, call).layout == "grid"
    assert shown(compose("single-participant", options, SIZE, call)) == ["1*"]
    assert shown(compose("grid", {**options, "screenshare_layout": "mobile"}, SIZE, call)) == ["1*"]


def test_who_presents_unseen_is_in_no_bar_and_no_grid() -> None:
    hidden = {"presenter_visible": False}
    call = call_of(3, sharing=(1,))
    assert shown(compose("spotlight", hidden, SIZE, call)) == ["1*", "0", "2"]
    assert sorted(shown(compose("grid", {**hidden, "screenshare_layout": "grid"}, SIZE, call))) == ["0", "1*", "2"]
    assert shown(compose("spotlight", hidden, SIZE, call_of(3, sharing=(1,), pinned=(0,)))) == ["0", "1*", "2"]


def test_only_cameras_are_mirrored() -> None:
    scene = compose(
        "spotlight", {"layout.forceMirrorParticipants": True}, SIZE, call_of(3, sharing=(1,), without_video=(2,))
    )
    assert [(tile.source, tile.mirrored) for tile in scene.tiles] == [
        ("screen_share", False),
        ("video", True),
        ("video", True),
        (None, False),
    ]


@pytest.mark.parametrize(
    ("portrait", "sharing", "expected"),
    [
        ([True, True, False], (), (720, 1280)),
        ([True, False], (), (1280, 720)),
        ([True, None, None], (), (720, 1280)),
        ([None, None], (), (1280, 720)),
        ([], (), (1280, 720)),
        ([True, True], (0,), (720, 1280)),
        ([True], (0,), (1280, 720)),
    ],
)
def test_a_canvas_stands_upright_when_most_pictures_do(
    portrait: list[bool | None], sharing: tuple[int, ...], expected: tuple[int, int]
) -> None:
    guests = call_of(len(portrait), sharing=sharing).participants
    call = CallView(tuple(replace(guest, is_portrait=way) for guest, way in zip(guests, portrait, strict=True)))
    assert canvas_size((1280, 720), True, call) == expected
    assert canvas_size((1280, 720), False, call) == (1280, 720)
    assert canvas_size((720, 1280), True, call) == (720, 1280)


def test_cameras_that_may_not_be_seen_turn_no_canvas() -> None:
    tall = CallView(tuple(replace(guest, is_portrait=True) for guest in call_of(1).participants))
    assert canvas_size((1280, 720), True, tall) == (720, 1280)
    assert canvas_size((1280, 720), True, moderated(tall, 0, "hide")) == (1280, 720)
    unseen = CallView(tuple(replace(guest, has_video=False) for guest in tall.participants))
    assert canvas_size((1280, 720), True, unseen) == (1280, 720)
