"""No option without an effect: each of the table changes a scene, or who is heard."""

from __future__ import annotations

from typing import Any

import pytest

from layouts.audible import heard
from layouts.engine import compose
from layouts.option_table import BY_NAME, OPTIONS
from layouts.options import parse_options
from layouts.scene import Backdrop, Color, Logo, Scene, Title
from tests.layouts.calls import call_of, shown

SIZE = (1280, 720)
CALL = call_of(30, speaking=(1,), dominant=1, without_video=(2,))
SHARED = call_of(30, sharing=(3,), dominant=1)
LOGO = {"logo.image_url": "https://example.com/logo.png"}
TITLE = {"title.text": "Weekly"}
IMAGE = {"layout.background_image": "https://example.com/wall.jpg"}
SHUFFLE = {"layout.single-participant.mode": "shuffle"}
ACTION = {"action_type": "options_override", "condition": {"participant_count": 30}, "options": TITLE}

# A layout, options beside the one that is looked at, a value of it, and the call.
EFFECTS: dict[str, tuple[str, dict[str, Any], Any, Any]] = {
    "video.background_color": ("grid", {}, "red", CALL),
    "layout.background_color": ("grid", {}, "red", CALL),
    "layout.background_image": ("grid", {}, "url('https://example.com/wall.jpg')", CALL),
    "layout.background_size": ("grid", IMAGE, "cover", CALL),
    "layout.background_position": ("grid", IMAGE, "right 20px", CALL),
    "layout.background_repeat": ("grid", IMAGE, "no-repeat", CALL),
    "video.scale_mode": ("grid", {}, "fit", CALL),
    "video.screenshare_scale_mode": ("grid", {}, "fill", SHARED),
    "layout.transition_ms": ("grid", {}, 200, CALL),
    "debug.show_timestamp": ("grid", {}, True, CALL),
    "participant.video_border_width": ("grid", {}, "4px", CALL),
    "participant.video_border_color": ("grid", {}, "red", CALL),
    "participant.video_border_rounded": ("grid", {}, False, CALL),
    "participant.video_border_radius": ("grid", {}, "10%", CALL),
    "participant.video_highlight_border_color": ("grid", {}, "red", CALL),
    "participant.outline_width": ("grid", {}, ".5rem", CALL),
    "participant.placeholder_background_color": ("grid", {}, "red", CALL),
    "participant.aspect_ratio": ("grid", {}, "1/1", CALL),
    "layout.forceMirrorParticipants": ("grid", {}, True, CALL),
    "participant.label_display": ("grid", {}, False, CALL),
    "participant.label_horizontal_position": ("grid", {}, "right", CALL),
    "participant.label_vertical_position": ("grid", {}, "top", CALL),
    "participant_label.margin_inline": ("grid", {}, "1rem", CALL),
    "participant_label.margin_block": ("grid", {}, "5%", CALL),
    "participant.label_text_color": ("grid", {}, "red", CALL),
    "participant.label_background_color": ("grid", {}, "red", CALL),
    "participant.label_display_border": ("grid", {}, False, CALL),
    "participant_label.border_width": ("grid", {}, "3px", CALL),
    "participant.label_border_color": ("grid", {}, "red", CALL),
    "participant.label_border_rounded": ("grid", {}, False, CALL),
    "participant.label_border_radius": ("grid", {}, "50%", CALL),
    "logo.image_url": ("grid", {}, "https://example.com/logo.png", CALL),
    "logo.width": ("grid", LOGO, "10%", CALL),
    "logo.height": ("grid", LOGO, "60px", CALL),
    "logo.horizontal_position": ("grid", LOGO, "left", CALL),
    "logo.vertical_position": ("grid", LOGO, "bottom", CALL),
    "logo.margin_inline": ("grid", LOGO, "2rem", CALL),
    "logo.margin_block": ("grid", LOGO, 3, CALL),
    "title.text": ("grid", {}, "Weekly", CALL),
    "title.color": ("grid", TITLE, "black", CALL),
    "title.font_size": ("grid", TITLE, "5%", CALL),
    "title.horizontal_position": ("grid", TITLE, "center", CALL),
    "title.vertical_position": ("grid", TITLE, "bottom", CALL),
    "title.margin_inline": ("grid", TITLE, "2rem", CALL),
    "title.margin_block": ("grid", TITLE, "3vh", CALL),
    "grid.columns": ("grid", {}, 3, CALL),
    "grid.rows": ("grid", {}, 3, CALL),
    "layout.grid.page_size": ("grid", {}, 6, CALL),
    "layout.grid.expand_tiles": ("grid", {}, True, CALL),
    "grid.cell_padding": ("grid", {}, "2%", CALL),
    "grid.margin": ("grid", {"grid.size_percentage": 100}, 40, CALL),
    "grid.size_percentage": ("grid", {}, 50, CALL),
    "grid.position": ("spotlight", {}, "left", CALL),
    "layout.spotlight.participants_bar_limit": ("spotlight", {}, "dynamic", CALL),
    "screenshare_layout": ("grid", {}, "grid", SHARED),
    "presenter_visible": ("single-participant", {}, False, SHARED),
    "layout.single-participant.padding_inline": ("single-participant", {}, "20%", CALL),
    "layout.single-participant.padding_block": ("single-participant", {}, "5vh", CALL),
    "participant.filter": ("grid", {}, {"isSpeaking": True}, CALL),
    "custom_actions": ("grid", {}, [ACTION], CALL),
    "custom_layout_override": ("grid", {}, "spotlight", CALL),
    "custom_screen_share_layout_override": ("grid", {}, "grid", SHARED),
    "layout.rotate_seconds": ("grid", {}, 10, CALL),
    "layout.single-participant.mode": ("single-participant", {}, "shuffle", CALL),
    "layout.single-participant.shuffle_delay": ("single-participant", SHUFFLE, 7000, CALL),
}


def scene_of(layout: str, options: dict[str, Any], call: Any) -> Scene:
    return compose(layout, options, SIZE, call, now=11.0, wall=1_700_000_000.9)


def test_every_option_but_the_one_of_sound_has_its_effect_here() -> None:
    assert {*EFFECTS, "audio.filter"} == {option.name for option in OPTIONS}


@pytest.mark.parametrize("name", EFFECTS)
def test_an_option_changes_the_scene_under_each_of_its_names(name: str) -> None:
    layout, beside, value, call = EFFECTS[name]
    before = scene_of(layout, beside, call)
    after = [scene_of(layout, {**beside, each: value}, call) for each in BY_NAME[name].names]
    assert before != after[0]
    assert all(each == after[0] for each in after)


def test_sound_is_not_filtered_unless_it_is_asked_for() -> None:
    everybody = frozenset(f"s{number}" for number in range(4))
    call = call_of(4, pinned=(2,), sharing=(1,))
    hidden = parse_options("grid", {"participant.filter": {"isPinned": True}})
    assert shown(compose("grid", hidden, SIZE, call)) == ["2"]
    assert heard(hidden, call) == everybody
    assert heard(parse_options("grid", {"audio.filter": {"isPinned": True}}), call) == {"s2"}
    assert heard(parse_options("grid", {"audio.filter": {}}), call) == everybody


def test_an_action_can_silence() -> None:
    action = {
        "action_type": "options_override",
        "condition": {"pinned_participant_count": {"$gt": 0}},
        "options": {"audio.filter": {"isPinned": True}},
    }
    options = parse_options("grid", {"custom_actions": [action]})
    assert heard(options, call_of(2)) == {"s0", "s1"}
    assert heard(options, call_of(2, pinned=(1,))) == {"s1"}


def test_the_documented_example_is_honoured() -> None:
    scene = compose(
        "spotlight",
        {
            "logo.image_url": "https://theme.example.com/logo.png",
            "logo.horizontal_position": "center",
            "title.text": "Building  Q&A\n",
            "title.horizontal_position": "center",
            "title.color": "black",
            "participant_label.border_radius": "0px",
            "participant.border_radius": "0px",
            "layout.spotlight.participants_bar_position": "top",
            "layout.background_color": "#f2f2f2",
            "participant.placeholder_background_color": "#1f1f1f",
            "layout.single-participant.padding_inline": "20%",
            "participant_label.background_color": "transparent",
        },
        (1920, 1080),
        call_of(3),
    )
    assert scene.logo == Logo("https://theme.example.com/logo.png", None, 40, "center", "top", 14, 14)
    assert scene.title == Title("Building Q&A", Color(0, 0, 0), 30, "center", "top", 14, 14)
    assert scene.background == Color(0xF2, 0xF2, 0xF2)
    assert scene.tiles[1].rect.bottom <= scene.tiles[0].rect.y
    label, border = scene.tiles[0].label, scene.tiles[0].border
    assert label is not None and border is not None
    assert (label.radius, label.background.alpha, border.radius) == (0, 0, 0)


def test_one_background_colours_canvas_and_pictures_and_two_each_their_own() -> None:
    def colors(**options: str) -> tuple[Color, Color]:
        scene = scene_of("grid", {f"{name}.background_color": value for name, value in options.items()}, CALL)
        return scene.background, scene.tiles[0].background

    red, blue = Color(255, 0, 0), Color(0, 0, 255)
    assert colors(video="red") == (red, red)
    assert colors(layout="red") == (red, red)
    assert colors(layout="red", video="blue") == (red, blue)


def test_a_logo_keeps_its_shape_unless_both_sides_are_given() -> None:
    def sides(**options: Any) -> tuple[int | None, int | None]:
        logo = scene_of("grid", {**LOGO, **{f"logo.{name}": value for name, value in options.items()}}, CALL).logo
        assert logo is not None
        return logo.width, logo.height

    assert sides() == (None, 40)
    assert sides(width="10%") == (128, None)
    assert sides(width=64, height="32px") == (64, 32)
    assert sides(width="auto", height="auto") == (None, None)


def test_a_backdrop_is_as_css_writes_it() -> None:
    options = {**IMAGE, "layout.background_size": "Cover", "layout.background_repeat": "repeat-x"}
    assert scene_of("grid", options, CALL).backdrop == Backdrop(
        "https://example.com/wall.jpg", "cover", "0% 0%", "repeat-x"
    )


def test_the_time_of_day_changes_once_a_second() -> None:
    texts = {
        compose("grid", {"debug.show_timestamp": True}, SIZE, CALL, wall=1_700_000_000 + part).timestamp
        for part in (0, 0.2, 0.9)
    }
    assert texts == {"2023-11-14 22:13:20 UTC"}
    assert compose("grid", {}, SIZE, CALL, wall=1.0).timestamp == ""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("logo.image_url", "file:///etc/passwd", "must be the address of a picture"),
        ("logo.image_url", "https://", "must be the address of a picture"),
        ("logo.image_url", "http://[", "must be the address of a picture"),
        ("layout.background_image", "linear-gradient(red, blue)", "must be the address of a picture"),
        ("layout.background_size", "cover 20px", 'must be "cover", "contain", "auto"'),
        ("layout.background_position", "left right", "must be one or two of left, right"),
        ("layout.background_position", "10px left", "must be one or two of left, right"),
        ("layout.background_position", "top 10px", "must be one or two of left, right"),
        ("title.text", "x" * 501, "must be a string of at most 500 characters"),
        ("title.font_size", "101%", "must be a number of pixels from 1 to 1000"),
        ("title.font_size", 0, "must be a number of pixels from 1 to 1000"),
        ("title.margin_block", "-1px", 'a string such as "10px", ".875rem" or "20%"'),
        ("participant.aspect_ratio", "16/0", 'must be a ratio of width to height such as "16/9"'),
        ("participant.aspect_ratio", "wide", "must be a ratio"),
        ("participant.aspect_ratio", "1/99", "must be a ratio"),
        ("layout.spotlight.participants_bar_limit", "all", 'must be "dynamic", or a whole number from 1 to 100'),
        ("layout.transition_ms", 2001, "must be a whole number from 0 to 2000"),
        ("layout.rotate_seconds", 0.5, "must be a whole number from 0 to 3600"),
        ("participant.filter", "x", "must be a filter object"),
    ],
)
def test_a_value_that_no_painter_could_use_is_refused(name: str, value: Any, said: str) -> None:
    with pytest.raises(ValueError) as refused:
        parse_options("grid", {name: value})
    assert said in str(refused.value)
