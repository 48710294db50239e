"""The options of the layouts: one table, and the check of what somebody asked for against it."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Literal, get_args

from layouts.scene import Color, Horizontal, ScaleMode, Vertical
from layouts.values import Kind, Length, Refused, expected, read

LayoutName = Literal["grid", "spotlight", "single-participant"]
BarPosition = Literal["top", "bottom", "left", "right"]

_CANONICAL: dict[str, LayoutName] = {
    "grid": "grid",
    "spotlight": "spotlight",
    "single-participant": "single-participant",
    "single_participant": "single-participant",
    "dominant-speaker": "single-participant",
    "mobile": "single-participant",
}
_ALL: tuple[LayoutName, ...] = get_args(LayoutName)
_TILED: tuple[LayoutName, ...] = ("grid", "spotlight")


class LayoutError(ValueError):
    """A layout or an option that cannot be honoured. ``field`` is its path in the layout settings."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Options:
    """Options as a layout uses them. ``given`` names the fields that were asked for, not left to default.

    A width of None suits the canvas.
    """

    background: Color
    scale_mode: ScaleMode
    screenshare_scale_mode: ScaleMode
    label_display: bool
    label_horizontal: Horizontal
    label_vertical: Vertical
    label_text: Color
    label_background: Color
    label_display_border: bool
    label_border: Color
    label_rounded: bool
    label_radius: Length
    border_width: Length | None
    border: Color
    border_rounded: bool
    border_radius: Length
    highlight: Color
    highlight_width: Length | None
    placeholder_background: Color
    columns: int
    rows: int
    cell_padding: Length
    margin: Length
    size_percentage: float
    bar_position: BarPosition
    screenshare_layout: LayoutName
    presenter_visible: bool
    given: frozenset[str]

    def adapted(self, layout: LayoutName) -> Options:
        """These options for another layout of the same call.

        What means something else there (how many tiles, what share of the canvas) takes that layout's default.
        """
        own = {option.field for option in OPTIONS if option.own}
        defaults = {name: value for name, value in _defaults(layout).items() if name in own}
        return replace(self, **defaults, given=self.given - own)


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table.

    ``field`` is the attribute of ``Options`` that it sets; ``own`` says that it means something else in each layout, so
    that it does not follow a call into the layout for screen shares.
    """

    name: str
    field: str
    kind: Kind
    default: str | bool | float
    meaning: str
    aliases: tuple[str, ...] = ()
    layouts: tuple[LayoutName, ...] = _ALL
    allowed: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = 0
    own: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    @property
    def expected(self) -> str:
        """What values it takes, as a phrase that follows "must be"."""
        return expected(self.kind, self.allowed, self.minimum, self.maximum)

    def read(self, value: Any) -> Any:
        """The value as ``Options`` holds it. Raises Refused for one of another type or out of range."""
        found = read(self.kind, value, self.allowed, self.minimum, self.maximum)
        return _CANONICAL[found] if self.field == "screenshare_layout" else found


_SCALE = get_args(ScaleMode)
_HORIZONTAL = ("center", "left", "right")
_VERTICAL = ("top", "bottom", "center")

OPTIONS: tuple[Option, ...] = (
    Option(
        "video.background_color",
        "background",
        "color",
        "#000000",
        "The canvas, and what a picture leaves free of its tile",
        aliases=("layout.background_color",),
    ),
    Option(
        "video.scale_mode",
        "scale_mode",
        "choice",
        "fill",
        "How a camera's picture meets its tile: fill crops, fit pads",
        allowed=_SCALE,
    ),
    Option(
        "video.screenshare_scale_mode",
        "screenshare_scale_mode",
        "choice",
        "fit",
        "The same for a shared screen",
        allowed=_SCALE,
    ),
    Option(
        "participant.label_display",
        "label_display",
        "boolean",
        True,
        "Show names",
        aliases=("participant_label.display",),
    ),
    Option(
        "participant.label_horizontal_position",
        "label_horizontal",
        "choice",
        "left",
        "Where in its tile a name stands",
        aliases=("participant_label.horizontal_position",),
        allowed=_HORIZONTAL,
    ),
    Option(
        "participant.label_vertical_position",
        "label_vertical",
        "choice",
        "bottom",
        "Where in its tile a name stands",
        aliases=("participant_label.vertical_position",),
        allowed=_VERTICAL,
    ),
    Option(
        "participant.label_text_color",
        "label_text",
        "color",
        "#ffffff",
        "Colour of names",
        aliases=("participant_label.text_color",),
    ),
    Option(
        "participant.label_background_color",
        "label_background",
        "color",
        "#101216b8",
        "Colour behind names",
        aliases=("participant_label.background_color",),
    ),
    Option(
        "participant.label_display_border",
        "label_display_border",
        "boolean",
        True,
        "Draw a line around names",
    ),
    Option(
        "participant.label_border_color",
        "label_border",
        "color",
        "#cccccc",
        "Colour of that line",
        aliases=("participant_label.border_color",),
    ),
    Option(
        "participant.label_border_rounded",
        "label_rounded",
        "boolean",
        True,
        "Round the corners of the box behind names",
    ),
    Option(
        "participant.label_border_radius",
        "label_radius",
        "radius",
        1.2,
        "Radius of those corners",
        aliases=("participant_label.border_radius",),
        maximum=50,
    ),
    Option(
        "participant.video_border_width",
        "border_width",
        "stroke",
        True,
        "Line around every tile: true takes a width that suits the canvas, false draws none",
        maximum=100,
    ),
    Option(
        "participant.video_border_color",
        "border",
        "color",
        "#cccccc",
        "Colour of that line",
    ),
    Option(
        "participant.video_border_rounded",
        "border_rounded",
        "boolean",
        True,
        "Round the corners of tiles",
    ),
    Option(
        "participant.video_border_radius",
        "border_radius",
        "radius",
        1.2,
        "Radius of those corners",
        aliases=("participant.border_radius",),
        maximum=50,
    ),
    Option(
        "participant.video_highlight_border_color",
        "highlight",
        "color",
        "#7cfc00",
        "Colour of the line around who speaks",
        aliases=("participant.outline_color",),
    ),
    Option(
        "participant.outline_width",
        "highlight_width",
        "stroke",
        True,
        "Width of the line around who speaks",
        maximum=100,
    ),
    Option(
        "participant.placeholder_background_color",
        "placeholder_background",
        "color",
        "#000000",
        "Tile of who shows no picture",
    ),
    Option(
        "grid.columns",
        "columns",
        "integer",
        5,
        "Columns at most; with grid.rows also how many tiles are shown at most",
        layouts=_TILED,
        minimum=1,
        maximum=10,
        own=True,
    ),
    Option(
        "grid.rows",
        "rows",
        "integer",
        4,
        "Rows at most",
        layouts=("grid",),
        minimum=1,
        maximum=10,
        own=True,
    ),
    Option(
        "grid.rows",
        "rows",
        "integer",
        1,
        "Rows of the bar at most",
        layouts=("spotlight",),
        minimum=1,
        maximum=10,
        own=True,
    ),
    Option(
        "grid.cell_padding",
        "cell_padding",
        "size",
        10,
        "Between two tiles",
        aliases=("layout.grid.gap",),
        layouts=_TILED,
        maximum=500,
    ),
    Option(
        "grid.margin",
        "margin",
        "size",
        10,
        "Between bar and spotlight, and at least that to the edges of the canvas",
        layouts=_TILED,
        maximum=500,
    ),
    Option(
        "grid.size_percentage",
        "size_percentage",
        "percentage",
        90,
        "Share of the canvas's area that the grid may take",
        aliases=("layout.size_percentage",),
        layouts=("grid",),
        minimum=10,
        maximum=100,
        own=True,
    ),
    Option(
        "grid.size_percentage",
        "size_percentage",
        "percentage",
        20,
        "Share of the canvas that the bar takes",
        aliases=("layout.size_percentage",),
        layouts=("spotlight",),
        minimum=5,
        maximum=80,
        own=True,
    ),
    Option(
        "grid.position",
        "bar_position",
        "choice",
        "bottom",
        "On which side of the spotlight the bar lies",
        aliases=("layout.spotlight.participants_bar_position",),
        layouts=_TILED,
        allowed=get_args(BarPosition),
    ),
    Option(
        "screenshare_layout",
        "screenshare_layout",
        "choice",
        "spotlight",
        "The layout while somebody shares a screen",
        layouts=_TILED,
        allowed=tuple(_CANONICAL),
    ),
    Option(
        "presenter_visible",
        "presenter_visible",
        "boolean",
        True,
        "Show the camera of who shares a screen, in a corner of it",
        aliases=("layout.single-participant.presenter_visible",),
    ),
)


def layout_names() -> tuple[str, ...]:
    """Every name that ``compose`` accepts, each layout's own name first."""
    return tuple(_CANONICAL)


def canonical_name(name: str) -> LayoutName:
    """A layout's own name for any name it goes by.

    Raises LayoutError for any other.
    """
    if isinstance(name, str) and name in _CANONICAL:
        return _CANONICAL[name]
    known = f"Known layouts are {', '.join(_CANONICAL)}"
    if name == "custom":
        raise LayoutError(
            "layout.name", f'"custom" needs an external app, which this version does not support. {known}'
        )
    near = difflib.get_close_matches(str(name)[:80].lower(), _CANONICAL, 1, 0.4)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    raise LayoutError("layout.name", f"{_shown(name)} is not a layout. {hint}{known}")


def check_layout(name: str, options: Mapping[str, Any] | None = None) -> None:
    """Raise LayoutError with one clear sentence when ``compose`` would refuse this layout."""
    parse_options(name, options)


def parse_options(layout_name: str, options: Mapping[str, Any] | None = None) -> Options:
    """The options of a layout, defaults filled in.

    Raises LayoutError for an unknown layout, an option not in the table or not of this layout, and a value of
    another type or out of its range. The message names the field, what is allowed, and the nearest valid name.
    """
    layout = canonical_name(layout_name)
    if options is None:
        options = {}
    if not isinstance(options, Mapping):
        raise LayoutError("layout.options", f"must be an object, not {_shown(options)}")
    table = {name: option for option in OPTIONS if layout in option.layouts for name in option.names}
    found: dict[str, tuple[str, Any]] = {}
    for name, value in options.items():
        path = f"layout.options[{_shown(name)}]"
        option = table.get(name) if isinstance(name, str) else None
        if option is None:
            raise LayoutError(path, _unknown(str(name), layout, table))
        try:
            parsed = option.read(value)
        except Refused:
            raise LayoutError(path, f"must be {option.expected}, not {_shown(value)}") from None
        first_name, first_value = found.setdefault(option.field, (name, parsed))
        if first_value != parsed:
            raise LayoutError(path, f'is another name of "{first_name}", which was given with another value')
    values = {**_defaults(layout), **{key: value for key, (_, value) in found.items()}}
    return Options(**values, given=frozenset(found))


@functools.cache
def _defaults(layout: LayoutName) -> Mapping[str, Any]:
    """Every field's default in a layout; what a layout does not know takes the first default in the table."""
    own = {option.field: option.read(option.default) for option in OPTIONS if layout in option.layouts}
    any_of = {option.field: option.read(option.default) for option in reversed(OPTIONS)}
    return MappingProxyType(any_of | own)


def _unknown(name: str, layout: LayoutName, table: Mapping[str, Option]) -> str:
    elsewhere = sorted({of for option in OPTIONS if name in option.names for of in option.layouts})
    if elsewhere:
        return f"is an option of {' and '.join(elsewhere)}, not of {layout}"
    near = difflib.get_close_matches(name[:80].lower(), table, 1, 0.5)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    own = ", ".join(dict.fromkeys(option.name for option in table.values()))
    return f"is not an option of {layout}. {hint}Known options are {own}"


def _shown(value: Any) -> str:
    """A value as a message may quote it: short, on one line, printable."""
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, a list nested as deep
        return f"this {type(value).__name__}"
    text = "".join(char if char.isprintable() else "\ufffd" for char in text[:81])
    return text if len(text) <= 80 else text[:79] + "…"
