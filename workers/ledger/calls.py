"""Calls in the ledger: what was said of them, and when, by the clocks of those who said it.

Two threads or two workers may take two messages of a call in the wrong order, and one that waited for the ledger comes
late. So what must not be undone by an older message is remembered with the time at which its message was sent:
``heard["stops"]`` holds the newest stop of each selection, ``heard["settings"]`` the newest word on each setting,
``heard["ended"]`` the sessions that ended before anything was known of them, ``heard["started"]`` the newest session.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from workers.calls.merging import at, leaves, merged
from workers.ledger.insert import insert_new
from workers.ledger.tables import Call

REMEMBERED_MS = 25 * 3_600_000
"""Longer than a message is tried again."""
MOST_STOPS = 64


@dataclass(frozen=True, slots=True)
class Stop:
    """Which egresses a message ended: those that have everything that it names."""

    at_ms: int
    recording_type: str | None = None
    egress_id: str | None = None
    session_id: str | None = None

    def concerns(self, recording_type: str | None, egress_id: str | None, session_id: str | None) -> bool:
        pairs = ((self.recording_type, recording_type), (self.egress_id, egress_id), (self.session_id, session_id))
        return all(named is None or named == own for named, own in pairs)


def known(tx: Session, cid: str, now: datetime) -> Call:
    """The call's row, made when it is the first word of it; nobody else changes it until the transaction ends."""
    tx.flush()  # what is read anew would overwrite what was changed and not yet written
    call = tx.get(Call, cid, with_for_update=True, populate_existing=True)
    if call is None:
        insert_new(tx, Call, cid=cid, created_at=now)
        call = tx.get_one(Call, cid, with_for_update=True, populate_existing=True)
    return call


def remember_stop(call: Call, stop: Stop) -> None:
    kept = [asdict(s) for s in _stops(call) if not _covers(stop, s) and stop.at_ms - s.at_ms < REMEMBERED_MS]
    if not any(_covers(s, stop) for s in _stops(call)):
        kept.append(asdict(stop))
    kept.sort(key=lambda s: s["at_ms"])
    call.heard = {**(call.heard or {}), "stops": kept[-MOST_STOPS:]}


def stopped_since(
    call: Call, sent_ms: int, recording_type: str | None, egress_id: str | None, session_id: str | None
) -> bool:
    """Whether a stop that was sent later than ``sent_ms`` concerns this egress."""
    return any(s.at_ms > sent_ms and s.concerns(recording_type, egress_id, session_id) for s in _stops(call))


def remember_end(call: Call, session_id: str, at_ms: int) -> None:
    """A session ended of which nothing is known: its start may come yet."""
    ended = {**(call.heard or {}).get("ended", {}), session_id: at_ms}
    newest = sorted(ended.items(), key=lambda pair: pair[1])[-MOST_STOPS:]
    call.heard = {**(call.heard or {}), "ended": dict(newest)}


def ended_since(call: Call, sent_ms: int, session_id: str) -> bool:
    return bool((call.heard or {}).get("ended", {}).get(session_id, -1) > sent_ms)


def is_newest_session(call: Call, session_id: str, sent_ms: int) -> bool:
    """Whether no later message has told of another session's start; it is remembered that this one has."""
    newest = (call.heard or {}).get("started")
    if newest is not None and newest["session_id"] != session_id and newest["at_ms"] > sent_ms:
        return False
    call.heard = {**(call.heard or {}), "started": {"session_id": session_id, "at_ms": sent_ms}}
    return True


def change_settings(call: Call, said: Mapping[str, Any], sent_ms: int) -> dict[str, Any]:
    """The call's own settings with these laid over them, but for those of which a later message has spoken."""
    heard = dict(call.heard or {})
    times = dict(heard.get("settings", {}))
    newer: dict[str, Any] = {}
    for place, value in leaves(said):
        name = ".".join(place)
        if sent_ms < times.get(name, 0):
            continue
        times[name] = sent_ms
        inner = newer
        for part in place[:-1]:
            inner = inner.setdefault(part, {})
        inner[place[-1]] = value
    heard["settings"] = times
    call.heard = heard
    return merged(call.settings or {}, newer)


def is_news(call: Call, field: str, sent_ms: int) -> bool:
    """Whether no later message has spoken of that field of the call; it is remembered that this one has."""
    times = dict((call.heard or {}).get("settings", {}))
    if sent_ms < times.get(field, 0):
        return False
    call.heard = {**(call.heard or {}), "settings": {**times, field: sent_ms}}
    return True


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """The names of the settings that differ, such as ``limits.max_duration_seconds``."""
    places = {place for place, _ in (*leaves(before), *leaves(after))}
    return sorted(".".join(place) for place in places if at(before, place) != at(after, place))


def _stops(call: Call) -> list[Stop]:
    return [Stop(**stop) for stop in (call.heard or {}).get("stops", [])]


def _covers(one: Stop, other: Stop) -> bool:
    """Whether ``one`` says everything that ``other`` does."""
    return one.at_ms >= other.at_ms and one.concerns(other.recording_type, other.egress_id, other.session_id)
