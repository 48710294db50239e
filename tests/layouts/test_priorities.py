"""Who is shown, and where: priorities, and tiles that stay where they are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import pytest

from layouts.engine import compose
from layouts.scene import CallView, Scene
from tests.layouts.calls import call_of, guest, shown, tile_of

SIZE = (1280, 720)


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant", "mobile", "dominant-speaker"])
def test_an_empty_call_is_a_plain_scene(layout: str) -> None:
    scene = compose(layout, {"video.background_color": "#102030"}, SIZE, call_of(0))
    assert scene.tiles == ()
    assert (scene.width, scene.height) == SIZE
    assert (scene.background.red, scene.background.green, scene.background.blue) == (0x10, 0x20, 0x30)


@pytest.mark.parametrize(
    ("pinned", "sharing", "dominant", "without_video", "expected"),
    [
        ((), (), None, (), "0"),
        ((), (), None, (0, 1), "2"),
        ((), (), 3, (3,), "3"),
        ((), (2,), 3, (), "2*"),
        ((1,), (2,), 3, (1,), "1"),
        ((1,), (1,), 3, (), "1*"),
        ((), (), None, (0, 1, 2, 3), "0"),
    ],
)
@pytest.mark.parametrize("layout", ["spotlight", "single-participant"])
def test_a_pin_beats_a_screen_beats_the_dominant_speaker_beats_a_camera(
    layout: str,
    pinned: Collection[int],
    sharing: Collection[int],
    dominant: int | None,
    without_video: Collection[int],
    expected: str,
) -> None:
    call = call_of(4, pinned=pinned, sharing=sharing, dominant=dominant, without_video=without_video)
    assert shown(compose(layout, {}, SIZE, call))[0] == expected


def test_the_first_grid_shows_pins_then_the_dominant_speaker_then_cameras_then_the_order_of_joining() -> None:
    call = call_of(5, pinned=(3,), dominant=2, without_video=(0,))
    assert shown(compose("grid", {}, SIZE, call)) == ["3", "2", "1", "4", "0"]


def test_tiles_do_not_move_when_somebody_speaks() -> None:
    before = compose("grid", {}, SIZE, call_of(6))
    after = compose("grid", {}, SIZE, call_of(6, speaking=(4,), dominant=4), before)
    assert [tile.rect for tile in after.tiles] == [tile.rect for tile in before.tiles]
    assert shown(after) == shown(before) == ["0", "1", "2", "3", "4", "5"]
    assert after.tiles[4].border != before.tiles[4].border


def test_a_camera_switched_off_or_on_moves_nobody_in_a_grid_with_room() -> None:
    before = compose("grid", {}, SIZE, call_of(5))
    after = compose("grid", {}, SIZE, call_of(5, without_video=(1,)), before)
    assert shown(after) == shown(before)
    assert tile_of(after, 1).source is None
    assert shown(compose("grid", {}, SIZE, call_of(5), after)) == shown(before)


def test_a_pinned_guest_comes_to_the_front() -> None:
    before = compose("grid", {}, SIZE, call_of(5))
    after = compose("grid", {}, SIZE, call_of(5, pinned=(3,)), before)
    assert shown(after) == ["3", "0", "1", "2", "4"]


def test_a_newcomer_takes_the_place_of_who_left() -> None:
    before = compose("grid", {}, SIZE, call_of(4))
    after = compose("grid", {}, SIZE, call_of([0, 2, 3, 7]), before)
    assert shown(after) == ["0", "7", "2", "3"]


def test_a_hidden_guest_who_speaks_replaces_one_tile_and_moves_no_other() -> None:
    before = compose("grid", {}, SIZE, call_of(30))
    after = compose("grid", {}, SIZE, call_of(30, dominant=27), before)
    assert shown(before) == [str(number) for number in range(20)]
    assert shown(after) == [str(number) for number in range(19)] + ["27"]
    assert shown(compose("grid", {}, SIZE, call_of(30), after)) == shown(after)


def test_two_hidden_guests_who_talk_with_each_other_do_not_take_turns_in_one_tile() -> None:
    scene = compose("grid", {}, SIZE, call_of(30))
    for dominant in (27, 28, 27):
        scene = compose("grid", {}, SIZE, call_of(30, dominant=dominant), scene)
    assert {"27", "28"} < set(shown(scene))
    assert shown(scene)[:18] == [str(number) for number in range(18)]


def test_a_camera_comes_before_who_shows_none_when_not_all_have_room() -> None:
    scene = compose("grid", {"grid.columns": 2, "grid.rows": 2}, SIZE, call_of(6, without_video=(0, 1)))
    assert shown(scene) == ["2", "3", "4", "5"]


def test_who_leaves_the_spotlight_takes_the_place_in_the_bar_of_who_enters_it() -> None:
    before = compose("spotlight", {}, SIZE, call_of(5, dominant=0))
    after = compose("spotlight", {}, SIZE, call_of(5, dominant=3), before)
    assert shown(before) == ["0", "1", "2", "3", "4"]
    assert shown(after) == ["3", "1", "2", "0", "4"]
    assert [tile.rect for tile in after.tiles] == [tile.rect for tile in before.tiles]


@pytest.mark.parametrize("layout", ["spotlight", "single-participant"])
def test_the_last_speaker_stays_on_stage_in_a_silence(layout: str) -> None:
    speaking = compose(layout, {}, SIZE, call_of(4, dominant=2))
    silence = compose(layout, {}, SIZE, call_of(4), speaking)
    assert shown(silence)[0] == "2"
    assert silence == compose(layout, {}, SIZE, call_of(4), silence)


def test_a_shared_screen_takes_a_grid_to_the_spotlight_with_the_sharer_first_in_the_bar() -> None:
    before = compose("grid", {}, SIZE, call_of(5))
    scene = compose("grid", {}, SIZE, call_of(5, sharing=(3,)), before)
    assert scene.layout == "spotlight"
    assert shown(scene) == ["3*", "3", "0", "1", "2", "4"]
    assert scene.tiles[0].scale_mode == "fit"
    assert scene.tiles[1].scale_mode == "fill"


def test_a_sharer_without_a_camera_is_in_the_bar_by_name() -> None:
    scene = compose("spotlight", {}, SIZE, call_of(3, sharing=(1,), without_video=(1,)))
    assert shown(scene) == ["1*", "1", "0", "2"]
    assert scene.tiles[1].source is None
    assert scene.tiles[1].placeholder.initials == "G1"


def test_a_screen_that_a_pin_keeps_off_the_stage_is_still_shown() -> None:
    scene = compose("spotlight", {}, SIZE, call_of(4, pinned=(0,), sharing=(2,)))
    assert shown(scene) == ["0", "2*", "2", "1", "3"]


def test_a_grid_can_stay_a_grid_while_a_screen_is_shared() -> None:
    scene = compose("grid", {"screenshare_layout": "grid"}, SIZE, call_of(3, sharing=(2,)))
    assert scene.layout == "grid"
    assert shown(scene)[0] == "2*"
    assert sorted(shown(scene)) == ["0", "1", "2", "2*"]


def test_a_grid_of_two_columns_does_not_narrow_the_bar_of_its_screen_share_layout() -> None:
    scene = compose("grid", {"grid.columns": 2, "grid.rows": 1}, SIZE, call_of(8, sharing=(0,)))
    assert len(scene.tiles) == 6


def test_a_filter_hides_the_presenter_and_leaves_the_only_screen() -> None:
    call = call_of(3, sharing=(1,))
    for user_id, seen in (("u0", ["1*"]), ("u1", ["1*", "1"])):
        options = {"participant.filter": {"userId": call.participants[int(user_id[1])].user_id}}
        assert shown(compose("single-participant", options, SIZE, call)) == seen


@pytest.mark.parametrize("name", ["single-participant", "dominant-speaker", "single_participant", "mobile"])
def test_the_presenter_is_over_their_screen_unless_hidden(name: str) -> None:
    scene = compose(name, {}, SIZE, call_of(3, sharing=(1,)))
    assert shown(scene) == ["1*", "1"]
    assert (scene.tiles[1].rect.width, scene.tiles[1].rect.right) == (240, 1270)
    assert shown(compose(name, {"presenter_visible": False}, SIZE, call_of(3, sharing=(1,)))) == ["1*"]
    assert shown(compose(name, {}, SIZE, call_of(3, sharing=(1,), without_video=(1,)))) == ["1*"]


def test_who_speaks_has_the_highlight_border_and_nobody_else() -> None:
    scene = compose("grid", {"participant.outline_color": "hotpink"}, SIZE, call_of(3, speaking=(1,)))
    colors = [tile.border and (tile.border.color.red, tile.border.color.green) for tile in scene.tiles]
    assert colors == [(0xCC, 0xCC), (0xFF, 0x69), (0xCC, 0xCC)]
    widths = [tile.border.width if tile.border else 0 for tile in scene.tiles]
    assert widths[1] > widths[0] >= 1


def test_borders_can_be_switched_off_and_set_in_pixels() -> None:
    def borders(**options: object) -> list[tuple[int, int] | None]:
        named = {f"participant.{name}": value for name, value in options.items()}
        scene = compose("grid", named, SIZE, call_of(2, speaking=(1,)))
        return [tile.border and (tile.border.width, tile.border.radius) for tile in scene.tiles]

    assert borders(video_border_width=False, video_border_rounded=False) == [None, None]
    assert borders(video_border_width=4, video_border_radius="12px") == [(4, 12), (4, 12)]
    assert borders(video_border_width=0, outline_width=6, border_radius=0) == [None, (6, 0)]
    assert borders(video_border_width=False) == [(0, 9), (0, 9)]


def test_the_only_picture_of_a_canvas_has_a_frame_only_when_asked_for() -> None:
    call = call_of(2, speaking=(0,), dominant=0)
    assert compose("single-participant", {}, SIZE, call).tiles[0].border is None
    assert compose("single-participant", {"participant.label_border_color": "red"}, SIZE, call).tiles[0].border is None
    asked = compose("single-participant", {"participant.video_border_color": "red"}, SIZE, call).tiles[0].border
    assert asked is not None
    assert asked.color.green == 0xFC


def test_labels_say_who_is_muted_and_can_be_switched_off() -> None:
    call = CallView((guest(0), replace(guest(1, name=""), has_audio=False)))
    scene = compose("grid", {}, SIZE, call)
    assert [tile.label and (tile.label.text, tile.label.muted) for tile in scene.tiles] == [
        ("Guest 0", False),
        ("user-1", True),
    ]
    without = compose("grid", {"participant_label.display": False}, SIZE, call)
    assert [tile.label for tile in without.tiles] == [None, None]


def test_the_same_call_gives_the_same_scene() -> None:
    def run() -> Scene:
        scene = compose("spotlight", {}, SIZE, call_of(9))
        for dominant in (3, 8, None, 1):
            scene = compose("spotlight", {}, SIZE, call_of(9, dominant=dominant), scene)
        return scene

    assert run() == run()


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant"])
def test_of_several_who_are_pinned_the_one_with_the_lower_order_is_the_first(layout: str) -> None:
    order = {3: 0, 1: 1, 2: 2}
    call = CallView(
        tuple(
            replace(each, is_pinned=n in order, pin_order=order.get(n, 0))
            for n, each in enumerate(call_of(5, dominant=4).participants)
        )
    )
    first = shown(compose(layout, {}, SIZE, call, compose(layout, {}, SIZE, call_of(5))))
    assert first[:3] == ["3", "1", "2"][: len(first)]
