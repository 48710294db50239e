"""Sound laid on the common timeline: joined by time stamps, corrected without a click, as long as it really was."""

from __future__ import annotations

import numpy as np
import pytest

from egress.media.audio_source import AHEAD, CUT, MAX_STRETCH, MAX_WAITING, AudioSource
from egress.media.decode import SAMPLE_RATE, Samples
from egress.media.mixer import mix, play
from tests.media.fakes import FakeTrack, opus, sine

TICK = 1600
"""Samples of a tick at 30 a second."""
ORIGIN = 5000.0


@pytest.fixture(scope="module")
def tone() -> list[bytes]:
    return opus(sine(6.0, 440.0, 0.3))


class Heard:
    """A source fed in real time and read tick by tick, as the stage does."""

    def __init__(self) -> None:
        self.track = FakeTrack("audio", "opus", shift=4000.0)
        self.source = AudioSource(self.track)
        self.source.start()
        self.source.begin(0)
        self.ticks = 0

    def read(self, until: float) -> Samples:
        """The mix from where it was up to ``until`` (seconds of the timeline)."""
        parts = []
        while (self.ticks + 1) * TICK <= round(until * SAMPLE_RATE):
            when = ORIGIN + self.ticks * TICK / SAMPLE_RATE
            self.source.advance(when + 2 / 30, ORIGIN)
            parts.append(mix(play([("guest", self.source)], self.ticks * TICK, TICK), TICK))
            self.ticks += 1
        return np.concatenate(parts) if parts else np.zeros((0, 2), np.float32)


def frequency(sound: Samples) -> float:
    """By the crossings of zero."""
    left = sound[:, 0]
    rises = np.flatnonzero((left[:-1] < 0) & (left[1:] >= 0))
    exact = rises + left[rises] / (left[rises] - left[rises + 1])
    return float((len(exact) - 1) / (exact[-1] - exact[0]) * SAMPLE_RATE)


def largest_step(sound: Samples) -> float:
    return float(np.abs(np.diff(sound[:, 0])).max())


SLOPE = 2 * np.pi * 440 / SAMPLE_RATE * 0.3
"""Largest difference of neighbouring samples in the tone."""


def test_packets_are_joined_without_a_seam(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone):
        heard.track.feed(data, ORIGIN + n * 0.02)
    sound = heard.read(5.0)[4800:]
    assert abs(frequency(sound) - 440) < 0.5
    assert largest_step(sound) < SLOPE * 1.3
    assert heard.source.cuts == 0


def test_sound_lies_where_its_time_stamp_says(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone[:20]):
        heard.track.feed(data, ORIGIN + 1.0 + n * 0.02)
    sound = heard.read(3.0)
    begins = np.flatnonzero(np.abs(sound[:, 0]) > 0.02)
    assert abs(begins[0] - SAMPLE_RATE) < 480
    assert abs(begins[-1] - 1.4 * SAMPLE_RATE) < 480
    assert not sound[: SAMPLE_RATE - 10].any()


@pytest.mark.parametrize("gap", [5, 50])
def test_silence_that_is_not_sent_lasts_as_long_as_it_did(tone: list[bytes], gap: int):
    heard = Heard()
    for n, data in enumerate(tone[:100]):
        if not 25 <= n < 25 + gap:
            heard.track.feed(data, ORIGIN + n * 0.02)
    sound = heard.read(2.0)
    start, end = (25 * 960), round((25 + gap) * 960)
    assert not sound[start + 5 : end - 5].any()
    assert np.abs(sound[start - 480 : start]).max() > 0.25
    assert np.abs(sound[end + 240 : end + 720]).max() > 0.25
    assert largest_step(sound[end - 20 : end + 400]) < SLOPE * 1.5, "sound after a gap is faded in"


@pytest.mark.parametrize("ppm", [300, -300])
def test_drift_is_stretched_away_without_changing_the_tone(tone: list[bytes], ppm: int):
    heard = Heard()
    parts = []
    for n, data in enumerate(tone):
        heard.track.feed(data, ORIGIN + n * 0.02, rtp_time=48_000_000 + 960 * n)
        heard.track.clock.shift += 0.02 * ppm / 1e6
        parts.append(heard.read(n * 0.02 - 0.2))
    sound = np.concatenate(parts)[4800:]
    assert abs(frequency(sound) / 440 - 1) < 0.005
    assert largest_step(sound) < SLOPE * 1.3
    assert heard.source.cuts == 0


def test_a_correction_of_forty_milliseconds_is_neither_heard_nor_cut(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone):
        heard.track.feed(data, ORIGIN + n * 0.02)
    before = heard.read(1.0)
    heard.track.clock.shift += 0.04
    sound = np.concatenate([before, heard.read(5.0)])[4800:]
    assert heard.source.cuts == 0
    assert abs(frequency(sound) / 440 - 1) < MAX_STRETCH
    assert largest_step(sound) < SLOPE * 1.3
    # Four seconds at half a percent leave it half corrected at most, and never beyond.
    assert 0 < heard.source._position / SAMPLE_RATE % 0.02 <= 0.0201


def test_a_large_error_is_cut_once(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone):
        heard.track.feed(data, ORIGIN + n * 0.02)
    heard.read(1.0)
    heard.track.clock.shift += CUT + 0.1
    heard.read(3.0)
    assert heard.source.cuts == 1


def test_sound_that_comes_too_late_is_counted_and_not_played_over_what_follows(tone: list[bytes]):
    heard = Heard()
    assert not heard.read(1.0).any()
    for n in range(10):
        heard.track.feed(tone[n], ORIGIN + n * 0.02)
    later = heard.read(1.5)
    assert not later.any()
    assert heard.source.late_samples > 8000


def test_a_packet_that_comes_twice_is_played_once(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone[:100]):
        heard.track.feed(data, ORIGIN + n * 0.02)
        if n % 10 == 5:
            heard.track.feed(tone[n - 1], ORIGIN + (n - 1) * 0.02)
    sound = heard.read(1.9)[4800:]
    assert 0.25 < np.abs(sound).max() < 0.33
    assert heard.source.cuts == 0


def test_damaged_packets_leave_silence_and_are_counted(tone: list[bytes]):
    heard = Heard()
    for n, data in enumerate(tone[:50]):
        heard.track.feed(b"\xff\xff\xff" if n in (20, 21) else data, ORIGIN + n * 0.02)
    sound = heard.read(1.0)
    assert heard.source.decode_errors == 2
    assert not sound[20 * 960 + 5 : 22 * 960 - 5].any()
    assert np.abs(sound[23 * 960 : 24 * 960]).max() > 0.25


def test_what_waits_is_bounded_and_the_newest_is_kept(tone: list[bytes]):
    heard = Heard()
    for n in range(MAX_WAITING + 10):
        heard.track.feed(tone[0], ORIGIN + n * 0.02)
    assert len(heard.source._waiting) == MAX_WAITING
    assert heard.source.overflowed == 10


def test_levels_are_told_where_packets_carry_none(tone: list[bytes]):
    heard = Heard()
    for n in range(20):
        heard.track.feed(tone[n], ORIGIN + n * 0.02, level=30 if n < 10 else None)
    heard.read(0.1)
    assert not heard.source.unlevelled
    heard.read(0.4)
    assert heard.source.unlevelled
    assert abs(20 * np.log10(heard.source.level) - 20 * np.log10(0.3 / np.sqrt(2))) < 1
    assert heard.source.level_time == pytest.approx(ORIGIN + 0.38)


def test_packets_of_an_older_line_of_time_stamps_do_not_stop_what_follows(tone: list[bytes]):
    heard = Heard()
    heard.track.feed(tone[0], ORIGIN)
    heard.track.clock.shift += 3600
    for n in range(100):
        heard.track.feed(tone[n], ORIGIN + 1 + n * 0.02)
    sound = heard.read(1 + AHEAD + 1)
    assert np.abs(sound[-TICK * 10 :]).max() > 0.25


def test_a_source_that_stopped_listening_plays_what_it_had(tone: list[bytes]):
    heard = Heard()
    for n in range(25):
        heard.track.feed(tone[n], ORIGIN + n * 0.02)
    heard.source.stop()
    heard.source.stop()
    assert not heard.track.listened
    assert np.abs(heard.read(0.4)[9600:]).max() > 0.25
