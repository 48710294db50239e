"""EngineSettings as JSON, between a worker and its engine process."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from egress.speech.contract import EngineSettings, SpeechError
from egress.speech.languages import target


def to_json(settings: EngineSettings) -> str:
    told = dataclasses.asdict(settings)
    told["translators"] = {code: str(folder) for code, folder in settings.translators.items()}
    return json.dumps(told, sort_keys=True)


def from_json(text: str) -> EngineSettings:
    """Raises SpeechError (``invalid_engine_settings``, ``unsupported_language``)."""
    try:
        told = json.loads(text)
        folders = {target(code): Path(folder) for code, folder in told.pop("translators", {}).items()}
        languages = tuple(target(code) for code in told.pop("languages", ()))
        settings = EngineSettings(**told, languages=languages, translators=folders)
    except (ValueError, TypeError, AttributeError) as error:
        raise SpeechError("invalid_engine_settings", f"the settings of the speech engine are none: {error}") from error
    return checked(settings)


def checked(settings: EngineSettings) -> EngineSettings:
    """The settings, within their bounds. Raises SpeechError (``invalid_engine_settings``)."""
    for name, low, high in (
        ("threads", 1, 64),
        ("workers", 1, 16),
        ("beam_size", 1, 20),
        ("window", 6, 30),
        ("max_batch", 1, 64),
        ("batch_window", 0.0, 1.0),
        ("max_waiting", 2, 10_000),
        ("deadline", 1.0, 3600.0),
    ):
        value = getattr(settings, name)
        if name == "window" and value is None:
            continue
        if not isinstance(value, int | float) or not low <= value <= high:
            raise SpeechError("invalid_engine_settings", f"speech.{name} is {value!r}; allowed is {low} to {high}")
    return settings
