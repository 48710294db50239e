"""What is said of participants: pins and moderation, kept with the session, so that whoever attends it next has them.

From when to when somebody was moderated is kept beside it (:mod:`workers.ledger.restraints`), for manifests.

Each word is remembered with the time at which its message was sent, also where it took something back: an older message
that is taken later undoes nothing. What is said while the call has no session waits with the call for the next one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.directions import Directions, Moderated, Pin
from workers.ledger import restraints
from workers.ledger.tables import Call, CallSession
from workers.refused import Refused

WAITS_MS = 3_600_000
"""For how long a word waits for a session: what belonged to one that had just ended must not meet another one days
later."""
MOST_PINS = 100
MOST_USERS = 500

Said = Mapping[str, Any]
"""``pins`` has a word for each who was pinned or unpinned, ``unpinned_ms`` is when all were unpinned, ``users`` has the
words on each user; of a session ``restraints`` has when they held. As JSON keeps it."""

_DEFAULTS = {"video": "show", "audio": "keep"}


def pinned(said: Said, who: Pin | None, pin: bool, sent_ms: int) -> dict[str, Any]:
    """With that pin, or without it; ``who`` None means everybody. Raises Refused when there are too many."""
    pins = dict(said.get("pins", {}))
    cleared = said.get("unpinned_ms", -1)
    if who is None:
        cleared = max(cleared, sent_ms)
        pins = {name: word for name, word in pins.items() if word["at_ms"] > cleared}
    else:
        name = _name(who)
        if sent_ms >= max(cleared, pins.get(name, {}).get("at_ms", -1)):
            pins.pop(name, None)
            pins[name] = {**who.model_dump(exclude_none=True), "at_ms": sent_ms, "pinned": pin}
    if sum(word["pinned"] for word in pins.values()) > MOST_PINS:
        raise Refused(409, f"{MOST_PINS} participants of the session are pinned already; unpin some first")
    return {**said, "pins": _newest(pins, lambda word: word["pinned"], MOST_PINS), "unpinned_ms": cleared}


def moderated(said: Said, user_id: str, words: Mapping[str, str], sent_ms: int) -> dict[str, Any]:
    """With these words (``video``, ``audio``) on a user. Raises Refused when there are too many."""
    users = dict(said.get("users", {}))
    known = dict(users.get(user_id, {}))
    for what, word in words.items():
        if sent_ms >= known.get(what, {}).get("at_ms", -1):
            known[what] = {"word": word, "at_ms": sent_ms}
    users[user_id] = known
    if sum(map(_restrains, users.values())) > MOST_USERS:
        raise Refused(409, f"{MOST_USERS} users of the session are moderated already; show some of them again first")
    return {**said, "users": _newest(users, _restrains, MOST_USERS)}


def together(one: Said, other: Said) -> dict[str, Any]:
    """What both say; on the same matter the later word counts."""
    result = dict(one)
    if (cleared := other.get("unpinned_ms", -1)) >= 0:
        result = pinned(result, None, False, cleared)
    for word in other.get("pins", {}).values():
        who = Pin(user_id=word.get("user_id"), participant=word.get("participant"))
        result = pinned(result, who, word["pinned"], word["at_ms"])
    for user_id, words in other.get("users", {}).items():
        for what, word in words.items():
            result = moderated(result, user_id, {what: word["word"]}, word["at_ms"])
    return result


def in_force(said: Said | None) -> Directions:
    """As an attendant is told."""
    if not said:
        return Directions()
    # Of words of the same millisecond the one that was taken later is the later one.
    pins = [word for word in reversed(list(said.get("pins", {}).values())) if word["pinned"]]
    pins.sort(key=lambda word: -word["at_ms"])
    moderation = {
        user_id: {what: words.get(what, {}).get("word", default) for what, default in _DEFAULTS.items()}
        for user_id, words in said.get("users", {}).items()
        if _restrains(words)
    }
    return Directions(
        pins=tuple(Pin(user_id=word.get("user_id"), participant=word.get("participant")) for word in pins),
        moderation=tuple(Moderated.model_validate({"user_id": user, **words}) for user, words in moderation.items()),
    )


def change(session: CallSession, said: Said, now: datetime) -> bool:
    """Write it down; False when it changes nothing that is in force."""
    force = in_force(said)
    news = in_force(session.directions) != force
    kept = restraints.went_on(said.get("restraints", {}), force.moderation, now)
    session.directions = {**said, "restraints": kept}
    if news:
        session.revision = (session.revision or 0) + 1
    return news


def open_sessions(tx: Session, call_cid: str) -> list[CallSession]:
    """The sessions of the call that something may be said of."""
    query = select(CallSession).where(CallSession.call_cid == call_cid, CallSession.ended_at.is_(None))
    return list(tx.scalars(query.order_by(CallSession.created_at, CallSession.id)))


def waiting(call: Call, now: datetime) -> dict[str, Any]:
    """What was said of the session that begins next."""
    said = dict(call.directions or {})
    return said if _ms(now) - said.get("said_ms", 0) < WAITS_MS else {}


def wait(call: Call, said: Said, now: datetime) -> bool:
    """Keep it for the session that begins next; False when it changes nothing that is in force."""
    news = in_force(call.directions) != in_force(said)
    call.directions = {**said, "said_ms": _ms(now)}
    return news


def begun(tx: Session, session: CallSession, now: datetime) -> None:
    """A session begins, or begins anew: what waited for it is said of it."""
    call = tx.get(Call, session.call_cid)
    if call is None or call.directions is None:
        return
    change(session, together(session.directions or {}, waiting(call, now)), now)
    call.directions = None


def _name(who: Pin) -> str:
    return f"user:{who.user_id}" if who.user_id is not None else f"participant:{who.participant}"


def _restrains(words: Mapping[str, Any]) -> bool:
    return any(words.get(what, {}).get("word", default) != default for what, default in _DEFAULTS.items())


def _newest(words: dict[str, Any], counts: Callable[[Any], bool], most: int) -> dict[str, Any]:
    """Those that are in force, and so many of those that took something back; a word that comes last is the newest."""
    over = [name for name, word in words.items() if not counts(word)]
    for name in over[: max(0, len(over) - most)]:
        del words[name]
    return words


def _ms(now: datetime) -> int:
    return int(now.timestamp() * 1000)
