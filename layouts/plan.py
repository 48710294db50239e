"""Options as a layout uses them, and which of them are in force in a call."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from layouts.actions import Action, count
from layouts.filters import Filter
from layouts.lengths import Length
from layouts.option import LayoutName, Option
from layouts.option_table import OPTIONS
from layouts.scene import CallView, Color, Horizontal, ScaleMode, Vertical
from layouts.table.arrangement import BarPosition

_OWN = frozenset(option.field for option in OPTIONS if option.own)
_MOST_KEPT = 256
"""Sets of options that are kept ready; a call that needs more begins anew."""


@dataclass(frozen=True, slots=True)
class Options:
    """Options as a layout uses them, which is ``layout``. ``given`` names the fields that were not left to default.

    A width of None suits the canvas.
    """

    layout: LayoutName
    background: Color
    picture_background: Color
    backdrop_image: str | None
    backdrop_size: str
    backdrop_position: str
    backdrop_repeat: str
    scale_mode: ScaleMode
    screenshare_scale_mode: ScaleMode
    transition_ms: int
    show_timestamp: bool
    border_width: Length | None
    border: Color
    border_rounded: bool
    border_radius: Length
    highlight: Color
    highlight_width: Length | None
    placeholder_background: Color
    aspect_ratio: float | None
    mirrored: bool
    label_display: bool
    label_horizontal: Horizontal
    label_vertical: Vertical
    label_margin_inline: Length
    label_margin_block: Length
    label_text: Color
    label_background: Color
    label_display_border: bool
    label_border_width: Length | None
    label_border: Color
    label_rounded: bool
    label_radius: Length
    logo_image: str | None
    logo_width: Length | None
    logo_height: Length | None
    logo_horizontal: Horizontal
    logo_vertical: Vertical
    logo_margin_inline: Length
    logo_margin_block: Length
    title_text: str
    title_color: Color
    title_size: Length
    title_horizontal: Horizontal
    title_vertical: Vertical
    title_margin_inline: Length
    title_margin_block: Length
    columns: int
    rows: int
    page_size: int
    expand_tiles: bool
    cell_padding: Length
    margin: Length
    size_percentage: float
    bar_position: BarPosition
    bar_limit: int | None
    screenshare_layout: LayoutName
    presenter_visible: bool
    padding_inline: Length
    padding_block: Length
    participants: Filter | None
    audible: Filter | None
    actions: tuple[Action, ...]
    layout_override: LayoutName | None
    screenshare_override: LayoutName | None
    rotate_seconds: int
    mode: str
    shuffle_delay: float
    ignore_screenshare: bool
    given: frozenset[str] = field(compare=False)
    _plan: Plan = field(compare=False, repr=False)
    _matching: tuple[int, ...] = field(compare=False, repr=False)

    def in_force(self, call: CallView) -> Options:
        """What the actions make of these options in a call: those for while no screen is shared."""
        return self._plan.in_force(call)

    def while_shared(self) -> Options:
        """The options of the layout that is on while a screen is shared.

        What means something else there (how many tiles, what share of the canvas) takes that layout's default.
        """
        if self.ignore_screenshare:
            return self
        return self._plan.made(self.screenshare_override or self.screenshare_layout, self._matching)


class Plan:
    """What was asked for, and the options that were made of it, by layout and by the actions whose conditions hold."""

    def __init__(self, layout: LayoutName, given: Mapping[str, Any]) -> None:
        self.layout = layout
        self._given = given
        self._actions: tuple[Action, ...] = given.get("actions") or ()
        self._kept: dict[tuple[LayoutName, tuple[int, ...]], Options] = {}
        self._homes: dict[tuple[int, ...], tuple[LayoutName, bool]] = {}

    def in_force(self, call: CallView) -> Options:
        matching: tuple[int, ...] = ()
        if self._actions:
            counts = count(call)
            matching = tuple(index for index, action in enumerate(self._actions) if action.condition.matches(counts))
        return self.made(self._home(matching)[0], matching)

    def made(self, layout: LayoutName, matching: tuple[int, ...]) -> Options:
        """The options of a layout while the conditions of these actions hold."""
        key = (layout, matching)
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
                self._homes.clear()
            self._kept[key] = self._make(layout, matching)
        return self._kept[key]

    def _home(self, matching: tuple[int, ...]) -> tuple[LayoutName, bool]:
        """The layout while no screen is shared, and whether it stays while one is."""
        if matching not in self._homes:
            acting = (self._actions[index] for index in matching)
            first = next((action for action in acting if action.layout is not None), None)
            named = first.layout if first else self._merged(matching, self.layout, self.layout).get("layout_override")
            self._homes[matching] = (named or self.layout, first is not None and first.ignore_screenshare)
        return self._homes[matching]

    def _merged(self, matching: tuple[int, ...], layout: LayoutName, home: LayoutName) -> dict[str, Any]:
        """What was given for a layout: by the caller for theirs, and then by actions for the one they act on."""
        own = layout == self.layout
        merged = {name: value for name, value in self._given.items() if own or name not in _OWN}
        for index in matching:
            overrides = self._actions[index].options.items()
            merged |= {name: value for name, value in overrides if layout == home or name not in _OWN}
        return merged

    def _make(self, layout: LayoutName, matching: tuple[int, ...]) -> Options:
        home, ignore = self._home(matching)
        given = self._merged(matching, layout, home)
        values = {**_defaults(layout), **given}
        canvas, pictures = given.get("background"), given.get("picture_background")
        values["background"] = canvas or values["picture_background"]
        values["picture_background"] = pictures or values["background"]
        return Options(
            **values,
            layout=layout,
            ignore_screenshare=ignore,
            given=frozenset(given),
            _plan=self,
            _matching=matching,
        )


@functools.cache
def _defaults(layout: LayoutName) -> Mapping[str, Any]:
    """Every field's default in a layout."""
    return MappingProxyType({option.field: _default(option, layout) for option in OPTIONS})


def _default(option: Option, layout: LayoutName) -> Any:
    if option.kind == "actions":
        return ()
    default = option.default_in(layout)
    return None if default is None else option.read(default)
