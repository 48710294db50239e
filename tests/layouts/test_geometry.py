"""Rectangles: inside the canvas, even, apart, and as great as they can be."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layouts.engine import compose
from layouts.geometry import LANDSCAPE, PORTRAIT, tiles
from layouts.scene import Rect, Scene
from tests.layouts.calls import call_of

LANDSCAPES = [(640, 360), (854, 480), (1280, 720), (1920, 1080), (2560, 1440)]
PORTRAITS = [(height, width) for width, height in LANDSCAPES]

sizes = st.tuples(st.integers(8, 1400), st.integers(8, 1400)).map(lambda half: (half[0] * 2, half[1] * 2))
grids = st.fixed_dictionaries(
    {},
    optional={
        "grid.columns": st.integers(1, 10),
        "grid.rows": st.integers(1, 10),
        "grid.cell_padding": st.integers(0, 500),
        "grid.margin": st.integers(0, 500),
        "grid.size_percentage": st.integers(5, 100),
        "layout.grid.page_size": st.integers(1, 100),
        "layout.grid.expand_tiles": st.booleans(),
        "layout.spotlight.participants_bar_limit": st.integers(1, 100) | st.just("dynamic"),
        "layout.rotate_seconds": st.integers(0, 9),
        "participant.aspect_ratio": st.sampled_from(["9/16", "4/3", "1/1", "16 / 9", "10/1", 0.1]),
        "grid.position": st.sampled_from(["top", "bottom", "left", "right"]),
        "screenshare_layout": st.sampled_from(["grid", "spotlight"]),
    },
)


def overlap(one: Rect, other: Rect) -> bool:
    return one.x < other.right and other.x < one.right and one.y < other.bottom and other.y < one.bottom


def assert_sound(scene: Scene) -> None:
    for tile in scene.tiles:
        rect = tile.rect
        assert min(rect.width, rect.height) >= 2
        assert all(value % 2 == 0 for value in (rect.x, rect.y, rect.width, rect.height)), rect
        assert rect.x >= 0 and rect.y >= 0 and rect.right <= scene.width and rect.bottom <= scene.height, rect


def assert_apart(scene: Scene) -> None:
    for one, other in itertools.combinations([tile.rect for tile in scene.tiles], 2):
        assert not overlap(one, other), (one, other)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["grid", "spotlight"]), grids, sizes, st.integers(0, 60), st.sets(st.integers(0, 59), max_size=3)
)
def test_tiles_are_even_inside_the_canvas_and_never_overlap(
    layout: str, options: dict[str, object], size: tuple[int, int], count: int, sharing: set[int]
) -> None:
    scene = compose(layout, options, size, call_of(count, sharing=sharing), now=31.0)
    assert_sound(scene)
    assert_apart(scene)
    assert (len(scene.tiles) > 0) == (count > 0)
    assert scene == compose(layout, options, size, call_of(count, sharing=sharing), now=31.0)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(["grid", "spotlight"]),
    st.integers(1, 10),
    st.integers(1, 10),
    st.integers(1, 100),
    st.integers(0, 110),
    st.booleans(),
)
def test_there_are_at_most_as_many_tiles_as_asked_for(
    layout: str, columns: int, rows: int, limit: int, count: int, rotating: bool
) -> None:
    cells = {"grid.columns": columns, "grid.rows": rows, "layout.rotate_seconds": int(rotating)}
    other = {"layout.grid.page_size": limit, "layout.spotlight.participants_bar_limit": limit}
    stage = int(layout == "spotlight")

    def tiles_of(options: dict[str, object]) -> list[Rect]:
        scene = compose(layout, options, (1280, 720), call_of(count), now=3.0)
        return [tile.rect for tile in scene.tiles[stage:]]

    both = tiles_of({**cells, **other})
    assert len(both) <= min(columns * rows, limit, max(count - stage, 0))
    assert len({rect.x for rect in both}) <= columns * 2  # a last row that is not full stands between the others
    assert len({rect.y for rect in both}) <= rows
    assert len(tiles_of(other)) == min(limit, max(count - stage, 0))
    assert len(tiles_of(cells)) == min(columns * rows, max(count - stage, 0))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["grid", "spotlight", "single-participant"]),
    st.sampled_from([(9, 16), (3, 4), (1, 1), (4, 3), (16, 9)]),
    st.integers(1, 20),
    st.sampled_from(LANDSCAPES + PORTRAITS),
)
def test_tiles_have_the_shape_that_was_asked_for(
    layout: str, ratio: tuple[int, int], count: int, size: tuple[int, int]
) -> None:
    scene = compose(layout, {"participant.aspect_ratio": f"{ratio[0]}/{ratio[1]}"}, size, call_of(count))
    for rect in (tile.rect for tile in scene.tiles):
        assert abs(rect.width - rect.height * ratio[0] / ratio[1]) <= 2 * max(1, ratio[0] / ratio[1])


@pytest.mark.parametrize("layout", ["spotlight", "single-participant", "grid"])
def test_a_shared_screen_keeps_its_room_whatever_shape_tiles_have(layout: str) -> None:
    options = {"screenshare_layout": layout}
    call = call_of(4, sharing=(1,))
    plain = compose("grid", options, (1920, 1080), call).tiles[0]
    shaped = compose("grid", {**options, "participant.aspect_ratio": "9/16"}, (1920, 1080), call).tiles[0]
    assert plain.source == "screen_share"
    assert plain.rect == shaped.rect
    assert plain.scale_mode == "fit"


def test_a_shared_screen_stays_readable_at_1080p() -> None:
    screen = compose("grid", {}, (1920, 1080), call_of(9, sharing=(1,))).tiles[0].rect
    # Letters of 16 pixels on a screen of 1920 pixels are 12 high: a screen three quarters as large can be read.
    assert screen.width >= 0.75 * 1920 and screen.height >= 0.75 * 1080
    alone = compose("single-participant", {}, (1920, 1080), call_of(9, sharing=(1,))).tiles[0].rect
    assert alone == Rect(0, 0, 1920, 1080)


@pytest.mark.parametrize(("count", "size"), [(2, (1280, 720)), (5, (1280, 720)), (3, (720, 1280)), (7, (1920, 1080))])
def test_expanded_tiles_use_the_room_that_others_leave(count: int, size: tuple[int, int]) -> None:
    def covered(**options: object) -> int:
        scene = compose("grid", {"participant.aspect_ratio": "4/3", **options}, size, call_of(count))
        assert_apart(scene)
        return sum(tile.rect.width * tile.rect.height for tile in scene.tiles)

    assert covered(**{"layout.grid.expand_tiles": True}) > 1.05 * covered()


def test_a_dynamic_bar_has_as_many_tiles_as_have_room_in_their_shape() -> None:
    def bar(count: int, **options: object) -> list[Rect]:
        named = {name.replace("__", "."): value for name, value in options.items()}
        named["layout.spotlight.participants_bar_limit"] = "dynamic"
        return [tile.rect for tile in compose("spotlight", named, (1280, 720), call_of(count)).tiles[1:]]

    row = bar(30)
    assert len(row) == 4
    assert row[0].height == pytest.approx(0.2 * 720, abs=2)
    assert sum(rect.width + 10 for rect in row) + row[0].width > 1280 - 20
    assert len(bar(30, grid__rows=2)) > 8
    assert len(bar(30, grid__position="left")) == 4
    assert len(bar(30, grid__columns=2)) == 2
    assert len(bar(3)) == 2


def test_padding_narrows_the_only_picture_and_leaves_the_presenter() -> None:
    options = {"layout.single-participant.padding_inline": "20%", "layout.single-participant.padding_block": "36px"}
    assert compose("single-participant", options, (1280, 720), call_of(1)).tiles[0].rect == Rect(256, 36, 768, 648)
    shared = compose("single-participant", options, (1280, 720), call_of(1, sharing=(0,)))
    assert shared.tiles[0].rect == Rect(256, 36, 768, 648)
    assert shared.tiles[1].rect.right == 1270


@settings(max_examples=100, deadline=None)
@given(sizes, st.integers(0, 5), st.sets(st.integers(0, 4), max_size=2))
def test_only_the_presenter_lies_over_another_picture(size: tuple[int, int], count: int, sharing: set[int]) -> None:
    scene = compose("single-participant", {}, size, call_of(count, sharing=sharing))
    assert_sound(scene)
    presenting = any(number < count for number in sharing)
    assert len(scene.tiles) == (2 if presenting else min(count, 1))
    if scene.tiles:
        assert scene.tiles[0].rect == Rect(0, 0, *size)


@pytest.mark.parametrize("size", LANDSCAPES)
@pytest.mark.parametrize("count", range(1, 21))
def test_a_landscape_grid_shows_all_of_twenty_in_the_shape_of_cameras(size: tuple[int, int], count: int) -> None:
    scene = compose("grid", {}, size, call_of(count))
    rects = [tile.rect for tile in scene.tiles]
    assert len(rects) == count
    assert len({(rect.width, rect.height) for rect in rects}) == 1
    assert rects[0].width / rects[0].height == pytest.approx(16 / 9, rel=0.05)
    covered = sum(rect.width * rect.height for rect in rects) / (size[0] * size[1])
    assert covered >= 0.43


@pytest.mark.parametrize("size", PORTRAITS)
@pytest.mark.parametrize("count", range(1, 21))
def test_a_portrait_grid_shows_all_of_twenty_and_uses_its_height(size: tuple[int, int], count: int) -> None:
    scene = compose("grid", {}, size, call_of(count))
    rects = [tile.rect for tile in scene.tiles]
    assert len(rects) == count
    assert len({(rect.width, rect.height) for rect in rects}) == 1
    assert 0.97 <= rects[0].width / rects[0].height <= 4 / 3 * 1.03
    covered = sum(rect.width * rect.height for rect in rects) / (size[0] * size[1])
    assert covered >= 0.43


@pytest.mark.parametrize(
    ("count", "rows"),
    [(1, [1]), (2, [2]), (3, [2, 1]), (4, [2, 2]), (5, [3, 2]), (9, [3, 3, 3]), (12, [4, 4, 4]), (20, [5, 5, 5, 5])],
)
def test_a_landscape_grid_has_the_rows_that_make_its_tiles_greatest(count: int, rows: list[int]) -> None:
    scene = compose("grid", {}, (1280, 720), call_of(count))
    tops = [tile.rect.y for tile in scene.tiles]
    assert [tops.count(top) for top in sorted(set(tops))] == rows


def test_a_last_row_that_is_not_full_stands_in_the_middle() -> None:
    scene = compose("grid", {}, (1280, 720), call_of(5))
    last = [tile.rect for tile in scene.tiles[3:]]
    assert last[0].y == last[1].y > scene.tiles[0].rect.y
    assert last[0].x - 0 == pytest.approx(1280 - last[1].right, abs=2)


def test_columns_and_rows_that_were_asked_for_are_kept() -> None:
    scene = compose("grid", {"grid.columns": 2, "grid.rows": 3}, (1280, 720), call_of(20))
    assert len(scene.tiles) == 6
    assert len({tile.rect.x for tile in scene.tiles}) == 2
    assert len({tile.rect.y for tile in scene.tiles}) == 3


def test_padding_and_share_of_the_canvas_are_honoured() -> None:
    scene = compose(
        "grid", {"grid.cell_padding": "40px", "grid.size_percentage": 25, "grid.margin": 0}, (1280, 720), call_of(4)
    )
    first, second = scene.tiles[0].rect, scene.tiles[1].rect
    assert second.x - first.right >= 40
    assert scene.tiles[-1].rect.right - first.x <= 640
    assert scene.tiles[-1].rect.bottom - first.y <= 360


@pytest.mark.parametrize("position", ["top", "bottom", "left", "right"])
def test_the_bar_lies_on_the_side_that_was_asked_for(position: str) -> None:
    scene = compose("spotlight", {"grid.position": position}, (1280, 720), call_of(4))
    stage, *bar = [tile.rect for tile in scene.tiles]
    beyond = {
        "top": [rect.bottom <= stage.y for rect in bar],
        "bottom": [rect.y >= stage.bottom for rect in bar],
        "left": [rect.right <= stage.x for rect in bar],
        "right": [rect.x >= stage.right for rect in bar],
    }
    assert len(bar) == 3
    assert all(beyond[position])
    assert stage.width * stage.height > 4 * bar[0].width * bar[0].height


def test_five_in_the_bar_stand_in_one_row_of_a_fifth_of_the_height() -> None:
    scene = compose("spotlight", {}, (1280, 720), call_of(9))
    bar = [tile.rect for tile in scene.tiles[1:]]
    assert len(bar) == 5
    assert len({rect.y for rect in bar}) == 1
    assert bar[0].height == pytest.approx(0.2 * 720, abs=8)


def test_no_tiles_are_made_where_there_is_no_room_for_two_pixels() -> None:
    assert tiles(5, Rect(0, 0, 1, 100), 0, LANDSCAPE, 5, 1) == ()
    assert len(tiles(9, Rect(0, 0, 4, 4), 10, PORTRAIT, 9, 9)) == 4


@pytest.mark.parametrize("size", [(0, 0), (15, 720), (1281, 720), (1280, 721), (-2, 720)])
def test_a_canvas_that_cannot_be_encoded_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="even sides"):
        compose("grid", {}, size, call_of(1))
