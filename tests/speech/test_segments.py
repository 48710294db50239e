"""Segments close where people pause, are never longer than allowed, and say when speech was."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.speech.activity import WINDOW, WINDOW_SECONDS
from egress.speech.contract import SAMPLE_RATE, Segmenting, Sound, SpeechError
from egress.speech.segments import LEAST_VOICED, PRE_ROLL, Segmenter, Speech
from tests.speech.sounds import noise, tone

LOUD: Sound = tone(0.5, 300, 0.4)[:WINDOW]
QUIET: Sound = noise(0.5, -70)[:WINDOW]


class Told:
    """Windows of speech and of quiet in a row, from second 1000 on."""

    def __init__(self, segmenting: Segmenting | None = None) -> None:
        self.segmenter = Segmenter(segmenting or Segmenting())
        self.now = 1000.0
        self.closed: list[Speech] = []

    def speak(self, seconds: float) -> Told:
        return self._push(seconds, LOUD, 0.9)

    def pause(self, seconds: float) -> Told:
        return self._push(seconds, QUIET, 0.05)

    def nothing(self, seconds: float) -> Told:
        """Nothing is sent."""
        self.now += seconds
        self.closed += self.segmenter.silence(self.now)
        return self

    def _push(self, seconds: float, samples: Sound, probability: float) -> Told:
        for _ in range(round(seconds / WINDOW_SECONDS)):
            self.closed += self.segmenter.push(self.now, samples, probability)
            self.now += WINDOW_SECONDS
        return self


@pytest.mark.parametrize("silence", [300, 700, 2000])
def test_silence_closes_a_segment_when_it_is_as_long_as_set(silence: int):
    told = Told(Segmenting(silence_duration_ms=silence)).pause(1).speak(2)
    spoken_until = told.now
    while not told.closed:
        told.pause(WINDOW_SECONDS)
        assert told.now < spoken_until + 3
    assert told.now - spoken_until == pytest.approx(silence / 1000, abs=WINDOW_SECONDS)
    [speech] = told.closed
    assert speech.start == pytest.approx(spoken_until - 2, abs=0.05)
    assert speech.end == pytest.approx(spoken_until, abs=0.05)
    assert not speech.open_start
    assert not speech.open_end


def test_a_pause_shorter_than_set_stays_inside():
    told = Told().pause(1).speak(1).pause(0.5).speak(1).pause(1)
    [speech] = told.closed
    assert speech.end - speech.start == pytest.approx(2.5, abs=0.1)


def test_silence_that_is_not_sent_closes_like_silence_that_is():
    told = Told().pause(1).speak(2)
    until = told.now
    told.nothing(5).speak(1).nothing(5)
    assert [round(s.end - s.start, 1) for s in told.closed] == [2.0, 1.0]
    assert told.closed[0].end == pytest.approx(until, abs=0.05)
    assert told.closed[1].start == pytest.approx(until + 5, abs=0.05)


@pytest.mark.parametrize("gap", [0.192, 0.4])
def test_sound_lies_where_it_was_through_a_gap_inside_a_segment(gap: float):
    told = Told().pause(1).speak(0.992).nothing(gap).speak(0.992).pause(1)
    [speech] = told.closed
    assert len(speech.samples) / SAMPLE_RATE == pytest.approx(1.984 + gap + PRE_ROLL + 0.24, abs=0.07)
    middle = round((PRE_ROLL + 0.992 + gap / 2) * SAMPLE_RATE)
    assert not speech.samples[middle - 600 : middle + 600].any()


def test_the_soft_beginning_before_the_first_word_is_in_the_sound():
    told = Told().pause(2).speak(1).pause(1)
    [speech] = told.closed
    assert speech.start - speech.audio_start == pytest.approx(PRE_ROLL, abs=0.04)


def test_a_click_is_no_speech():
    told = Told().pause(1).speak(LEAST_VOICED / 2).pause(2)
    assert told.closed == []
    assert not told.segmenter.speaking


@pytest.mark.parametrize("longest", [5000, 9000, 10_000])
def test_who_speaks_on_is_cut_at_the_widest_gap(longest: int):
    """Pauses of 96 ms each second, and one of 192 ms."""
    told = Told(Segmenting(max_speech_caption_ms=longest)).pause(1)
    begin = told.now
    seconds = longest / 1000
    wide = begin + 0.6 * seconds
    while told.now < begin + 30 and not told.closed:
        told.speak(0.8).pause(0.192 if abs(told.now - wide) < 0.5 else 0.096)
    first = told.closed[0]
    assert not first.open_end
    assert first.end - first.start <= seconds
    assert first.end == pytest.approx(wide, abs=1.0)
    told.speak(1).pause(1)
    second = told.closed[1]
    gap = second.start - first.end
    assert gap == pytest.approx(0.192, abs=0.05)


def test_nothing_is_lost_or_said_twice_where_a_segment_is_cut():
    told = Told(Segmenting(max_speech_caption_ms=5000)).pause(1)
    begin = told.now
    for _ in range(30):
        told.speak(0.704).pause(0.16)
    until = told.now
    told.pause(1)
    voiced = sum(speech.voiced for speech in told.closed)
    assert voiced == pytest.approx(30 * 0.704, abs=0.1)
    for one, following in zip(told.closed, told.closed[1:], strict=False):
        assert one.end <= following.start
        assert one.audio_start + len(one.samples) / SAMPLE_RATE <= following.audio_start + 1e-6
    assert told.closed[0].start == pytest.approx(begin, abs=0.05)
    assert told.closed[-1].end == pytest.approx(until - 0.16, abs=0.05)


@pytest.mark.parametrize("closure", [0.0, 0.096])
def test_speech_without_any_pause_is_cut_with_sound_that_both_have(closure: float):
    """The silence of a stop inside a word is no pause."""
    told = Told(Segmenting(max_speech_caption_ms=5000)).pause(1)
    begin = told.now
    while told.now < begin + 21:
        told.speak(0.416)
        if closure:
            told.pause(closure)
    told.speak(0.416)
    until = told.now
    told.pause(1)
    assert len(told.closed) > 4
    assert told.closed[0].start == pytest.approx(begin, abs=0.05)
    assert told.closed[-1].end == pytest.approx(until, abs=0.05)
    assert not told.closed[0].open_start
    assert not told.closed[-1].open_end
    for one, following in zip(told.closed, told.closed[1:], strict=False):
        ends = one.audio_start + len(one.samples) / SAMPLE_RATE
        assert one.open_end
        assert following.open_start
        assert following.continues
        assert ends - one.start <= 5.0
        assert following.start == one.end
        assert 0.5 < following.start - following.audio_start < 2.0
        assert 0.5 < ends - one.end < 1.5
        assert 1.5 < ends - following.audio_start < 2.5


def test_a_track_that_begins_or_stops_in_mid_speech_has_open_edges():
    told = Told().speak(3)
    [speech] = told.segmenter.stop()
    assert (speech.open_start, speech.open_end, speech.continues) == (True, True, False)
    told = Told().pause(0.2).speak(3).pause(0.128)
    [speech] = told.segmenter.stop()
    assert (speech.open_start, speech.open_end) == (False, False)
    told = Told().speak(1).pause(1).speak(1)
    assert told.closed[0].open_start
    assert not told.closed[0].open_end
    [speech] = told.segmenter.stop()
    assert (speech.open_start, speech.open_end) == (False, True)


def test_what_is_overdue_is_closed_and_may_go_on_as_another():
    told = Told().pause(1).speak(1)
    assert told.segmenter.overdue(told.now + 0.3, 0.65) == []
    [speech] = told.segmenter.overdue(-math.inf, 0.75)
    assert speech.end == pytest.approx(told.now, abs=0.05)
    told.speak(1).pause(1)
    assert told.closed[0].start == pytest.approx(speech.end, abs=0.05)


def test_what_the_sender_told_of_silence_closes_what_is_open():
    told = Told().pause(1).speak(1)
    assert told.segmenter.overdue(told.now + 0.6, -math.inf) == []
    assert len(told.segmenter.overdue(told.now + 0.75, -math.inf)) == 1


def test_the_end_closes_what_is_open():
    told = Told().pause(1).speak(1)
    assert len(told.segmenter.close()) == 1
    assert told.segmenter.close() == []


def test_hours_of_silence_hold_no_sound():
    told = Told().pause(60)
    assert told.segmenter.held <= PRE_ROLL + WINDOW_SECONDS


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 60)), max_size=60), st.sampled_from([300, 700, 2000]))
def test_whatever_is_said_segments_are_in_order_and_within_bounds(parts: list[tuple[bool, int]], silence: int):
    told = Told(Segmenting(silence_duration_ms=silence, max_speech_caption_ms=5000)).pause(0.5)
    for loud, count in parts:
        (told.speak if loud else told.pause)(count * WINDOW_SECONDS)
    closed = told.closed + told.segmenter.close()
    before = 0.0
    for speech in closed:
        assert before - 0.3 <= speech.start < speech.end <= told.now + 1e-6
        assert speech.end - speech.start <= 5.0 + 0.3
        assert speech.audio_start <= speech.start + 1e-6
        assert len(speech.samples) % WINDOW == 0
        before = speech.end
    assert np.all([speech.voiced >= LEAST_VOICED for speech in closed])


@pytest.mark.parametrize(
    ("name", "value"), [("silence_duration_ms", 299), ("silence_duration_ms", 2001), ("max_speech_caption_ms", 4999)]
)
def test_settings_out_of_range_are_refused_with_the_range(name: str, value: int):
    with pytest.raises(SpeechError, match=rf"speech_segment_config\.{name} is {value}; allowed is \d+ to \d+"):
        Segmenting(**{name: value})
