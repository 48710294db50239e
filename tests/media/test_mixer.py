"""The mix: sums, and a limit that pumps nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from egress.media.decode import SAMPLE_RATE, Samples
from egress.media.mixer import FADE, KNEE, Voice, mix, play, soft_limit
from tests.media.fakes import sine


class Played:
    """A source of given samples."""

    def __init__(self, sound: Samples) -> None:
        self.sound = sound

    def add_to(self, into: Samples, start: int) -> bool:
        part = self.sound[start : start + len(into)]
        into[: len(part)] += part
        return len(part) > 0


def mixed(*sounds: Samples) -> Samples:
    sources: list[Any] = [(f"s{n}", Played(s)) for n, s in enumerate(sounds)]
    return np.concatenate([mix(play(sources, n * 1600, 1600), 1600) for n in range(len(sounds[0]) // 1600)])


def amplitude(sound: Samples, frequency: float) -> float:
    t = np.arange(len(sound)) / SAMPLE_RATE
    return float(abs((sound[:, 0] * np.exp(-2j * np.pi * frequency * t)).mean()) * 2)


def test_voices_keep_their_own_level():
    sound = mixed(sine(1.0, 300, 0.3), sine(1.0, 500, 0.1), sine(1.0, 700, 0.2))
    for frequency, level in ((300, 0.3), (500, 0.1), (700, 0.2)):
        assert abs(amplitude(sound, frequency) - level) < 0.002


def test_a_quiet_voice_beside_a_loud_one_keeps_its_level_before_during_and_after():
    loud = sine(3.0, 300, 0.7)
    loud[:SAMPLE_RATE] = 0
    loud[2 * SAMPLE_RATE :] = 0
    sound = mixed(sine(3.0, 1000, 0.05), loud)
    levels = [amplitude(sound[n * SAMPLE_RATE : (n + 1) * SAMPLE_RATE], 1000) for n in range(3)]
    assert all(abs(20 * np.log10(level / 0.05)) < 0.2 for level in levels)


def test_a_mix_that_is_too_loud_bends_and_never_clips():
    sound = mixed(*(sine(0.5, f, 0.6) for f in (200, 300, 400, 500)))
    assert 0.9 < np.abs(sound).max() <= 1.0


def test_the_limit_is_the_same_curve_at_every_moment_and_without_a_corner():
    ramp = np.repeat(np.linspace(-4, 4, 8001, dtype=np.float32)[:, None], 2, axis=1)
    bent = soft_limit(ramp)[:, 0]
    steps = np.diff(bent)
    assert (steps >= 0).all()
    assert np.allclose(bent, -bent[::-1], atol=1e-6)
    quiet = np.abs(ramp[:, 0]) <= KNEE
    assert np.array_equal(bent[quiet], ramp[:, 0][quiet])
    assert steps.max() <= 0.001 + 1e-5
    assert np.abs(np.diff(steps)).max() < 2e-4


def test_nobody_is_silence():
    assert not mix([], 1600).any()
    assert mix([], 1600).shape == (1600, 2)


def voices(count: int = 1600) -> list[Voice]:
    return [Voice("anna", np.full((count, 2), 0.1, np.float32)), Voice("bert", np.full((count, 2), 0.2, np.float32))]


def test_a_mix_leaves_out_whom_it_is_not_to_hear_and_others_still_hear_them():
    played = voices()
    assert np.allclose(mix(played, 1600, {"bert"}, {"bert"}), 0.1)
    assert np.allclose(mix(played, 1600), 0.3)


def test_a_voice_that_is_silenced_goes_without_a_click_and_comes_back_without_one():
    going, coming = mix(voices(), 1600, set(), {"bert"}), mix(voices(), 1600, {"bert"}, set())
    for sound, first, last in ((going, 0.3, 0.1), (coming, 0.1, 0.3)):
        assert np.allclose([sound[0, 0], sound[FADE, 0], sound[-1, 0]], [first, last, last])
        assert np.abs(np.diff(sound[:, 0])).max() <= 0.2 / FADE + 1e-6


def test_a_source_that_nobody_hears_is_played_on_all_the_same():
    source: Any = Played(np.arange(3200, dtype=np.float32)[:, None].repeat(2, axis=1) / 10_000)
    first, second = (play([("anna", source)], start, 1600) for start in (0, 1600))
    assert not mix(first, 1600, {"anna"}, {"anna"}).any()
    assert np.isclose(mix(second, 1600)[0, 0], 0.16)
