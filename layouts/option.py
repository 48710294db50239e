"""What a row of the table of options is, and the names of the layouts."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from layouts.values import Kind, expected, read

LayoutName = Literal["grid", "spotlight", "single-participant"]

CANONICAL: dict[str, LayoutName] = {
    "grid": "grid",
    "spotlight": "spotlight",
    "single-participant": "single-participant",
    "single_participant": "single-participant",
    "dominant-speaker": "single-participant",
    "mobile": "single-participant",
}
"""The layout that each name means."""

ALL: tuple[LayoutName, ...] = get_args(LayoutName)
TILED: tuple[LayoutName, ...] = ("grid", "spotlight")

Default = str | bool | float | None


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table.

    ``field`` is the attribute of ``Options`` that it sets. ``default`` holds but in the layouts of ``by_layout``; None
    is nothing at all. ``own`` says that it means something else in each layout, so that it does not follow a call from
    one layout into another. ``conflict`` is where documentation and the open layout app disagree, and what was done.
    """

    name: str
    field: str
    kind: Kind
    default: Default
    meaning: str
    aliases: tuple[str, ...] = ()
    layouts: tuple[LayoutName, ...] = ALL
    allowed: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = 0
    own: bool = False
    by_layout: Mapping[LayoutName, Default] = dataclasses.field(default_factory=lambda: MappingProxyType({}))
    conflict: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)

    @property
    def expected(self) -> str:
        """What values it takes, as a phrase that follows "must be"."""
        return expected(self.kind, self.allowed, self.minimum, self.maximum)

    def default_in(self, layout: LayoutName) -> Default:
        return self.by_layout.get(layout, self.default)

    def read(self, value: Any) -> Any:
        """The value as ``Options`` holds it. Raises Refused for one of another type or out of range.

        Not for filters and actions, which are read by their own modules.
        """
        found = read(self.kind, value, self.allowed, self.minimum, self.maximum)
        return CANONICAL[found] if self.kind == "layout" else found
