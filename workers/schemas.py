"""JSON Schemas (draft 2020-12) of messages, events, settings and options of layouts, made from their models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from layouts.option import ALL
from layouts.option_schema import option_schema
from workers.calls.models import CallSettings
from workers.events.models import EVENTS
from workers.messages import MESSAGES
from workers.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SETTINGS: dict[str, type[BaseModel]] = {"worker": Settings, "call": CallSettings}
"""What operations set for a worker, and what a call backend sets for a call."""


def messages() -> dict[str, dict[str, Any]]:
    return {name: _schema(model, "validation") for name, model in MESSAGES.items()}


def events() -> dict[str, dict[str, Any]]:
    return {name: _schema(model, "serialization") for name, model in EVENTS.items()}


def settings() -> dict[str, dict[str, Any]]:
    return {name: _schema(model, "validation") for name, model in SETTINGS.items()}


def layouts() -> dict[str, dict[str, Any]]:
    """The options of each layout."""
    return {name: option_schema(name) for name in ALL}


KINDS = {"message": messages, "event": events, "settings": settings, "layout": layouts}


def _schema(model: type[BaseModel], mode: Any) -> dict[str, Any]:
    return {"$schema": DIALECT, **model.model_json_schema(mode=mode)}
