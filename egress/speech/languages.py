"""The languages that may be asked for: the documented list, and ``auto``."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from egress.speech.contract import SpeechError

AUTO = "auto"
NOT_UNDERSTOOD = "language_not_understood"
"""Code of a language that may be asked for and that the loaded model does not know."""
LANGUAGES = {
    "ar": "Arabic",
    "bg": "Bulgarian",
    "ca": "Catalan",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "ms": "Malay",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sv": "Swedish",
    "ta": "Tamil",
    "th": "Thai",
    "tl": "Tagalog",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "zh": "Chinese",
}
"""ISO 639-1 codes and English names."""
UNSPACED = frozenset({"ja", "th", "zh"})
"""Written without spaces between words."""


def language(code: str) -> str | None:
    """The code, or None for ``auto``. Raises SpeechError (``unsupported_language``) naming what may be asked for."""
    if code == AUTO:
        return None
    if code in LANGUAGES:
        return code
    raise SpeechError(
        "unsupported_language",
        f"language {code[:40]!r} is not supported; supported are auto, {', '.join(LANGUAGES)}",
    )


def not_understood(code: str, known: Collection[str]) -> str | None:
    """What to do where a model that knows the languages ``known`` is to hear ``code``; None where it can.

    What is to be found out (``auto``) is one that it knows. A model of which no language is known is not doubted.
    """
    if code == AUTO or not known or code in known:
        return None
    return (
        f"the speech model here does not understand '{code}', only {', '.join(sorted(known))}: name one of these or "
        "auto, or have a model loaded that understands it (speech.model in the settings)"
    )


def likeliest(guesses: Iterable[tuple[str, float]], among: Sequence[str]) -> tuple[str, float]:
    """The first of guesses (code and probability, the best first) that may be spoken; at 0 where none may.

    ``among`` are the languages that may; none named is all of LANGUAGES.
    """
    allowed = among or LANGUAGES
    return next((guess for guess in guesses if guess[0] in allowed), (among[0] if among else "en", 0.0))


def target(code: str) -> str:
    """A language to translate into. Raises SpeechError (``unsupported_language``)."""
    found = language(code)
    if found is None:
        raise SpeechError("unsupported_language", "auto is no language to translate into")
    return found
