"""No inventions, and no real speech taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from egress.speech.contract import SAMPLE_RATE, Scores
from egress.speech.guards import LanguageLock, believed, compression, doubtful, without_repeats, worth_asking
from tests.speech.sounds import noise, sentences

SURE = Scores(no_speech=0.01, log_prob=-0.2, compression=1.1)


def test_speech_is_worth_asking_however_low_it_is():
    for sentence in sentences():
        quiet = sentence.spoken * (0.01 / np.abs(sentence.spoken).max())
        assert worth_asking(quiet, 1.0, len(quiet) / SAMPLE_RATE)


def test_silence_and_a_little_speech_in_much_else_are_not():
    assert not worth_asking(noise(3, -75), 2.0, 3.0)
    assert not worth_asking(noise(9, -20), 0.5, 9.0)
    assert not worth_asking(noise(3, -20), 0.05, 0.1)
    assert not worth_asking(np.zeros(0, np.float32), 1.0, 1.0)


@pytest.mark.parametrize("text", ["Thank you.", "Bye.", "All right.", "you", "Ja.", "Untertitel", "はい", "1"])
def test_what_people_say_is_believed_also_where_models_like_to_invent_it(text: str):
    assert believed(text, SURE, 0.6)


@pytest.mark.parametrize(
    "scores",
    [
        Scores(no_speech=0.8, log_prob=-1.2),
        Scores(no_speech=0.99, log_prob=-0.6),
        Scores(log_prob=-1.6),
        Scores(log_prob=-0.1, compression=3.0),
    ],
)
def test_what_an_engine_is_not_sure_of_is_no_text(scores: Scores):
    assert not believed("Thanks for watching!", scores, 3.0)


@pytest.mark.parametrize("text", ["", " ", "...", "♪", "[ ]", "?!"])
def test_signs_without_letters_are_no_text(text: str):
    assert not believed(text, SURE, 1.0)


def test_more_words_than_anybody_can_say_are_not_believed():
    assert not believed("one two three four five six seven eight nine ten", SURE, 0.5)
    assert believed("one two three four five six seven eight nine ten", SURE, 3.0)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("no no no", "no no no"),
        ("no no no no no no no", "no"),
        ("I think so. I think so. I think so. I think so. I think so.", "I think so."),
        ("go on and on and on", "go on and on and on"),
        ("Yes, yes, YES, yes. yes", "Yes,"),
        ("eins zwei drei", "eins zwei drei"),
    ],
)
def test_phrases_are_said_once_that_follow_themselves_too_often(text: str, kept: str):
    assert without_repeats(text) == kept


def test_repeats_are_seen_where_no_spaces_are_written():
    assert without_repeats("はいはいはいはいはい", "ja") == "はい"
    assert without_repeats("ははは", "ja") == "ははは"


def test_a_text_that_repeats_itself_is_tried_again():
    text = "and then we went " * 12
    assert doubtful(Scores(log_prob=-0.1, compression=compression(text)))
    assert not doubtful(Scores(log_prob=-0.1, compression=compression("the first deadline is twelve")))
    assert not doubtful(Scores(no_speech=0.9, log_prob=-1.5))


def test_the_first_language_that_is_sure_stays():
    lock = LanguageLock()
    lock.heard("ann", "nl", Scores(language=0.5), 4.0)
    lock.heard("ann", "fi", Scores(language=0.9), 0.4)
    assert lock.of("ann") is None
    lock.heard("ann", "de", Scores(language=0.9), 3.0)
    lock.heard("ann", "en", Scores(language=0.99), 9.0)
    lock.heard("bob", "en", Scores(language=0.99), 9.0)
    assert (lock.of("ann"), lock.of("bob")) == ("de", "en")
    lock.forget()
    assert lock.of("ann") is None
