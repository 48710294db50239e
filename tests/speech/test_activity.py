"""The detector: hears speech, hears nothing else, and keeps each track's own memory."""

from __future__ import annotations

import numpy as np
import pytest

from egress.speech.activity import WINDOW, Detector, Voice
from egress.speech.contract import Sound
from tests.speech.sounds import music, noise, sentences, tone


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


def windows(sound: Sound) -> Sound:
    return sound[: len(sound) // WINDOW * WINDOW].reshape(-1, WINDOW)


def test_speech_is_heard_where_it_is(detector: Detector):
    for sentence in sentences():
        told = detector.probabilities(Voice(), windows(sentence.sound))
        first, last = (round(at * 16_000 / WINDOW) for at in (sentence.start, sentence.end))
        assert (told[first + 2 : last - 2] > 0.35).mean() > 0.75
        assert (told[: max(first - 2, 0)] < 0.5).all()


@pytest.mark.parametrize(
    "sound",
    [np.zeros(64_000, np.float32), tone(4, 440), tone(4, 1000, 0.8), noise(4, -20), noise(4, -50), music(8)],
    ids=["silence", "tone", "loud tone", "loud noise", "noise", "music"],
)
def test_what_is_no_speech_is_not_heard_as_speech(detector: Detector, sound: Sound):
    told = detector.probabilities(Voice(), windows(sound))
    assert (told > 0.5).mean() < 0.05


def test_windows_one_by_one_are_judged_like_all_at_once(detector: Detector):
    sound = windows(sentences()[0].sound)
    whole = detector.probabilities(Voice(), sound)
    voice = Voice()
    single = np.concatenate([detector.probabilities(voice, sound[n : n + 1]) for n in range(len(sound))])
    assert np.allclose(whole, single, atol=1e-4)


def test_tracks_that_take_turns_do_not_disturb_each_other(detector: Detector):
    one, other = windows(sentences()[0].sound), windows(sentences()[1].sound)
    alone = detector.probabilities(Voice(), one)
    mine, theirs = Voice(), Voice()
    beside = []
    for n in range(0, len(one) - 3, 3):
        beside.append(detector.probabilities(mine, one[n : n + 3]))
        detector.probabilities(theirs, other[n : n + 3] if n + 3 <= len(other) else other[:3])
    told = np.concatenate(beside)
    assert np.allclose(told, alone[: len(told)], atol=1e-4)
