"""Custom actions: another layout, or other options, while a condition on the call holds."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from layouts.filters import Field, Filter, parse_filter
from layouts.option import CANONICAL, LayoutName
from layouts.said import LayoutError, shown
from layouts.scene import CallView

MOST_ACTIONS = 32

ReadOptions = Callable[[Mapping[str, Any], str], Mapping[str, Any]]
"""From options as they are written, and the path where they stand, to values by field."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What conditions of actions ask for."""

    participants: int
    pinned: int


COUNTS: Mapping[str, Field] = {
    "participant_count": Field("number", attrgetter("participants")),
    "pinned_participant_count": Field("number", attrgetter("pinned")),
}

_KINDS = ("layout_override", "options_override")
_KEYS = {
    "layout_override": ("action_type", "condition", "layout", "ignore_screenshare"),
    "options_override": ("action_type", "condition", "options"),
}


@dataclass(frozen=True, slots=True)
class Action:
    """One action. It changes the layout, or else options (values by field)."""

    condition: Filter
    layout: LayoutName | None
    ignore_screenshare: bool
    options: Mapping[str, Any]


def count(call: CallView) -> Counts:
    guests = call.participants
    return Counts(len(guests), sum(guest.is_pinned for guest in guests))


def parse_actions(value: Any, path: str, read_options: ReadOptions) -> tuple[Action, ...]:
    """The actions that ``value`` lists. Raises LayoutError for what is none."""
    if not isinstance(value, list | tuple):
        raise LayoutError(path, f"must be a list of actions, not {shown(value)}")
    if len(value) > MOST_ACTIONS:
        raise LayoutError(path, f"must be at most {MOST_ACTIONS} actions, not {len(value)}")
    return tuple(_action(each, f"{path}[{index}]", read_options) for index, each in enumerate(value))


def _action(value: Any, path: str, read_options: ReadOptions) -> Action:
    if not isinstance(value, Mapping):
        raise LayoutError(path, f"must be an object, not {shown(value)}")
    kind = value.get("action_type")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise LayoutError(f'{path}["action_type"]', f"must be {' or '.join(_KINDS)}, not {shown(kind)}")
    for key in value:
        if key not in _KEYS[kind]:
            near = difflib.get_close_matches(str(key)[:80], _KEYS[kind], 1, 0.5)
            hint = f'Did you mean "{near[0]}"? ' if near else ""
            raise LayoutError(
                f"{path}[{shown(key)}]", f"is no part of {kind}. {hint}Allowed are {', '.join(_KEYS[kind])}"
            )
    if "condition" not in value:
        raise LayoutError(path, "needs a condition")
    condition = parse_filter(value["condition"], f'{path}["condition"]', COUNTS)
    if kind == "layout_override":
        return Action(condition, _layout(value, path), _ignores(value, path), {})
    options = value.get("options")
    if not isinstance(options, Mapping):
        raise LayoutError(f'{path}["options"]', f"must be an object of options, not {shown(options)}")
    # Actions inside of actions are left out, as documented.
    inner = {name: each for name, each in options.items() if name != "custom_actions"}
    return Action(condition, None, False, read_options(inner, f'{path}["options"]'))


def _layout(value: Mapping[str, Any], path: str) -> LayoutName:
    name = value.get("layout")
    if not isinstance(name, str) or name not in CANONICAL:
        raise LayoutError(f'{path}["layout"]', f"must be one of {', '.join(CANONICAL)}, not {shown(name)}")
    return CANONICAL[name]


def _ignores(value: Mapping[str, Any], path: str) -> bool:
    ignores = value.get("ignore_screenshare", False)
    if not isinstance(ignores, bool):
        raise LayoutError(f'{path}["ignore_screenshare"]', f"must be true or false, not {shown(ignores)}")
    return ignores
