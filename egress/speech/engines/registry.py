"""Engines by name: those of the entry points ``wallflower.speech_engines`` and ``wallflower.translation_engines``."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from pathlib import Path

from egress.speech.contract import Engine, EngineSettings, SpeechError, TranslationEngine

GROUP = "wallflower.speech_engines"
"""Each entry point is called with EngineSettings and returns an Engine that is not loaded yet."""
TRANSLATORS = "wallflower.translation_engines"
"""Each entry point is called with a target language, a folder and EngineSettings and returns a TranslationEngine."""


def engine_names() -> list[str]:
    """The names that ``engine`` may have."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def engine(settings: EngineSettings) -> Engine:
    """The engine that the settings name, not loaded. Raises SpeechError (``unknown_engine``, ``engine_unusable``)."""
    for entry in entry_points(group=GROUP):
        if entry.name == settings.engine:
            try:
                made: Engine = entry.load()(settings)
            except ImportError as error:
                raise SpeechError(
                    "engine_unusable", f"the speech engine {settings.engine} cannot be loaded: {error}"
                ) from error
            return made
    raise SpeechError(
        "unknown_engine",
        f"the speech engine {settings.engine[:80]!r} is unknown; known are {', '.join(engine_names())}",
    )


def translator(target: str, folder: Path, settings: EngineSettings) -> TranslationEngine:
    """What translates into ``target`` with the model in ``folder``, not loaded. Raises SpeechError.

    A file ``wallflower.json`` in the folder may name another engine: ``{"engine": "..."}``.
    """
    name = _translator_name(folder)
    for entry in entry_points(group=TRANSLATORS):
        if entry.name == name:
            made: TranslationEngine = entry.load()(target, folder, settings)
            return made
    known = ", ".join(sorted(entry.name for entry in entry_points(group=TRANSLATORS)))
    raise SpeechError("unknown_engine", f"the translation engine {name[:80]!r} is unknown; known are {known}")


def _translator_name(folder: Path) -> str:
    try:
        told = json.loads((folder / "wallflower.json").read_text())
        return str(told["engine"])
    except FileNotFoundError:
        return "ctranslate2"
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SpeechError("model_broken", f"wallflower.json in {folder} cannot be read: {error}") from error
