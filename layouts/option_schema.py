"""JSON Schema (draft 2020-12) of the options of a layout, made from the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from layouts.actions import COUNTS, MOST_ACTIONS
from layouts.filters import BY_KIND, PARTICIPANT, WORDS, Field
from layouts.option import CANONICAL, LayoutName, Option
from layouts.option_table import OPTIONS
from layouts.values import LONGEST_DATA_URL, LONGEST_TEXT, WIDEST_RATIO

_LENGTH = {"type": "string", "pattern": r"^\s*(0|(\d+\.?\d*|\.\d+)(px|rem|%|vw|vh|vmin|vmax))\s*$"}
_COLOR = {
    "type": "string",
    "pattern": r"^\s*(#([\dA-Fa-f]{3,4}|[\dA-Fa-f]{6}|[\dA-Fa-f]{8})|[rR][gG][bB][aA]?\([\d.,%/\s]+\)|[A-Za-z]+)\s*$",
}
_RATIO = {"type": "string", "pattern": r"^\s*[0-9]{1,5}(\.[0-9]{1,5})?(\s*[/:]\s*[0-9]{1,5}(\.[0-9]{1,5})?)?\s*$"}
_URL = {
    "type": "string",
    "maxLength": LONGEST_DATA_URL,
    "pattern": r"^\s*(none|[uU][rR][lL]\(.*\)|[hH][tT][tT][pP][sS]?://\S+|data:image/(png|jpeg|webp|gif);base64,\S+)?\s*$",
}
_WORDS = {"type": "string", "maxLength": 60, "pattern": r"^\s*\S+(\s+\S+)?\s*$"}
_AUTO = {"enum": ["auto", "initial"]}
_VALUE_OF = {"string": "string", "boolean": "boolean", "number": "number", "list": "string"}


def option_schema(layout: LayoutName) -> dict[str, Any]:
    """What may be given as options of a layout. The check refuses all that this does, and looks closer than it can.

    Options of other layouts are taken where a call may come to them, which a schema cannot say: none is forbidden here.
    """
    properties: dict[str, Any] = {}
    for option in OPTIONS:
        for name in option.names:
            properties[name] = _described(option, name, layout)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Options of {layout}",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "$defs": {
            "participant_filter": _filter("participant_filter", PARTICIPANT),
            "call_filter": _filter("call_filter", COUNTS),
            "action": _action(),
        },
    }


def _described(option: Option, name: str, layout: LayoutName) -> dict[str, Any]:
    told = f"{option.meaning}." + ("" if name == option.name else f" The same as {option.name}.")
    if layout not in option.layouts:
        told += f" Counts in {' and '.join(option.layouts)}."
    schema = {"description": told, **_value(option)}
    default = option.default_in(layout)
    return schema if default is None else {**schema, "default": default}


def _value(option: Option) -> dict[str, Any]:
    span = {"minimum": option.minimum, "maximum": option.maximum}
    number = {"type": "number", **span}
    match option.kind:
        case "boolean":
            return {"type": "boolean"}
        case "choice" | "layout":
            return {"enum": list(option.allowed)}
        case "integer":
            return {"type": "integer", **span}
        case "number":
            return number
        case "length" | "radius":
            return {"anyOf": [number, _LENGTH]}
        case "length or auto":
            return {"anyOf": [number, _LENGTH, _AUTO]}
        case "stroke":
            return {"anyOf": [{"type": "boolean"}, number, _LENGTH]}
        case "ratio":
            return {"anyOf": [{"type": "number", "minimum": 1 / WIDEST_RATIO, "maximum": WIDEST_RATIO}, _RATIO]}
        case "color":
            return _COLOR
        case "background size" | "background position":
            return _WORDS
        case "limit":
            return {"anyOf": [{"const": "dynamic"}, {"type": "integer", **span}]}
        case "text":
            return {"type": "string", "maxLength": LONGEST_TEXT}
        case "url":
            return _URL
        case "filter":
            return {"$ref": "#/$defs/participant_filter"}
        case "actions":
            return {"type": "array", "maxItems": MOST_ACTIONS, "items": {"$ref": "#/$defs/action"}}
    return {"type": "string"}


def _filter(name: str, fields: Mapping[str, Field]) -> dict[str, Any]:
    itself = {"$ref": f"#/$defs/{name}"}
    several = {"type": "array", "items": itself}
    return {
        "type": "object",
        "properties": {
            "$and": several,
            "$or": several,
            "$not": itself,
            **{field: _condition(about) for field, about in fields.items()},
        },
        "additionalProperties": False,
        "if": {"anyOf": [{"required": [word]} for word in WORDS]},
        "then": {"maxProperties": 1},
    }


def _condition(about: Field) -> dict[str, Any]:
    value = {"type": _VALUE_OF[about.kind]}
    operators = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "properties": {
            name: {"type": "array", "items": value} if name == "$in" else value for name in BY_KIND[about.kind]
        },
        "additionalProperties": False,
    }
    return operators if about.kind == "list" else {"anyOf": [value, operators]}


def _action() -> dict[str, Any]:
    def kind(name: str, required: str, properties: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "action_type": {"const": name},
                "condition": {"$ref": "#/$defs/call_filter"},
                **properties,
            },
            "required": ["action_type", "condition", required],
            "additionalProperties": False,
        }

    layout = {"layout": {"enum": list(CANONICAL)}, "ignore_screenshare": {"type": "boolean", "default": False}}
    return {
        "oneOf": [
            kind("layout_override", "layout", layout),
            kind("options_override", "options", {"options": {"$ref": "#"}}),
        ]
    }
