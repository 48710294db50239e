"""``wallflower events``: the outbox, as a table or as JSON lines with the events' ids."""

from __future__ import annotations

import json
import time
from collections import deque

from workers.cli.ledger import opened
from workers.events.payloads import rfc3339
from workers.ledger import outbox
from workers.ledger.tables import Event

_POLL = 0.3
_WINDOW = 100


def run(call: str | None, follow: bool, as_json: bool) -> None:
    with opened() as ledger:
        seen, shown = 0, deque[str](maxlen=2 * _WINDOW)
        while True:
            # A number is drawn before its event is written: another one may come to be seen a little behind its place.
            with ledger.reading() as tx:
                found = outbox.after(tx, seen - _WINDOW if follow else seen, call)
            new = [event for event in found if event.id not in shown]
            for event in new:
                print(_json(event) if as_json else _line(event), flush=True)
                shown.append(event.id)
                seen = max(seen, event.seq)
            if not follow and not new:
                return
            if follow and not new:
                time.sleep(_POLL)


def _json(event: Event) -> str:
    return json.dumps(
        {
            "id": event.id,
            "position": event.position,
            "sent_at": rfc3339(event.sent_at) if event.sent_at else None,
            "event": event.payload,
        },
        ensure_ascii=False,
    )


def _line(event: Event) -> str:
    payload = event.payload
    more = payload.get("call_recording", {}).get("url") or payload.get("error") or ""
    sent = "" if event.sent_at else "  (not sent yet)"
    return f"{event.created_at:%H:%M:%S.%f}  {event.type:24}  {event.call_cid}  {more}{sent}".rstrip()
