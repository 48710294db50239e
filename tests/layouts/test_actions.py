"""Custom actions: which layout and which options are in force, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from layouts.engine import compose
from layouts.options import LayoutError, check_layout, parse_options
from layouts.scene import CallView, Color, Scene
from tests.layouts.calls import call_of, shown

SIZE = (1280, 720)
PINK = Color(255, 105, 180)


def when(condition: dict[str, Any], layout: str, **more: Any) -> dict[str, Any]:
    return {"action_type": "layout_override", "condition": condition, "layout": layout, **more}


def options_when(condition: dict[str, Any], **options: Any) -> dict[str, Any]:
    named = {name.replace("__", "."): value for name, value in options.items()}
    return {"action_type": "options_override", "condition": condition, "options": named}


def scene(actions: list[dict[str, Any]], call: CallView, layout: str = "grid", **options: Any) -> Scene:
    named = {name.replace("__", "."): value for name, value in options.items()}
    return compose(layout, {**named, "custom_actions": actions}, SIZE, call)


MANY = {"participant_count": {"$gt": 1}}
PINNED = {"pinned_participant_count": {"$gte": 1}}
ALWAYS: dict[str, Any] = {}
NEVER: dict[str, Any] = {"$or": []}


def test_a_pin_changes_the_layout_and_its_end_changes_it_back() -> None:
    actions = [when(PINNED, "dominant-speaker")]
    assert scene(actions, call_of(4)).layout == "grid"
    pinned = scene(actions, call_of(4, pinned=(2,)))
    assert pinned.layout == "single-participant"
    assert shown(pinned) == ["2"]
    assert scene(actions, call_of(4)) == compose("grid", {}, SIZE, call_of(4))


def test_the_first_layout_whose_condition_holds_wins() -> None:
    actions = [when(NEVER, "single-participant"), when(MANY, "spotlight"), when(ALWAYS, "single-participant")]
    assert scene(actions, call_of(2)).layout == "spotlight"
    assert scene(actions, call_of(1)).layout == "single-participant"


def test_a_second_guest_changes_the_colour() -> None:
    actions = [options_when(MANY, layout__background_color="hotpink")]
    assert scene(actions, call_of(1)).background == Color(0, 0, 0)
    assert scene(actions, call_of(2)).background == PINK
    assert scene(actions, call_of(1)).background == Color(0, 0, 0)


def test_later_options_are_laid_over_earlier_ones_and_over_those_of_the_layout() -> None:
    actions = [
        options_when(ALWAYS, title__text="one", title__color="red"),
        options_when(MANY, title__text="two"),
        options_when(NEVER, title__text="never"),
    ]
    for guests, text in ((1, "one"), (2, "two")):
        title = scene(actions, call_of(guests), title__text="zero", title__font_size="50px").title
        assert title is not None
        assert (title.text, title.color, title.font_size) == (text, Color(255, 0, 0), 50)


def test_two_names_of_one_option_are_one_for_actions_too() -> None:
    actions = [options_when(ALWAYS, participant_label__text_color="lime")]
    tile = scene(actions, call_of(1), participant__label_text_color="red").tiles[0]
    assert tile.label is not None
    assert tile.label.text_color == Color(0, 255, 0)


def test_a_shared_screen_comes_before_a_layout_unless_it_is_ignored() -> None:
    sharing = call_of(3, sharing=(1,))
    assert scene([when(ALWAYS, "single-participant")], sharing, screenshare_layout="spotlight").layout == "spotlight"
    ignoring = scene([when(ALWAYS, "grid", ignore_screenshare=True)], sharing)
    assert ignoring.layout == "grid"
    assert sorted(shown(ignoring)) == ["0", "1", "1*", "2"]


def test_an_ignored_screen_is_minded_again_when_the_condition_ends() -> None:
    actions = [when(PINNED, "grid", ignore_screenshare=True)]
    assert scene(actions, call_of(3, sharing=(1,), pinned=(0,)), "spotlight").layout == "grid"
    assert scene(actions, call_of(3, sharing=(1,)), "spotlight").layout == "spotlight"


def test_columns_do_not_follow_into_another_layout_but_those_of_an_action_are_for_the_one_in_force() -> None:
    assert len(scene([when(ALWAYS, "grid")], call_of(20), "spotlight", grid__columns=2).tiles) == 20
    narrowed = [when(ALWAYS, "grid"), options_when(ALWAYS, grid__columns=2, grid__rows=3)]
    assert len(scene(narrowed, call_of(20), "spotlight").tiles) == 6
    # The bar of a shared screen is no grid.
    assert len(scene(narrowed, call_of(20, sharing=(0,)), "spotlight").tiles) == 6
    assert scene(narrowed, call_of(20, sharing=(0,)), "spotlight").layout == "spotlight"


def test_options_of_layouts_that_an_action_leads_to_are_taken() -> None:
    check_layout("single-participant", {"grid.cell_padding": 4, "custom_actions": [when(MANY, "grid")]})
    check_layout("single-participant", {"grid.cell_padding": 4, "custom_layout_override": "grid"})
    check_layout("single-participant", {"grid.cell_padding": 4, "screenshare_layout": "spotlight"})
    with pytest.raises(LayoutError, match="is an option of grid and spotlight, not of single-participant"):
        check_layout("single-participant", {"grid.cell_padding": 4, "custom_actions": [when(MANY, "mobile")]})


def test_an_action_can_change_who_is_shown_and_the_layout_for_screens() -> None:
    actions = [options_when(MANY, participant__filter={"isPinned": True}, screenshare_layout="grid")]
    assert shown(scene(actions, call_of(4, pinned=(3,)))) == ["3"]
    shared = scene(actions, call_of(4, pinned=(3,), sharing=(3,)), "spotlight")
    assert (shared.layout, shown(shared)) == ("grid", ["3*", "3"])


def test_counts_are_of_all_in_the_call_whoever_is_shown() -> None:
    actions = [options_when({"participant_count": 3}, title__text="three")]
    filtered = scene(actions, call_of(3), participant__filter={"userId": "user-0"})
    assert len(filtered.tiles) == 1
    assert filtered.title is not None


def test_options_are_made_once_for_each_set_of_actions() -> None:
    asked = parse_options("grid", {"custom_actions": [options_when(MANY, title__text="x"), when(PINNED, "spotlight")]})
    few, many = asked.in_force(call_of(1)), asked.in_force(call_of(2))
    assert few is asked
    assert many is not few
    assert asked.in_force(call_of(9)) is many
    assert asked.in_force(call_of(9)).while_shared() is many.while_shared()


def test_actions_in_actions_are_left_out() -> None:
    inner = [options_when(ALWAYS, title__text="inner")]
    assert scene([options_when(ALWAYS, custom_actions=inner)], call_of(1)).title is None


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ({}, '["custom_actions"]: must be a list of actions, not {}'),
        ([3], '["custom_actions"][0]: must be an object, not 3'),
        ([{}], '[0]["action_type"]: must be layout_override or options_override, not None'),
        ([{"action_type": "layout_override", "layout": "grid"}], "[0]: needs a condition"),
        ([when({"participants": 1}, "grid")], '[0]["condition"]["participants"]: is not a field of this filter'),
        ([when(ALWAYS, "custom")], '[0]["layout"]: must be one of grid, spotlight, single-participant'),
        (
            [when(ALWAYS, "grid", ignore_screenshare="yes")],
            '[0]["ignore_screenshare"]: must be true or false, not "yes"',
        ),
        ([when(ALWAYS, "grid", ignore_screenshar=True)], 'Did you mean "ignore_screenshare"?'),
        (
            [when(ALWAYS, "grid"), options_when(ALWAYS, grid__colums=1)],
            '[1]["options"]["grid.colums"]: is not an option',
        ),
        (
            [options_when(ALWAYS, grid__columns="x")],
            '[0]["options"]["grid.columns"]: must be a whole number from 1 to 10',
        ),
        (
            [{"action_type": "options_override", "condition": {}, "options": 1}],
            '["options"]: must be an object of options',
        ),
        ([when(ALWAYS, "grid")] * 33, "must be at most 32 actions, not 33"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_action_is_refused_where_it_is_wrong(actions: Any, said: str) -> None:
    with pytest.raises(LayoutError) as refused:
        check_layout("grid", {"custom_actions": actions})
    assert str(refused.value).startswith('layout.options["custom_actions"]')
    assert said in str(refused.value)
