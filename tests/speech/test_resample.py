"""From 48 to 16 kHz: what can be heard stays, what cannot be held does not come back as something else."""

from __future__ import annotations

import numpy as np
import pytest

from egress.speech.contract import SAMPLE_RATE
from egress.speech.resample import IN_RATE, Decimator


def sine(frequency: float, seconds: float = 0.5) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * IN_RATE)) / IN_RATE).astype(np.float32)


@pytest.mark.parametrize("frequency", [100, 1000, 3000, 6000])
def test_tones_of_speech_keep_their_strength(frequency: int):
    made = Decimator().take(sine(frequency))[100:]
    assert np.sqrt(2 * np.mean(made**2)) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("frequency", [10_000, 15_000, 20_000])
def test_tones_above_are_not_folded_into_speech(frequency: int):
    made = Decimator().take(sine(frequency))[100:]
    assert np.abs(made).max() < 0.01


def test_pieces_make_the_same_sound_as_the_whole():
    sound = sine(440) + sine(1234)
    whole = Decimator().take(sound)
    piecewise = Decimator()
    pieces = []
    at = 0
    for size in (1, 2, 7, 960, 100, 959, 3, 5000):
        pieces.append(piecewise.take(sound[at : at + size]))
        at += size
    pieces.append(piecewise.take(sound[at:]))
    assert np.allclose(np.concatenate(pieces), whole, atol=1e-5)
    assert len(whole) == pytest.approx(len(sound) * SAMPLE_RATE / IN_RATE, abs=32)
