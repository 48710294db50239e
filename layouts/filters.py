"""Conditions on participants and on calls, as filter objects write them: read once, asked often.

A filter is ``{"$and": [...]}``, ``{"$or": [...]}``, ``{"$not": {...}}``, or conditions by field, which must all hold.
A condition is a value that the field must equal, or an object with one operator. Beside one of the three words, or
beside an operator, nothing else may stand: readers differ on what that would mean, and some drop it without a word.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import attrgetter, ge, gt, le, lt
from typing import Any, Literal

from layouts.said import LayoutError, shown

Predicate = Callable[[Any], bool]
FieldKind = Literal["string", "boolean", "number", "list"]

OPERATORS = ("$eq", "$neq", "$in", "$contains", "$gt", "$gte", "$lt", "$lte")
WORDS = ("$and", "$or", "$not")
DEEPEST = 20
"""How deep filters may lie in each other."""
MOST = 1000
"""How many conditions a filter may have, those of its lists counted."""

_COMPARE = {"$gt": gt, "$gte": ge, "$lt": lt, "$lte": le}
BY_KIND: dict[FieldKind, tuple[str, ...]] = {
    "string": tuple(name for name in OPERATORS if name != "$contains"),
    "number": tuple(name for name in OPERATORS if name != "$contains"),
    "boolean": ("$eq", "$neq", "$in"),
    "list": ("$contains",),
}
"""The operators of each kind of field."""
_VALUES: dict[FieldKind, tuple[str, type | tuple[type, ...]]] = {
    "string": ("a string", str),
    "boolean": ("true or false", bool),
    "number": ("a number", (int, float)),
    "list": ("a string", str),
}
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Field:
    """What a filter may ask for: what values it has, and where it is found."""

    kind: FieldKind
    get: Callable[[Any], Any]


PARTICIPANT: Mapping[str, Field] = {
    "userId": Field("string", attrgetter("user_id")),
    "isSpeaking": Field("boolean", attrgetter("is_speaking")),
    "isDominantSpeaker": Field("boolean", attrgetter("is_dominant_speaker")),
    "name": Field("string", attrgetter("name")),
    "roles": Field("list", attrgetter("roles")),
    "isPinned": Field("boolean", attrgetter("is_pinned")),
    "hasVideo": Field("boolean", attrgetter("has_video")),
    "hasAudio": Field("boolean", attrgetter("has_audio")),
    "hasScreenShare": Field("boolean", attrgetter("has_screen_share")),
}
"""What may be asked of a ParticipantView."""


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter that was found good. ``source`` is as it was written."""

    source: str
    matches: Predicate = field(compare=False, repr=False)


def parse_filter(value: Any, path: str, fields: Mapping[str, Field] = PARTICIPANT) -> Filter:
    """The filter that ``value`` writes. ``path`` is where it stands.

    Raises LayoutError, with the path of the part and what is allowed there, for anything else.
    """
    return Filter(repr(value), _Reader(fields).filter(value, path, 0))


class _Reader:
    def __init__(self, fields: Mapping[str, Field]) -> None:
        self._fields = fields
        self._count = 0

    def filter(self, value: Any, path: str, depth: int) -> Predicate:
        self._counted(path)
        if depth > DEEPEST:
            raise LayoutError(path, f"lies deeper than {DEEPEST} filters in each other")
        if not isinstance(value, Mapping):
            raise LayoutError(path, f"must be a filter object, not {shown(value)}")
        word = next((word for word in WORDS if word in value), None)
        if word is not None and len(value) > 1:
            raise LayoutError(path, f"has {word} and more beside it: put all of it into the list of an $and")
        parts: list[Predicate] = []
        for name, inner in value.items():
            at = f"{path}[{shown(name)}]"
            if name in ("$and", "$or"):
                parts.append(self._several(name, inner, at, depth))
            elif name == "$not":
                parts.append(_negated(self.filter(inner, at, depth + 1)))
            else:
                parts.append(self._condition(name, inner, at))
        return _all(parts)

    def _several(self, word: str, value: Any, path: str, depth: int) -> Predicate:
        if not isinstance(value, list | tuple):
            raise LayoutError(path, f"must be a list of filters, not {shown(value)}")
        found = [self.filter(inner, f"{path}[{index}]", depth + 1) for index, inner in enumerate(value)]
        return _all(found) if word == "$and" else _any(found)

    def _condition(self, name: Any, value: Any, path: str) -> Predicate:
        self._counted(path)
        asked = self._fields.get(name) if isinstance(name, str) else None
        if asked is None:
            raise LayoutError(path, _unknown(name, (*self._fields, *WORDS), "a field of this filter"))
        if not isinstance(value, Mapping):
            if asked.kind == "list":
                raise LayoutError(path, f'is a list: ask {{"$contains": {shown(value)}}}')
            return _equals(asked.get, _checked(value, asked.kind, path))
        allowed = BY_KIND[asked.kind]
        read = []
        for operator, operand in value.items():
            at = f"{path}[{shown(operator)}]"
            if operator not in OPERATORS:
                raise LayoutError(at, _unknown(operator, allowed, f"an operator of {name}"))
            if operator not in allowed:
                raise LayoutError(at, f"is not for {name}; allowed are {', '.join(allowed)}")
            read.append(self._operator(operator, operand, asked, at))
        if not read:
            raise LayoutError(path, f"needs an operator: one of {', '.join(allowed)}")
        if len(read) > 1:
            each = ", ".join(f'{{"{name}": {{"{operator}": …}}}}' for operator in value)
            raise LayoutError(path, f'has {len(read)} operators and may have one: write {{"$and": [{each}]}}')
        return read[0]

    def _operator(self, operator: str, operand: Any, asked: Field, path: str) -> Predicate:
        get = asked.get
        if operator == "$in":
            if not isinstance(operand, list | tuple):
                raise LayoutError(path, f"must be a list, not {shown(operand)}")
            for index, each in enumerate(operand):
                self._counted(path)
                _checked(each, asked.kind, f"{path}[{index}]")
            members = frozenset(operand)
            return lambda of: get(of) in members
        wanted = _checked(operand, asked.kind, path)
        if operator == "$eq":
            return _equals(get, wanted)
        if operator == "$neq":
            return lambda of: bool(get(of) != wanted)
        if operator == "$contains":
            return lambda of: wanted in get(of)
        compare, bound = _COMPARE[operator], _comparable(wanted)
        if isinstance(wanted, str):
            return lambda of: _compared(compare, _comparable(get(of)), bound)
        return lambda of: bool(compare(get(of), bound))

    def _counted(self, path: str) -> None:
        self._count += 1
        if self._count > MOST:
            raise LayoutError(path, f"is one condition too many: a filter may have {MOST}")


def _all(found: list[Predicate]) -> Predicate:
    return found[0] if len(found) == 1 else lambda of: all(each(of) for each in found)


def _any(found: list[Predicate]) -> Predicate:
    return found[0] if len(found) == 1 else lambda of: any(each(of) for each in found)


def _negated(found: Predicate) -> Predicate:
    return lambda of: not found(of)


def _equals(get: Callable[[Any], Any], wanted: Any) -> Predicate:
    return lambda of: bool(get(of) == wanted)


def _checked(value: Any, kind: FieldKind, path: str) -> Any:
    said, types = _VALUES[kind]
    if not isinstance(value, types) or (kind == "number" and isinstance(value, bool)):
        raise LayoutError(path, f"must be {said}, not {shown(value)}")
    return value


def _comparable(value: Any) -> Any:
    """What is compared: a date as the seconds since 1970, anything else as itself."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            date = datetime.fromisoformat(value)
        except ValueError:  # the 31st of February
            return value
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    return value


def _compared(compare: Callable[[Any, Any], Any], one: Any, other: Any) -> bool:
    """A date and what is none have no order."""
    return isinstance(one, str) == isinstance(other, str) and bool(compare(one, other))


def _unknown(name: Any, allowed: tuple[str, ...], what: str) -> str:
    near = difflib.get_close_matches(str(name)[:80], allowed, 1, 0.5)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    return f"is not {what}. {hint}Allowed are {', '.join(allowed)}"
