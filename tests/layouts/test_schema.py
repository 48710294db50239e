"""The JSON Schema of options takes what the check takes, and refuses what it refuses by type."""

from __future__ import annotations

from typing import Any

import pytest

from layouts.option import ALL
from layouts.option_schema import option_schema
from layouts.option_table import BY_NAME, OPTIONS
from layouts.options import LayoutError, check_layout
from tests.layouts.test_effects import EFFECTS
from tests.layouts.test_filters import PARTICIPANT_CASES

jsonschema = pytest.importorskip("jsonschema")

VALIDATORS = {layout: jsonschema.Draft202012Validator(option_schema(layout)) for layout in ALL}


@pytest.mark.parametrize("layout", ALL)
def test_it_is_a_schema_with_every_name_and_the_defaults_of_the_layout(layout: Any) -> None:
    schema = option_schema(layout)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert set(schema["properties"]) == set(BY_NAME)
    for option in OPTIONS:
        assert schema["properties"][option.name].get("default") == option.default_in(layout)
    defaults = {name: about["default"] for name, about in schema["properties"].items() if "default" in about}
    assert VALIDATORS[layout].is_valid(defaults)


@pytest.mark.parametrize("name", EFFECTS)
def test_what_has_an_effect_is_valid(name: str) -> None:
    layout, beside, value, _ = EFFECTS[name]
    assert VALIDATORS[layout].is_valid({**beside, name: value})  # type: ignore[index]


@pytest.mark.parametrize("value", [value for value, _ in PARTICIPANT_CASES], ids=str)
def test_every_filter_is_valid(value: dict[str, Any]) -> None:
    assert VALIDATORS["grid"].is_valid({"participant.filter": value, "audio.filter": value})


@pytest.mark.parametrize(
    "options",
    [
        {"grid.colums": 3},
        {"grid.columns": "3"},
        {"grid.columns": 11},
        {"video.scale_mode": "stretch"},
        {"title.margin_block": "1em"},
        {"layout.spotlight.participants_bar_limit": "all"},
        {"layout.background_color": "#12345"},
        {"layout.background_color": "var(--x)"},
        {"participant.aspect_ratio": ""},
        {"participant.aspect_ratio": "16 by 9"},
        {"participant.aspect_ratio": 0.01},
        {"logo.image_url": "ftp://example.com/x.png"},
        {"logo.image_url": "javascript:alert(1)"},
        {"layout.background_position": "left top right"},
        {"custom_actions": [{"action_type": "options_override", "condition": {}, "options": {"grid.colums": 2}}]},
        {"custom_actions": [{"action_type": "options_override", "condition": {}, "options": {"grid.columns": "2"}}]},
        {"participant.filter": {"nam": "x"}},
        {"participant.filter": {"isPinned": "yes"}},
        {"participant.filter": {"roles": "admin"}},
        {"participant.filter": {"$or": {}}},
        {"participant.filter": {"$or": [], "isPinned": True}},
        {"participant.filter": {"name": {"$gt": "a", "$lt": "b"}}},
        {"custom_actions": [{"action_type": "layout_override", "condition": {}}]},
        {"custom_actions": [{"action_type": "options_override", "condition": {"name": "x"}, "options": {}}]},
        {"custom_actions": [{"action_type": "layout_override", "condition": {}, "layout": "custom"}]},
    ],
    ids=str,
)
def test_what_is_refused_by_type_is_not_valid(options: dict[str, Any]) -> None:
    with pytest.raises(LayoutError):
        check_layout("spotlight", options)
    assert not VALIDATORS["spotlight"].is_valid(options)
