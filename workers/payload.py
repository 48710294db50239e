"""Bounds on what a message may be made of, checked before anything else looks at it."""

from __future__ import annotations

import json
import math
from typing import Any

from workers.refused import BadMessage

MAX_DEPTH = 16
MAX_VALUES = 2_000
MAX_TEXT = 8_192
"""Characters in one string."""
MAX_TOTAL = 65_536
"""Characters in all strings together."""
MAX_INTEGER = 2**63 - 1


def decode(text: str | bytes) -> dict[str, Any]:
    """A JSON object from text. Raises BadMessage."""
    if len(text) > 4 * MAX_TOTAL:
        raise BadMessage(f"the message has {len(text)} bytes; at most {4 * MAX_TOTAL} are allowed")
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadMessage(f"the message is not JSON: {str(error)[:200]}") from None
    return check(value)


def check(payload: object) -> dict[str, Any]:
    """The payload itself, when it is a JSON object within bounds. Raises BadMessage naming the field that is not."""
    if not isinstance(payload, dict):
        raise BadMessage(f"the message must be a JSON object, not {_kind(payload)}")
    values = total = 0
    stack: list[tuple[str, object, int]] = [("", payload, 0)]
    while stack:
        where, value, depth = stack.pop()
        values += 1
        if values > MAX_VALUES:
            raise BadMessage(f"the message holds more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            raise BadMessage(f"{where}: is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, str):
            total += _text(where, value)
        elif isinstance(value, bool) or value is None:
            continue
        elif isinstance(value, int):
            if abs(value) > MAX_INTEGER:
                raise BadMessage(f"{where}: is a number beyond ±2^63")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise BadMessage(f"{where}: must be a finite number")
        elif isinstance(value, list):
            stack.extend((f"{where}[{i}]", v, depth + 1) for i, v in enumerate(value[: MAX_VALUES + 1]))
        elif isinstance(value, dict):
            for key, inner in list(value.items())[: MAX_VALUES + 1]:
                if not isinstance(key, str):
                    raise BadMessage(f"{where or 'the message'}: has a name that is {_kind(key)}, not a string")
                total += _text(f"a name in {where or 'the message'}", key)
                stack.append((_inside(where, key), inner, depth + 1))
        else:
            raise BadMessage(f"{where}: is {_kind(value)}, which JSON does not have")
        if total > MAX_TOTAL:
            raise BadMessage(f"the message holds more than {MAX_TOTAL} characters")
    return payload


def shown(text: str) -> str:
    """Text from outside as it may stand in a sentence or a log line."""
    short = text if len(text) <= 80 else text[:77] + "..."
    return "".join(c if c.isprintable() else "?" for c in short)


def field_name(key: str) -> str:
    """A field's name before a colon: in quotes where it is blank, or has a colon of its own."""
    return shown(key) if key.strip() and ":" not in key else json.dumps(shown(key), ensure_ascii=False)


def _inside(where: str, key: str) -> str:
    return f"{where}.{field_name(key)}" if where else field_name(key)


def _text(where: str, value: str) -> int:
    if len(value) > MAX_TEXT:
        raise BadMessage(f"{where}: has {len(value)} characters; at most {MAX_TEXT} are allowed")
    if "\0" in value:
        raise BadMessage(f"{where}: holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadMessage(f"{where}: holds half a surrogate pair, which is not text") from None
    return len(value)


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    names |= {int: "a number", float: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")
