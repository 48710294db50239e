"""``wallflower events dead`` and ``replay``: what sinks would not take, shown and sent again."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

from workers.cli.app import CliError, Exit
from workers.cli.ledger import opened
from workers.events.payloads import rfc3339
from workers.events.sinks.configured import sink_names
from workers.ledger import dead_letters
from workers.ledger.database import Ledger
from workers.ledger.dead_letters import Dead
from workers.settings import load

_PAGE = 500


def list_(sink: str | None, call: str | None, as_json: bool) -> None:
    with opened() as ledger:
        for one in _each(ledger, sink, call):
            print(json.dumps(_as_json(one), ensure_ascii=False) if as_json else _line(one), flush=True)


def replay(ids: list[str], everything: bool, sink: str | None, to: str | None) -> None:
    if bool(ids) + everything + (sink is not None) != 1:
        raise CliError(Exit.BAD_INPUT, "name dead letters by their numbers, or say --all, or --sink with its name")
    settings = load()
    known = sink_names(settings)
    with opened(settings) as ledger:
        found = list(_each(ledger, sink, None))
        if ids:
            found = [one for one in found if {str(one.letter.id), one.event.id} & set(ids)]
            missing = set(ids) - {i for one in found for i in (str(one.letter.id), one.event.id)}
            if missing:
                raise CliError(Exit.NOT_FOUND, f"no dead letter is known as {', '.join(sorted(missing))}")
        numbers = [one.letter.id for one in found]
        for start in range(0, len(numbers), _PAGE):
            some = numbers[start : start + _PAGE]
            ledger.write(partial(dead_letters.replay, letters=some, now=datetime.now(UTC), to=to))
    print(f"{len(numbers)} events will be sent again")
    for name in sorted({to or one.letter.sink for one in found} - set(known)):
        print(
            f"wallflower: no sink of these settings is {name}: they wait for a worker that has it; "
            f"--to sends them to another one ({', '.join(known) or 'there is none'})",
            file=sys.stderr,
        )


def _each(ledger: Ledger, sink: str | None, call: str | None) -> Iterator[Dead]:
    behind = 0
    while True:
        with ledger.reading() as tx:
            found = dead_letters.dead(tx, sink=sink, call_cid=call, behind=behind, limit=_PAGE)
        yield from found
        if len(found) < _PAGE:
            return
        behind = found[-1].letter.id


def _as_json(one: Dead) -> dict[str, Any]:
    letter = one.letter
    return {
        "id": letter.id,
        "sink": letter.sink,
        "event_id": letter.event_id,
        "attempts": letter.attempts,
        "error": letter.error,
        "created_at": rfc3339(letter.created_at),
        "replay_at": rfc3339(letter.replay_at) if letter.replay_at else None,
        "event": one.event.payload,
    }


def _line(one: Dead) -> str:
    letter = one.letter
    again = "  (to be sent again)" if letter.replay_at else ""
    who = f"{one.event.type}  {letter.call_cid}"
    return f"{letter.id:6}  {letter.created_at:%Y-%m-%d %H:%M:%S}  {letter.sink}  {who}  {letter.error}{again}"
