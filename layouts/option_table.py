"""The table of all options: what documentation, JSON Schema and checks are made from."""

from __future__ import annotations

from layouts.option import Option
from layouts.table.arrangement import ARRANGEMENT
from layouts.table.canvas import CANVAS
from layouts.table.choosing import CHOOSING
from layouts.table.labels import LABELS
from layouts.table.overlays import OVERLAYS
from layouts.table.tiles import TILES

OPTIONS: tuple[Option, ...] = (*CANVAS, *TILES, *LABELS, *OVERLAYS, *ARRANGEMENT, *CHOOSING)

BY_NAME: dict[str, Option] = {name: option for option in OPTIONS for name in option.names}
"""Every option under each of its names."""

BY_FIELD: dict[str, Option] = {option.field: option for option in OPTIONS}
