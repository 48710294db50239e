"""When who was moderated, by the words that were taken: of a session, whatever became of who attended it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from egress.protocol.directions import Moderated

MOST = 400
"""Times that are over of which each is kept: the last ones."""

Kept = Mapping[str, Any]
"""``now`` has the words on each who is moderated and since when, ``over`` the times that are over, the last one last.
``left_out`` counts earlier ones, of which the last ended at ``left_out_ms``. As JSON keeps it."""


@dataclass(frozen=True, slots=True)
class Restraint:
    """A time in which somebody was moderated, as ``who`` says."""

    start: datetime
    end: datetime
    who: Moderated


def went_on(kept: Kept, force: Sequence[Moderated], at: datetime) -> dict[str, Any]:
    """With what is in force from then on."""
    at_ms = round(at.timestamp() * 1000)
    now = dict(kept.get("now", {}))
    over = list(kept.get("over", []))
    words = {one.user_id: {"video": one.video, "audio": one.audio} for one in force}
    for user_id, spell in list(now.items()):
        if {"video": spell["video"], "audio": spell["audio"]} != words.get(user_id):
            del now[user_id]
            if at_ms > spell["start_ms"]:
                over.append({"user_id": user_id, **spell, "end_ms": at_ms})
    for user_id, word in words.items():
        now.setdefault(user_id, {**word, "start_ms": at_ms})
    gone = over[: max(0, len(over) - MOST)]
    return {
        "now": now,
        "over": over[len(gone) :],
        "left_out": kept.get("left_out", 0) + len(gone),
        "left_out_ms": max([kept.get("left_out_ms", 0), *(spell["end_ms"] for spell in gone)]),
    }


def between(kept: Kept, start: datetime, end: datetime) -> tuple[list[Restraint], int]:
    """The restraints of that time, cut to it, in their order; how many that may belong to it are not kept."""
    found = [_restraint(spell) for spell in kept.get("over", [])]
    found += [_restraint({"user_id": user_id, **spell}, end) for user_id, spell in kept.get("now", {}).items()]
    within = [
        Restraint(max(one.start, start), min(one.end, end), one.who)
        for one in found
        if one.start < end and one.end > start
    ]
    left_out = kept.get("left_out", 0) if _at(kept.get("left_out_ms", 0)) > start else 0
    return sorted(within, key=lambda one: (one.start, one.who.user_id)), left_out


def _restraint(spell: Mapping[str, Any], end: datetime | None = None) -> Restraint:
    """``end`` where it is not over."""
    who = Moderated(user_id=spell["user_id"], video=spell["video"], audio=spell["audio"])
    return Restraint(_at(spell["start_ms"]), end or _at(spell["end_ms"]), who)


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
