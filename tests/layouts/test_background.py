"""CSS's background-size, -position and -repeat against what the specification says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layouts.engine import compose
from layouts.painting.background import place, read_position, read_repeat, read_size
from layouts.scene import CallView

AREA = (1000.0, 500.0)


@pytest.mark.parametrize(
    ("size", "picture", "expected"),
    [
        ("auto", (80, 60), (80, 60)),
        ("cover", (100, 100), (1000, 1000)),
        ("cover", (400, 100), (2000, 500)),
        ("contain", (100, 100), (500, 500)),
        ("contain", (400, 100), (1000, 250)),
        ("50%", (100, 100), (500, 500)),
        ("50% auto", (200, 100), (500, 250)),
        ("auto 50%", (200, 100), (500, 250)),
        ("50% 20%", (7, 9), (500, 100)),
        ("120px", (100, 50), (120, 60)),
        ("120px 10%", (100, 50), (120, 50)),
        ("2rem 1em", (100, 50), (32, 16)),
        ("10vw 10vh", (7, 9), (100, 50)),
        ("10vmax 10vmin", (7, 9), (100, 50)),
        ("COVER", (100, 100), (1000, 1000)),
        ("0 0", (100, 100), (1, 1)),
    ],
)
def test_size(size: str, picture: tuple[int, int], expected: tuple[int, int]) -> None:
    placed = place(size, "0 0", "no-repeat", AREA, picture)
    assert (placed.width, placed.height) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("position", "expected"),
    [
        ("0% 0%", (0, 0)),
        ("center", (450, 225)),
        ("center center", (450, 225)),
        ("right bottom", (900, 450)),
        ("bottom right", (900, 450)),
        ("top", (450, 0)),
        ("left", (0, 225)),
        ("top center", (450, 0)),
        ("center left", (0, 225)),
        ("25% 75%", (225, 337.5)),
        ("10px", (10, 225)),
        ("10px 20px", (10, 20)),
        ("1vw 2vh", (10, 10)),
        ("-10px 20px", (-10, 20)),
        ("right 20px", (900, 20)),
        ("20px bottom", (20, 450)),
        ("right 10px bottom 20px", (890, 430)),
        ("bottom 20px right 10px", (890, 430)),
        ("right 10% bottom", (810, 450)),
        ("center bottom 5px", (450, 445)),
        ("left 5px center", (5, 225)),
    ],
)
def test_position(position: str, expected: tuple[float, float]) -> None:
    placed = place("auto", position, "no-repeat", AREA, (100, 50))
    assert (placed.x, placed.y) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("repeat", "expected"),
    [
        ("no-repeat", (450, 220, 100, 60, 0, 0)),
        ("repeat", (-50, -20, 100, 60, 100, 60)),
        ("repeat-x", (-50, 220, 100, 60, 100, 0)),
        ("repeat-y", (450, -20, 100, 60, 0, 60)),
        ("no-repeat repeat", (450, -20, 100, 60, 0, 60)),
        ("space", (0, 0, 100, 60, 100, 60 + 20 / 7)),
        ("round", (-50, -31.25, 100, 62.5, 100, 62.5)),
        ("round no-repeat", (-50, 220, 100, 60, 100, 0)),
    ],
)
def test_repeat(repeat: str, expected: tuple[float, ...]) -> None:
    placed = place("100px 60px", "center", repeat, AREA, (10, 10))
    found = (placed.x, placed.y, placed.width, placed.height, placed.step_x, placed.step_y)
    assert found == pytest.approx(expected)


def test_a_side_left_to_follow_the_other_follows_it_when_that_is_rounded() -> None:
    placed = place("300px auto", "0 0", "round no-repeat", AREA, (100, 50))
    assert (placed.width, placed.height) == pytest.approx((1000 / 3, 1000 / 6))


@pytest.mark.parametrize("size", ["", "big", "10", "10px 10px 10px", "cover 10px", "-5px", "50pt", "1e3px"])
def test_a_size_that_is_none_is_told(size: str) -> None:
    with pytest.raises(ValueError, match=r"is no background-size|is no length"):
        read_size(size)


@pytest.mark.parametrize(
    "position",
    ["", "middle", "left right", "top bottom", "10", "left 1px left 2px", "1px 2px 3px", "10px left", "left top top"],
)
def test_a_position_that_is_none_is_told(position: str) -> None:
    with pytest.raises(ValueError, match=r"is no background-position|is no length"):
        read_position(position)


@pytest.mark.parametrize("repeat", ["", "repeat-z", "repeat-x repeat-y", "space round space"])
def test_a_repeat_that_is_none_is_told(repeat: str) -> None:
    with pytest.raises(ValueError, match="is no background-repeat"):
        read_repeat(repeat)


@given(
    st.sampled_from(["cover", "contain", "auto", "7px", "33% 12px", "auto 3%"]),
    st.sampled_from(["center", "13% 77%", "-30px 5px", "right 3px bottom 9px"]),
    st.sampled_from(["repeat", "repeat-x", "space", "round", "round space"]),
    st.tuples(st.integers(16, 4000), st.integers(16, 4000)),
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_repeated_pictures_begin_where_the_area_begins(
    size: str, position: str, repeat: str, area: tuple[int, int], picture: tuple[int, int]
) -> None:
    placed = place(size, position, repeat, area, picture)
    for start, step in ((placed.x, placed.step_x), (placed.y, placed.step_y)):
        assert step == 0 or -step < start <= 1e-6


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("size", value) for value in ("cover", "contain", "auto", "50% auto", "3vmin 4rem", "12.5vh")),
        *(("position", value) for value in ("right 20px", "center", "bottom", "left top", "3vw 0")),
        *(("repeat", value) for value in ("repeat", "no-repeat", "repeat-x", "repeat-y")),
    ],
)
def test_what_the_options_take_is_understood(name: str, value: str) -> None:
    options = {"layout.background_image": "https://a.example/b.png", f"layout.background_{name}": value}
    backdrop = compose("grid", options, (640, 360), CallView()).backdrop
    assert backdrop is not None and value in (backdrop.size, backdrop.position, backdrop.repeat)
    assert place(backdrop.size, backdrop.position, backdrop.repeat, (640, 360), (10, 10)).width >= 1
