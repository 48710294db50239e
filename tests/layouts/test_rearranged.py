"""Scenes after a style sheet: even rectangles of the canvas, those alone that hold a video."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from layouts.engine import compose
from layouts.rearranged import Slot, even_around, rearranged
from layouts.scene import Rect
from tests.layouts.calls import call_of

SCENE = compose("grid", {}, (640, 360), call_of(4, without_video=[3]))


def test_a_slot_on_even_pixels_is_kept_as_it_is():
    assert even_around(Slot(0, 10, 20, 100, 50, "cover"), 640, 360) == Rect(10, 20, 100, 50)
    assert even_around(Slot(0, 10.004, 19.996, 99.996, 50.004, "cover"), 640, 360) == Rect(10, 20, 100, 50)


def test_a_slot_between_pixels_grows_to_even_ones():
    assert even_around(Slot(0, 10.5, 21, 100.2, 50, "cover"), 640, 360) == Rect(10, 20, 102, 52)


def test_a_slot_outside_the_canvas_is_nothing():
    assert even_around(Slot(0, 640, 0, 50, 50, "cover"), 640, 360) is None
    assert even_around(Slot(0, -80, 0, 50, 50, "cover"), 640, 360) is None


@given(*(st.floats(-2000, 2000) for _ in range(2)), *(st.floats(0.1, 4000) for _ in range(2)))
def test_slots_become_even_rectangles_inside_the_canvas(x: float, y: float, width: float, height: float):
    rect = even_around(Slot(0, x, y, width, height, "cover"), 640, 360)
    if rect is not None:
        assert all(value % 2 == 0 for value in (rect.x, rect.y, rect.width, rect.height))
        assert 0 <= rect.x < rect.right <= 640 and 0 <= rect.y < rect.bottom <= 360


def test_tiles_follow_their_slots_in_the_order_of_those():
    moved = rearranged(SCENE, [Slot(2, 0, 0, 64, 36, "contain"), Slot(0, 10, 10, 64, 36, "fill")])
    assert [(tile.session_id, tile.rect, tile.scale_mode) for tile in moved.tiles] == [
        ("s2", Rect(0, 0, 64, 36), "fit"),
        ("s0", Rect(10, 10, 64, 36), "fill"),
    ]
    assert all(tile.label is None and tile.border is None for tile in moved.tiles)
    assert (moved.width, moved.height) == (640, 360)
