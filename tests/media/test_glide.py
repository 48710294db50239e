"""Tiles on their way between two scenes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.media.glide import next_glide
from layouts.scene import Rect, Scene
from tests.media.test_compositor import GROUND, PATCH, Canvas, FakePainter, area, luma, patch, scene, shown, tile

LEFT, RIGHT, WHOLE = Rect(0, 0, 160, 180), Rect(160, 0, 160, 180), Rect(0, 0, 320, 180)


def gliding(*tiles: tuple[str, Rect]) -> Scene:
    return replace(scene(*(tile(rect, who, "fill") for who, rect in tiles)), transition_ms=200)


BEFORE = gliding(("a", LEFT), ("b", RIGHT))
AFTER = gliding(("b", LEFT), ("a", RIGHT))


def test_without_a_transition_there_is_no_way() -> None:
    assert next_glide(BEFORE, None, replace(AFTER, transition_ms=0), 1.0) is None
    assert next_glide(None, None, AFTER, 1.0) is None


def test_tiles_that_stay_or_come_do_not_glide() -> None:
    assert next_glide(BEFORE, None, gliding(("a", LEFT), ("c", RIGHT)), 1.0) is None
    glide = next_glide(BEFORE, None, gliding(("a", WHOLE), ("c", RIGHT)), 1.0)
    assert glide is not None and set(glide.starts) == {("a", False)}


def test_a_tile_goes_from_its_old_place_to_its_new_one_in_the_time_that_was_asked_for() -> None:
    glide = next_glide(BEFORE, None, AFTER, 10.0)
    assert glide is not None
    assert glide.places(10.0) == [RIGHT, LEFT]
    assert glide.places(10.1) == [Rect(80, 0, 160, 180), Rect(80, 0, 160, 180)]
    assert glide.places(10.2) == [LEFT, RIGHT]
    assert (glide.over(10.19), glide.over(10.2)) == (False, True)


def test_a_scene_that_moves_nothing_does_not_delay_what_is_on_its_way() -> None:
    glide = next_glide(BEFORE, None, AFTER, 10.0)
    again = next_glide(AFTER, glide, replace(AFTER, timestamp="12:00"), 10.1)
    assert again is not None and again.places(10.15) == glide.places(10.15)  # type: ignore[union-attr]


def test_a_tile_that_is_called_elsewhere_on_its_way_goes_on_from_where_it_is() -> None:
    glide = next_glide(BEFORE, None, AFTER, 10.0)
    back = next_glide(AFTER, glide, BEFORE, 10.1)
    assert back is not None
    assert back.places(10.1) == [Rect(80, 0, 160, 180)] * 2
    assert back.places(10.3) == [LEFT, RIGHT]


even = st.integers(0, 60).map(lambda n: 2 * n)
rects = st.builds(lambda x, y, w, h: Rect(x, y, w + 2, h + 2), even, even, even, even)


@given(rects, rects, st.floats(0, 1))
def test_on_their_way_tiles_are_even_and_inside_the_canvas(start: Rect, end: Rect, share: float) -> None:
    glide = next_glide(gliding(("a", start)), None, gliding(("a", end)), 0.0)
    if glide is None:
        assert start == end
        return
    (place,) = glide.places(0.2 * share)
    assert all(value % 2 == 0 for value in (place.x, place.y, place.width, place.height))
    assert min(start.x, end.x) <= place.x and place.right <= max(start.right, end.right)
    assert min(start.y, end.y) <= place.y and place.bottom <= max(start.bottom, end.bottom)


@pytest.mark.parametrize("seen", [True, False])
def test_what_is_drawn_on_the_way_is_the_tile_in_its_place_and_at_the_end_all_that_belongs_to_it(seen: bool) -> None:
    painter = FakePainter()
    painter.patches = [patch(Rect(160, 100, 60, 20))]
    small, far = Rect(0, 0, 80, 60), Rect(160, 60, 160, 120)
    canvas = Canvas(gliding(("a", small)), painter)
    value = 180 if seen else luma(120)
    pictures = {("a", "video"): shown(180, 320, 180)} if seen else {}

    def draw(when: float) -> np.ndarray:
        frame = canvas.compositor.compose(pictures, when)  # type: ignore[arg-type]
        return np.frombuffer(frame.planes[0], np.uint8).reshape(180, -1)[:, :320].astype(np.int64)

    assert area(draw(0.9), value) == (0, 0, 80, 60)
    canvas.compositor.show(canvas.maker.make(gliding(("a", far))), 1.0)
    assert area(draw(1.0), value) == (0, 0, 80, 60)
    halfway = draw(1.1)
    assert area(halfway, value) == (80, 30, 200, 120)
    assert (np.abs(halfway[:28, :78] - luma(GROUND)) <= 1).all(), "nothing is left where it was"
    assert not (np.abs(halfway - luma(PATCH)) <= 1).any()
    arrived = draw(1.2)
    assert area(arrived, value) == (160, 60, 320, 180)
    assert (np.abs(arrived[100:120, 160:220] - luma(PATCH)) <= 1).all()
    assert (draw(1.3) == arrived).all()


def test_a_translucent_logo_stands_still_above_tiles_on_their_way() -> None:
    painter = FakePainter()
    logo = patch(Rect(100, 60, 120, 40))
    logo.rgba[:] = (100, 100, 100, 128)
    painter.patches, painter.signs = [logo], 1
    still = ("c", Rect(0, 90, 320, 90))
    canvas = Canvas(gliding(("a", Rect(0, 0, 160, 90)), ("b", Rect(160, 0, 160, 90)), still), painter)
    pictures = {(who, "video"): shown(180, 320, 180) for who in "abc"}

    def inside(when: float) -> np.ndarray:
        frame = canvas.compositor.compose(pictures, when)  # type: ignore[arg-type]
        return np.frombuffer(frame.planes[0], np.uint8).reshape(180, -1)[62:98, 102:218].astype(np.int64)

    expected = round(219 * 100 / 255 + 16 * 128 / 255 + 180 * 127 / 255)
    assert (np.abs(inside(0.9) - expected) <= 2).all()
    swapped = gliding(("b", Rect(0, 0, 160, 90)), ("a", Rect(160, 0, 160, 90)), still)
    canvas.compositor.show(canvas.maker.make(swapped), 1.0)
    for when in (1.0, 1.05, 1.2, 1.25):
        assert (np.abs(inside(when) - expected) <= 2).all(), when
    halfway = gliding(("b", Rect(0, 0, 160, 90)), ("a", Rect(0, 0, 160, 90)), still)
    canvas.compositor.show(canvas.maker.make(halfway), 2.0)
    ground = round(219 * 100 / 255 + 16 * 128 / 255 + luma(GROUND) * 127 / 255)
    for when in (2.0, 2.1, 2.3):
        seen = inside(when)
        assert ((np.abs(seen - expected) <= 2) | (np.abs(seen - ground) <= 2)).all(), when
