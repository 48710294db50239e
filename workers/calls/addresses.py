"""Addresses of rooms: checked by the connector that they name, sealed on queues, made of templates."""

from __future__ import annotations

import string
from typing import Any

from pydantic import BaseModel, ValidationError

from egress.call.connector import ConnectorError, connector, connector_types
from egress.sealing import Keyring, SealError
from workers.calls.projects import Projects, resolved
from workers.payload import shown
from workers.sentences import At, Inside, sentences

FIELDS = ("call_id", "call_type", "call_cid")
"""What a template may have filled in."""


def check_address(value: dict[str, Any], projects: Projects | None) -> dict[str, Any]:
    """The address itself, when its connector can use it. Raises At.

    Without ``projects`` an address that names one is not checked further than can be done without them.
    """
    type_ = value.get("type")
    if not isinstance(type_, str):
        raise At("type", f"must name a connector; known are {', '.join(connector_types())}")
    try:
        found = connector(type_)
    except ConnectorError:
        known = ", ".join(connector_types())
        raise At("type", f"'{shown(type_)}' is no connector; known are {known}") from None
    address: type[BaseModel] = found.Address
    whole = resolved(value, projects)
    if whole.get("project") is not None and "project" not in address.model_fields:
        return value
    try:
        address.model_validate(whole)
    except ValidationError as error:
        raise Inside(sentences(error, address)) from None
    return value


def sealed(value: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """The address as it may lie on a queue: only its type can be read."""
    if "sealed" in value:
        return value
    return {"type": value.get("type"), "sealed": keyring.seal({k: v for k, v in value.items() if k != "type"})}


def is_sealed(value: dict[str, Any]) -> bool:
    return "sealed" in value


def opened(value: dict[str, Any], keyring: Keyring) -> dict[str, Any]:
    """The address that was sealed. Raises At."""
    token, type_ = value["sealed"], value.get("type")
    if set(value) - {"type", "sealed"}:
        raise At("sealed", "only 'type' may stand beside it")
    if not isinstance(type_, str):
        raise At("type", f"must name a connector; known are {', '.join(connector_types())}")
    if not isinstance(token, str) or not token.isascii():
        raise At("sealed", "must be a Fernet token of the rest of the address as JSON")
    try:
        return {**keyring.open(token), "type": type_}
    except SealError as error:
        raise At("sealed", str(error)) from None


def filled(template: Any, cid: str) -> Any:
    """A template with the call's names filled in, in every string of it; other values stay. Raises ValueError."""
    type_, _, id_ = cid.partition(":")
    return _filled(template, {"call_id": id_, "call_type": type_, "call_cid": cid})


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner, names) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, names) for inner in value]
    return _text(value, names) if isinstance(value, str) else value


def _text(template: str, names: dict[str, str]) -> str:
    """Names alone are filled in: str.format would also reach into what they hold."""
    out: list[str] = []
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError:
        raise ValueError(f"{shown(template)!r} has a brace without its other half; {{{{ and }}}} are braces") from None
    for literal, field, spec, conversion in parts:
        out.append(literal)
        if field is None:
            continue
        if field not in names or spec or conversion:
            allowed = ", ".join(f"{{{name}}}" for name in FIELDS)
            raise ValueError(f"'{{{shown(field)}}}' cannot be filled in; allowed are {allowed}, and {{{{ for a brace")
        out.append(names[field])
    return "".join(out)
