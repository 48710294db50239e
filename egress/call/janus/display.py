"""Who somebody is, read from the ``display`` of a publisher: the only text VideoRoom keeps about a participant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

SCREEN_SHARE = "screen_share"
NAMELESS = "Guest"
GROUPS = frozenset({"user_id", "name", "roles", "image", "source"})
"""What a ``display_pattern`` may find, as named groups."""

_LONGEST_DISPLAY = 4000
_LONGEST = {"user_id": 255, "name": 255, "image": 2048, "source": 64}
_MOST_ROLES = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """``source`` is ``screen_share`` for a publisher that is only somebody's screen, else empty."""

    user_id: str
    name: str
    roles: tuple[str, ...] = ()
    image: str | None = None
    source: str = ""


def identify(display: str | None, feed: int | str, pattern: re.Pattern[str] | None = None) -> Identity:
    """What a display says.

    With a pattern that matches the whole text, its named groups count (roles separated by commas). Else a JSON object
    gives its members ``user_id``, ``name``, ``roles``, ``image`` and ``source``; any other text is name and user id
    at once. Who says nothing is known by the feed's number.
    """
    text = (display or "").strip()[:_LONGEST_DISPLAY]
    found = _by_pattern(text, pattern) if pattern is not None else None
    if found is None:
        found = _by_json(text)
    if found is None:
        found = {"name": text}
    given = {key: _text(found.get(key))[:longest] for key, longest in _LONGEST.items()}
    user_id = given["user_id"] or given["name"] or str(feed)
    image = given["image"] if given["image"].startswith(("https://", "http://")) else None
    return Identity(
        user_id=user_id,
        name=given["name"] or given["user_id"] or NAMELESS,
        roles=_roles(found.get("roles")),
        image=image,
        source=given["source"],
    )


def _by_pattern(text: str, pattern: re.Pattern[str]) -> dict[str, Any] | None:
    match = pattern.fullmatch(text)
    return match.groupdict() if match else None


def _by_json(text: str) -> dict[str, Any] | None:
    if not text.startswith("{"):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _text(value: object) -> str:
    """A member of the object as text; numbers are good user ids, everything else is not said."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return str(value).strip()


def _roles(value: object) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    roles = (_text(item)[:64] for item in items[:_MOST_ROLES])
    return tuple(dict.fromkeys(role for role in roles if role))
