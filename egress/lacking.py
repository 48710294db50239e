"""Which languages are wanted that the engine does not know, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from egress.speech.languages import AUTO
from egress.speech.recognizer import RecognizerSettings

NOT_UNDERSTOOD = "language_not_understood"
NOT_TRANSLATED = "language_not_translated"


def lacking(wanted: RecognizerSettings, engine: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Code, language and sentence of each. ``engine`` is what it says of itself."""
    spoken, known = wanted.language, engine.get("languages", [])
    if spoken != AUTO and known and spoken not in known:
        yield (
            NOT_UNDERSTOOD,
            spoken,
            f"the model of this site does not understand '{spoken}', only {', '.join(known)}: what is written "
            "will be wrong; start with another language, or name another speech.model",
        )
    for target in wanted.translate_to:
        if target != spoken and target not in engine.get("translates_to", []):
            yield (
                NOT_TRANSLATED,
                target,
                f"nothing here translates into '{target}': name a translation model as speech.translators.{target}",
            )
