"""Engines by name: those of the entry points ``wallflower.speech_engines``."""

from __future__ import annotations

from importlib.metadata import entry_points

from egress.speech.contract import Engine, EngineSettings, SpeechError

GROUP = "wallflower.speech_engines"
"""Each entry point is called with EngineSettings and returns an Engine that is not loaded yet."""


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
