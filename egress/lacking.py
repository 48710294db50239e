"""Which languages are wanted that the engine does not know, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from egress.speech.languages import NOT_UNDERSTOOD, not_understood
from egress.speech.recognizer import RecognizerSettings

NOT_TRANSLATED = "language_not_translated"


def lacking(wanted: RecognizerSettings, engine: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Code, language and sentence of each. ``engine`` is what it says of itself."""
    spoken = wanted.language
    if (why := not_understood(spoken, engine.get("languages", []))) is not None:
        yield NOT_UNDERSTOOD, spoken, why
    for target in wanted.translate_to:
        if target != spoken and target not in engine.get("translates_to", []):
            yield (
                NOT_TRANSLATED,
                target,
                f"nothing here translates into '{target}': name a translation model as speech.translators.{target}",
            )
