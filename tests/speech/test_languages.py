"""The documented languages, and no others."""

from __future__ import annotations

import pytest

from egress.speech.contract import SpeechError
from egress.speech.engines.ctranslate2 import FLORES
from egress.speech.languages import LANGUAGES, language, likeliest, target

DOCUMENTED = "en fr es de it nl pt pl ca cs da el fi id ja ru sv ta th tr hu ro zh ar tl he hi hr ko ms no uk"


def test_every_documented_language_is_taken():
    assert all(language(code) == code for code in [*DOCUMENTED.split(), "bg", "et", "sl", "sk"])
    assert len(LANGUAGES) == 36
    assert language("auto") is None
    assert set(FLORES) == set(LANGUAGES)


@pytest.mark.parametrize("code", ["xx", "EN", "en-US", "", "english", "to"])
def test_others_are_refused_by_name_with_what_is_allowed(code: str):
    with pytest.raises(SpeechError, match=f"language '{code}' is not supported; supported are auto, ar, bg"):
        language(code)


def test_what_is_detected_is_a_language_that_may_be_spoken_here():
    guesses = [("cy", 0.5), ("nl", 0.3), ("en", 0.1)]
    assert likeliest(guesses, ()) == ("nl", 0.3)
    assert likeliest(guesses, ("en", "de")) == ("en", 0.1)
    assert likeliest(guesses, ("de",)) == ("de", 0.0)


def test_nothing_is_translated_into_whatever_is_spoken():
    with pytest.raises(SpeechError, match="auto is no language to translate into"):
        target("auto")
