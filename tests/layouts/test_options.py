"""What may be asked of a layout, and the sentences that refuse the rest."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layouts.colors import parse_color
from layouts.engine import compose
from layouts.lengths import Length
from layouts.option import Option
from layouts.option_page import table
from layouts.option_table import BY_FIELD, BY_NAME, OPTIONS
from layouts.options import LayoutError, Options, check_layout, layout_names, parse_options
from layouts.scene import CallView, Color
from tests.layouts.calls import call_of

PAGE = Path(__file__).parents[2] / "docs" / "layouts.md"


def refusal(layout: str, options: Any) -> str:
    with pytest.raises(LayoutError) as refused:
        check_layout(layout, options)
    return str(refused.value)


@pytest.mark.parametrize("name", layout_names())
def test_every_layout_composes_with_its_defaults(name: str) -> None:
    check_layout(name, {})
    assert compose(name, {}, (640, 360), call_of(2)).tiles


def test_an_unknown_layout_is_refused_with_the_nearest_and_all_names() -> None:
    said = refusal("gird", {})
    assert said.startswith('layout.name: "gird" is not a layout.')
    assert 'Did you mean "grid"?' in said
    for name in layout_names():
        assert name in said


def test_a_layout_of_ones_own_needs_the_address_of_its_page() -> None:
    assert '"custom" needs external_app_url' in refusal("custom", {})
    check_layout("custom", {"anything": {"of": ["the page"]}}, external_app_url="https://example.com/app")
    with pytest.raises(LayoutError, match="must be an object"):
        check_layout("custom", [], external_app_url="https://example.com/app")  # type: ignore[arg-type]
    with pytest.raises(LayoutError, match="is not an option of grid"):
        check_layout("grid", {"anything": 1}, external_app_url="https://example.com/app")


def test_an_unknown_option_is_refused_with_the_nearest_name() -> None:
    said = refusal("grid", {"grid.colums": 3})
    assert said.startswith('layout.options["grid.colums"]: is not an option of grid. Did you mean "grid.columns"?')
    assert "participant.video_border_color" in said


def test_the_nearest_name_may_be_a_newer_one() -> None:
    assert 'Did you mean "participant_label.text_color"?' in refusal("grid", {"participant_label.text_colour": "red"})


def test_an_option_of_another_layout_is_refused_by_saying_whose_it_is() -> None:
    said = refusal("single-participant", {"grid.columns": 3})
    assert said == 'layout.options["grid.columns"]: is an option of grid and spotlight, not of single-participant'


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"grid.columns": "five"}, 'must be a whole number from 1 to 10, not "five"'),
        ({"grid.columns": 0}, "must be a whole number from 1 to 10, not 0"),
        ({"grid.columns": 2.5}, "must be a whole number from 1 to 10, not 2.5"),
        ({"grid.columns": True}, "must be a whole number from 1 to 10, not True"),
        ({"grid.size_percentage": 300}, "must be a number from 5 to 100, not 300"),
        ({"grid.size_percentage": float("nan")}, "must be a number from 5 to 100, not nan"),
        (
            {"grid.margin": -1},
            'must be a number of pixels from 0 to 500, or a string such as "10px", ".875rem" or "20%", not -1',
        ),
        (
            {"grid.margin": "9em"},
            'must be a number of pixels from 0 to 500, or a string such as "10px", ".875rem" or "20%", not "9em"',
        ),
        ({"video.scale_mode": "stretch"}, 'must be one of fit, fill, not "stretch"'),
        ({"participant.label_display": "yes"}, 'must be true or false, not "yes"'),
        ({"video.background_color": 7}, "must be a colour such as #1f1f1f"),
        ({"video.background_color": "#12345"}, 'not "#12345"'),
        ({"screenshare_layout": "custom"}, "must be one of grid, spotlight, single-participant"),
        ({"participant.video_border_width": None}, "must be true, false, a number of pixels from 0 to 100"),
    ],
)
def test_a_value_of_another_type_or_out_of_range_is_refused_with_what_is_allowed(
    options: dict[str, Any], said: str
) -> None:
    message = refusal("grid", options)
    assert message.startswith(f'layout.options["{next(iter(options))}"]: ')
    assert said in message


@pytest.mark.parametrize("options", [[1], "grid.columns", 5])
def test_options_that_are_no_object_are_refused(options: Any) -> None:
    assert "layout.options: must be an object" in refusal("grid", options)


def test_a_small_picture_may_be_in_its_option() -> None:
    picture = "data:image/png;base64," + "iVBORw0KGgo" * 1000 + "="
    scene = compose("grid", {"logo.image_url": picture}, (640, 360), CallView())
    assert scene.logo is not None and scene.logo.image == picture
    for other in ("data:text/html;base64,AAAA", "data:image/svg+xml;base64,AAAA", picture * 6, "data:image/png,AA"):
        assert "must be the address of a picture" in refusal("grid", {"logo.image_url": other})


def test_two_names_of_one_option_must_agree() -> None:
    both = {"participant.border_radius": 2, "participant.video_border_radius": 3}
    assert 'is another name of "participant.border_radius"' in refusal("grid", both)
    both["participant.video_border_radius"] = 2
    assert parse_options("grid", both).border_radius == Length(2, "vmin")


def test_refusals_quote_values_briefly_and_on_one_line() -> None:
    said = refusal("grid", {"x\n" * 500: 1})
    assert "\n" not in said
    assert len(said.split("is not an option")[0]) < 120
    assert "this int" in refusal("grid", {"grid.columns": 10**5000})


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_row_of_the_table_takes_its_default_under_each_of_its_names(option: Option) -> None:
    for layout in option.layouts:
        expected = getattr(parse_options(layout), option.field)
        default = option.default_in(layout)
        for name in option.names:
            if default is not None:
                assert getattr(parse_options(layout, {name: default}), option.field) == expected
            else:
                assert "must be" in refusal(layout, {name: None})


def test_every_row_of_the_table_sets_a_field_of_its_own() -> None:
    assert {option.field for option in OPTIONS} <= {field.name for field in dataclasses.fields(Options)}
    assert len(BY_FIELD) == len(OPTIONS)


def test_no_name_means_two_things() -> None:
    names = [name for option in OPTIONS for name in option.names]
    assert len(names) == len(set(names)) == len(BY_NAME)


def test_newer_names_mean_the_same_as_older_ones() -> None:
    newer = {
        "layout.background_color": "#f2f2f2",
        "participant_label.border_radius": "0px",
        "participant.border_radius": "0px",
        "layout.spotlight.participants_bar_position": "top",
        "participant_label.background_color": "transparent",
    }
    older = {
        "video.background_color": "#f2f2f2",
        "participant.label_border_radius": "0px",
        "participant.video_border_radius": "0px",
        "grid.position": "top",
        "participant.label_background_color": "#00000000",
    }
    assert parse_options("spotlight", newer) == parse_options("spotlight", older)


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=20) | st.sampled_from(layout_names()),
    st.dictionaries(
        st.text(max_size=30) | st.sampled_from([option.name for option in OPTIONS]),
        st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=3),
        max_size=4,
    ),
)
def test_whatever_is_asked_is_honoured_or_refused_by_name(name: str, options: dict[str, Any]) -> None:
    try:
        check_layout(name, options)
    except LayoutError as refused:
        assert refused.field.startswith("layout.")
        assert str(refused).startswith(refused.field)
    else:
        assert len(compose(name, options, (320, 180), call_of(2)).tiles) >= 1


@pytest.mark.parametrize(
    ("text", "color"),
    [
        ("#abc", Color(0xAA, 0xBB, 0xCC)),
        ("#abcd", Color(0xAA, 0xBB, 0xCC, 0xDD)),
        ("#7CFC00", Color(0x7C, 0xFC, 0x00)),
        ("#00000000", Color(0, 0, 0, 0)),
        ("HotPink", Color(0xFF, 0x69, 0xB4)),
        ("transparent", Color(0, 0, 0, 0)),
        ("rgb(1, 2, 3)", Color(1, 2, 3)),
        ("rgba(255, 0, 0, 0.5)", Color(255, 0, 0, 128)),
        ("rgb(100% 0% 0% / 50%)", Color(255, 0, 0, 128)),
        ("rgb(999, 0, 0)", Color(255, 0, 0)),
    ],
)
def test_colours_read_as_in_css(text: str, color: Color) -> None:
    assert parse_color(text) == color


@pytest.mark.parametrize("text", ["", "#", "#12", "#ggg", "pinkish", "rgb(1,2)", "rgb(1,2,3,4,5)", "rgb(a,b,c)", "12"])
def test_what_is_no_colour_reads_as_none(text: str) -> None:
    assert parse_color(text) is None


def test_the_page_has_the_table_as_it_is_and_every_layout() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert table() in page, "python -m workers.reference writes it"
    for option in OPTIONS:
        assert all(f"`{name}`" in page for name in option.names)
        assert not option.conflict or f"| `{option.name}` | {option.conflict} |" in page
    for name in (*layout_names(), "custom"):
        assert f"`{name}`" in page


def test_the_examples_of_the_page_are_honoured() -> None:
    blocks = [json.loads(block.split("```")[0]) for block in PAGE.read_text(encoding="utf-8").split("```json\n")[1:]]
    options = [block for block in blocks if any(name.startswith(("participant.", "custom_")) for name in block)]
    assert len(options) >= 2
    for block in options:
        check_layout("grid", block)
