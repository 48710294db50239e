"""``wallflower schema``: JSON Schemas for those who write or read messages, events, settings, options."""

from __future__ import annotations

import json

from workers.cli.app import CliError, Exit
from workers.schemas import KINDS


def run(kind: str | None, name: str | None) -> None:
    if kind is None:
        print(json.dumps({known: make() for known, make in KINDS.items()}, indent=2))
        return
    if kind not in KINDS:
        raise CliError(Exit.BAD_INPUT, f"{kind!r} has no schemas; known are {', '.join(KINDS)}")
    found = KINDS[kind]()
    if name is None:
        print(json.dumps(found, indent=2))
        return
    if name not in found:
        raise CliError(Exit.NOT_FOUND, f"there is no {kind} {name!r}; known are {', '.join(found)}")
    print(json.dumps(found[name], indent=2))
