"""Settings laid over settings: objects field by field, everything else whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_WHOLE = frozenset({"layout", "options", "video_encoding_options"})
"""Objects that are replaced, not mixed: a layout goes with its options, and the others have names of their own."""


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid over ``base``; neither is changed."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        if _mixes(name, value) and isinstance(below, Mapping):
            result[name] = merged(below, value)
        else:
            result[name] = value
    return result


def leaves(value: Mapping[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every value that :func:`merged` would lay over another one, with the names that lead to it."""
    for name, inner in value.items():
        if _mixes(name, inner):
            yield from leaves(inner, (*place, name))
        else:
            yield (*place, name), inner


def at(value: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    """What lies there; None when nothing does."""
    found: Any = value
    for name in place:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def without(value: Mapping[str, Any], place: tuple[str | int, ...]) -> dict[str, Any]:
    """The same without what lies there."""
    result = dict(value)
    name, rest = str(place[0]), place[1:]
    inner = result.get(name)
    if rest and isinstance(inner, Mapping) and rest[0] in inner:
        result[name] = without(inner, rest)
    else:
        result.pop(name, None)
    return result


def _mixes(name: str, value: Any) -> bool:
    return isinstance(value, Mapping) and name not in _WHOLE
