"""Lengths as CSS writes them."""

from __future__ import annotations

import pytest

from layouts.engine import compose
from layouts.lengths import parse_length
from layouts.options import parse_options
from layouts.scene import Rect
from tests.layouts.calls import call_of

CANVAS = Rect(0, 0, 1280, 720)


@pytest.mark.parametrize(
    ("text", "pixels"),
    [
        ("0", 0),
        ("30px", 30),
        (" 30PX ", 30),
        ("1rem", 16),
        (".875rem", 14),
        ("2.5rem", 40),
        ("20%", 40),
        ("12.5%", 25),
        ("10vw", 128),
        ("10vh", 72),
        ("5vmin", 36),
        ("5vmax", 64),
    ],
)
def test_a_length_is_so_many_pixels_of_the_canvas(text: str, pixels: int) -> None:
    found = parse_length(text)
    assert found is not None
    assert found.pixels(CANVAS, 200) == pixels


@pytest.mark.parametrize(
    "text", ["", "px", "10", "-1px", "1e3px", "10 px", "1em", "calc(1px + 2px)", "١px", ".px", "9" * 7 + "px"]
)
def test_what_is_no_length_reads_as_none(text: str) -> None:
    assert parse_length(text) is None


def test_options_that_were_read_for_another_layout_are_not_taken() -> None:
    with pytest.raises(ValueError, match="options of grid were given for spotlight"):
        compose("spotlight", parse_options("grid"), (640, 360), call_of(1))
