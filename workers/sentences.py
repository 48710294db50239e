"""From what pydantic finds wrong to sentences: which field, what is wrong with it, what is allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from egress.logs import is_telling
from workers.payload import field_name, shown

IDENTIFIER = r"^[A-Za-z0-9_-]{1,64}$"
"""Ids that senders may choose."""


class At(ValueError):
    """A problem with a field inside the one that is validated."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(problem)
        self.lines = [f"{field}: {problem}"]


class Inside(At):
    """Problems found by the validation of another model, told as sentences already."""

    def __init__(self, lines: Iterable[str]) -> None:
        ValueError.__init__(self, "cannot be used")
        self.lines = list(lines)

    def __str__(self) -> str:
        return "; ".join(self.lines)


def sentences(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One sentence a problem: which field, what is wrong with it, what is allowed."""
    told: dict[str, str] = {}
    inner: list[str] = []
    for problem in error.errors(include_url=False):
        where = ".".join(field_name(str(part)) for part in place(problem))
        cause = problem.get("ctx", {}).get("error")
        if isinstance(cause, At):
            inner.extend(f"{where}.{line}" if where else line for line in cause.lines)
        else:
            # One sentence a field: of several kinds that are allowed, the first is the usual one.
            told.setdefault(where, f"{where or 'the message'}: {_reason(dict(problem), model)}")
    return [*told.values(), *inner]


def place(problem: Mapping[str, Any]) -> list[int | str]:
    """Where a problem lies, field by field."""
    return [part for part in problem["loc"] if not _names_a_choice(part)]


def _names_a_choice(part: int | str) -> bool:
    """Whether pydantic means one of several allowed kinds by it, not a field."""
    return isinstance(part, str) and (part in ("int", "str", "float", "bool") or part.startswith("constrained-"))


def _reason(problem: dict[str, Any], model: type[BaseModel]) -> str:
    context: Mapping[str, Any] = problem.get("ctx", {})
    given = problem.get("input")
    quoted = "this value" if any(is_telling(str(part)) for part in problem["loc"]) else _quoted(given)
    match problem["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"is no known field; known are {', '.join(_names(model, problem['loc'][:-1]))}"
        case "literal_error" | "enum":
            return f"{quoted} is not allowed; allowed are {_list(context.get('expected', ''))}"
        case "string_pattern_mismatch" if context.get("pattern") == IDENTIFIER:
            return f"{quoted} is not allowed; allowed are 1 to 64 letters, digits, '_' and '-'"
        case "value_error":
            return str(context.get("error", problem["msg"]))
        case _:
            text = str(problem["msg"]).removeprefix("Value error, ")
            return f"{quoted} is not allowed: {text[:1].lower()}{text[1:]}"


def _names(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The fields of the model that lies at that place inside ``model``."""
    current: type[BaseModel] = model
    for part in location:
        field = current.model_fields.get(str(part))
        inner = model_of(field.annotation) if field else None
        if inner is None:
            break
        current = inner
    return list(current.model_fields)


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field holds, also where it may be null."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in getattr(annotation, "__args__", ()):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _quoted(value: object) -> str:
    if isinstance(value, str):
        return f"'{shown(value)}'"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)[:40]
    return "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else "this value"


def _list(expected: str) -> str:
    return expected.replace(" or ", ", ").replace("'", "")
