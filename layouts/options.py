"""Options as somebody asks for them, checked against the table."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from layouts.actions import parse_actions
from layouts.filters import parse_filter
from layouts.option import CANONICAL, LayoutName, Option
from layouts.option_table import BY_NAME, OPTIONS
from layouts.plan import Options, Plan
from layouts.said import LayoutError, shown
from layouts.values import Refused

__all__ = ["LayoutError", "Options", "canonical_name", "check_layout", "layout_names", "parse_options"]


def layout_names() -> tuple[str, ...]:
    """Every name that ``compose`` accepts, each layout's own name first."""
    return tuple(CANONICAL)


def canonical_name(name: str) -> LayoutName:
    """A layout's own name for any name it goes by.

    Raises LayoutError for any other.
    """
    if isinstance(name, str) and name in CANONICAL:
        return CANONICAL[name]
    known = f"Known layouts are {', '.join(CANONICAL)}"
    if name == "custom":
        raise LayoutError(
            "layout.name", f'"custom" needs external_app_url, the address of the page that draws it. {known}'
        )
    near = difflib.get_close_matches(str(name)[:80].lower(), CANONICAL, 1, 0.4)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    raise LayoutError("layout.name", f"{shown(name)} is not a layout. {hint}{known}, and custom")


def check_layout(name: str, options: Mapping[str, Any] | None = None, *, external_app_url: str | None = None) -> None:
    """Raise LayoutError with one clear sentence when a layout cannot be honoured.

    What ``compose`` would refuse is refused; the ``custom`` layout is good where the address of its page is given, with
    whatever options, which are for the page.
    """
    if name == "custom" and external_app_url:
        if options is not None and not isinstance(options, Mapping):
            raise LayoutError("layout.options", f"must be an object, not {shown(options)}")
        return
    parse_options(name, options)


def parse_options(layout_name: str, options: Mapping[str, Any] | None = None) -> Options:
    """The options of a layout, defaults filled in.

    Raises LayoutError for an unknown layout, an option not in the table or not of a layout that the call may come to,
    and a value of another type or out of its range. The message names the field, what is allowed, and the nearest valid
    name.
    """
    layout = canonical_name(layout_name)
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise LayoutError("layout.options", f"must be an object, not {shown(options)}")
    given = _Reader(layout, options).read(options, "layout.options")
    return Plan(layout, given).made(layout, ())


class _Reader:
    """Reads options of a layout, and those that its actions give."""

    def __init__(self, layout: LayoutName, options: Mapping[str, Any]) -> None:
        self._layout = layout
        self._reachable = _reachable(layout, options)

    def read(self, options: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        """Values by field."""
        found: dict[str, tuple[str, Any]] = {}
        for name, value in options.items():
            at = f"{path}[{shown(name)}]"
            option = self._known(name, at)
            value = self._value(option, value, at)
            first_name, first_value = found.setdefault(option.field, (name, value))
            if first_value != value:
                raise LayoutError(at, f'is another name of "{first_name}", which was given with another value')
        return {name: value for name, (_, value) in found.items()}

    def _known(self, name: Any, path: str) -> Option:
        option = BY_NAME.get(name) if isinstance(name, str) else None
        if option is None:
            raise LayoutError(path, self._unknown(str(name)))
        # A name with a layout inside says itself where it counts.
        if not name.startswith("layout.") and self._reachable.isdisjoint(option.layouts):
            raise LayoutError(path, f"is an option of {' and '.join(option.layouts)}, not of {self._layout}")
        return option

    def _value(self, option: Option, value: Any, path: str) -> Any:
        if option.kind == "filter":
            return parse_filter(value, path)
        if option.kind == "actions":
            return parse_actions(value, path, self.read)
        try:
            return option.read(value)
        except Refused:
            raise LayoutError(path, f"must be {option.expected}, not {shown(value)}") from None

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name[:80].lower(), BY_NAME, 1, 0.5)
        hint = f'Did you mean "{near[0]}"? ' if near else ""
        own = [option.name for option in OPTIONS if self._layout in option.layouts]
        return f"is not an option of {self._layout}. {hint}Known options are {', '.join(own)}"


_LEADING = ("custom_layout_override", "screenshare_layout", "custom_screen_share_layout_override")


def _reachable(layout: LayoutName, options: Mapping[str, Any]) -> frozenset[LayoutName]:
    """The layouts that a call may come to with these options, be they good or not."""
    actions = options.get("custom_actions")
    acting = [each for each in actions if isinstance(each, Mapping)] if isinstance(actions, list | tuple) else []
    inner = [each["options"] for each in acting if isinstance(each.get("options"), Mapping)]
    names: list[Any] = [each.get("layout") for each in acting]
    names += [each.get(name) for each in (options, *inner) for name in _LEADING]
    found: set[LayoutName] = {
        layout,
        *(CANONICAL[name] for name in names if isinstance(name, str) and name in CANONICAL),
    }
    shared = BY_NAME["screenshare_layout"]
    found |= {shared.read(shared.default_in(each)) for each in tuple(found)}
    return frozenset(found)
