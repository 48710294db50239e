"""A track heard: times to 50 ms whatever the network does, and no work where there is nothing to hear."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from egress.speech.activity import Detector
from egress.speech.contract import Segmenting
from egress.speech.ear import AT_ONCE, HANGOVER, Ear
from egress.speech.segments import Segmenter, Speech
from tests.speech.sounds import PACKET, Said, Voice, music, noise, packets, script, sentences

BEGAN = 5000.0
EXACT = 0.05


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


class Heard:
    def __init__(self, detector: Detector) -> None:
        self.voice = Voice(BEGAN)
        self.ear = Ear(self.voice.track, Segmenter(Segmenting()))
        self.voice.track.listen(self.ear.take)
        self.detector = detector
        self.closed: list[Speech] = []

    def hear(self, told: Sequence[bytes | None], level: Sequence[int] | int | None = None) -> Heard:
        """Packets in a row; None is one that does not come."""
        for n, packet in enumerate(told):
            if packet is None:
                self.voice.skip()
            else:
                self.voice.feed(packet, level=level if level is None or isinstance(level, int) else level[n])
            if n % 3 == 2:
                self.closed += self.ear.listen(self.detector, BEGAN + self.voice.sent * PACKET)
        return self

    def end(self) -> list[Speech]:
        self.closed += self.ear.close(self.detector)
        return self.closed


def check(closed: list[Speech], said: list[Said], exact: float = EXACT) -> None:
    assert len(closed) == len(said)
    for speech, true in zip(closed, said, strict=True):
        assert speech.start - BEGAN == pytest.approx(true.start, abs=exact)
        assert speech.end - BEGAN == pytest.approx(true.end, abs=exact)


def test_every_sentence_is_found_at_its_time(detector: Detector):
    parts: list = []
    for sentence in sentences():
        parts += [sentence, 1.0]
    sound, said = script(parts)
    check(Heard(detector).hear(packets(sound)).end(), said)


def test_noise_in_the_room_moves_no_time_by_much(detector: Detector):
    parts: list = []
    for sentence in sentences()[:6]:
        parts += [sentence, 1.0]
    sound, said = script(parts)
    closed = Heard(detector).hear(packets(sound + noise(len(sound) / 16_000, -50)[: len(sound)])).end()
    check(closed, said, 0.15)


def test_silence_that_is_not_sent_stays_as_long_as_it_was(detector: Detector):
    sound, said = script([sentences()[0], 5.0, sentences()[1], 1.0])
    told: list[bytes | None] = list(packets(sound))
    first, last = round((said[0].end + 0.4) / PACKET), round((said[1].start - 0.2) / PACKET)
    told[first:last] = [None] * (last - first)
    heard = Heard(detector).hear(told)
    check(heard.end(), said)


def test_packets_without_sound_cost_nothing(detector: Detector):
    heard = Heard(detector).hear([b"\xf8\xff\xfe"] * 1000)
    assert heard.ear.decoded <= HANGOVER
    assert heard.ear.judged <= AT_ONCE * 3
    assert heard.end() == []


def test_a_low_level_in_the_header_costs_nothing(detector: Detector):
    heard = Heard(detector).hear(packets(noise(20, -70)), level=80)
    assert heard.ear.decoded <= HANGOVER
    assert heard.end() == []


def test_the_level_opens_the_ear_in_time_for_the_first_sound(detector: Detector):
    sound, said = script([3.0, sentences()[3], 3.0])
    told = packets(sound)
    levels = [
        30 if said[0].start + 0.1 <= n * PACKET <= said[0].end else 90  # the sender's own level comes late
        for n in range(len(told))
    ]
    heard = Heard(detector).hear(told, levels)
    check(heard.end(), said)
    assert heard.ear.decoded < len(told) / 2


def test_who_is_muted_is_not_heard(detector: Detector):
    sound, _ = script([sentences()[0], 1.0])
    heard = Heard(detector)
    heard.ear.muted = True
    assert heard.hear(packets(sound)).end() == []
    assert heard.ear.decoded == 0


def test_digital_silence_that_is_sent_is_not_judged(detector: Detector):
    heard = Heard(detector).hear(packets(np.zeros(16_000 * 10, np.float32)))
    assert heard.ear.judged < 30
    assert heard.end() == []


def test_steady_noise_is_hardly_judged_and_speech_in_it_is_found(detector: Detector):
    parts: list = [20.0, sentences()[0], 20.0, sentences()[2], 2.0]
    sound, said = script(parts)
    heard = Heard(detector).hear(packets(sound + noise(len(sound) / 16_000, -50)[: len(sound)]))
    check(heard.end(), said, 0.15)
    assert heard.ear.judged * 0.032 < 0.4 * len(sound) / 16_000


def test_lost_packets_cost_their_sound_and_no_time(detector: Detector):
    sound, said = script([sentences()[0], 1.0, sentences()[1], 1.0])
    told: list[bytes | None] = list(packets(sound))
    for n in range(0, len(told), 17):
        told[n] = None
    check(Heard(detector).hear(told).end(), said, 0.1)


def test_packets_that_come_twice_are_heard_once(detector: Detector):
    sound, said = script([sentences()[0], 1.0])
    heard = Heard(detector)
    for packet in packets(sound):
        heard.voice.feed(packet)
        heard.voice.sent -= 1
        heard.voice.feed(packet)
        heard.closed += heard.ear.listen(heard.detector, BEGAN)
    check(heard.end(), said)


def test_damaged_packets_are_passed_over(detector: Detector):
    sound, said = script([1.0, sentences()[0], 1.0])
    told = packets(sound)
    told[10] = b"\x03" + b"\xff" * 40
    heard = Heard(detector).hear(told)
    check(heard.end(), said)


def test_speech_is_closed_though_nothing_comes_any_more(detector: Detector):
    sound, said = script([sentences()[0]])
    told = packets(sound)[: round(said[0].end / PACKET) + 2]
    heard = Heard(detector).hear(told)
    heard.ear.listen(detector, BEGAN + said[0].end + 0.5)
    assert heard.closed == []
    closed = heard.ear.listen(detector, BEGAN + said[0].end + 1.2)
    check(closed, said)


@pytest.mark.parametrize("more", range(4))
def test_what_was_heard_last_waits_for_nothing_that_does_not_come(detector: Detector, more: int):
    """However much of a window is left over when the sender falls silent."""
    sound, said = script([sentences()[0], 3.0])
    heard = Heard(detector).hear(packets(sound)[: round(said[0].end / PACKET) + 1 + more])
    heard.closed += heard.ear.listen(detector, BEGAN + said[0].end + 1.2)
    check(heard.closed, said)


@pytest.mark.parametrize("late", [0.5, 1.1, 3.0])
def test_sound_that_comes_late_is_not_cut_for_it(detector: Detector, late: float):
    """A stall that lasts, or a clock that is placed too early."""
    sound, said = script([sentences()[0], 1.0, sentences()[1], 2.0])
    heard = Heard(detector)
    for n, packet in enumerate(packets(sound)):
        heard.voice.feed(packet, arrival=BEGAN + n * PACKET + late)
        if n % 3 == 2:
            heard.closed += heard.ear.listen(detector, BEGAN + (n + 1) * PACKET + late)
    check(heard.closed, said)


def test_a_level_that_tells_of_silence_closes_as_soon_as_silence_would(detector: Detector):
    sound, said = script([sentences()[0], 3.0])
    heard = Heard(detector)
    for n, packet in enumerate(packets(sound)):
        heard.voice.feed(packet, level=80 if n * PACKET > said[0].end + 0.04 else 30)
        heard.closed += heard.ear.listen(detector, BEGAN + heard.voice.sent * PACKET)
        if heard.closed:
            break
    assert heard.voice.sent * PACKET - said[0].end < 0.7 + 0.15
    check(heard.closed, said)


def test_another_source_behind_the_track_is_no_word_of_the_first(detector: Detector):
    """Time stamps begin anew somewhere else, in the middle of a word."""
    sound, said = script([sentences()[0], 1.0])
    told = packets(sound)
    heard = Heard(detector)
    half = round((said[0].start + 0.6) / PACKET)
    heard.hear(told[:half])
    heard.voice.track.clock.shift += 400.0
    for n, packet in enumerate(told[half:]):
        at = BEGAN + (half + n) * PACKET
        heard.voice.track.feed(packet, at)
        heard.closed += heard.ear.listen(detector, at)
    closed = heard.end()
    assert closed[0].start - BEGAN == pytest.approx(said[0].start, abs=EXACT)
    assert closed[-1].end - BEGAN == pytest.approx(said[0].end, abs=0.1)


def test_a_clock_that_drifts_moves_the_times_with_it(detector: Detector):
    """The guest's crystal is 200 millionths slow: after 100 s time stamps lag by 20 ms, and times do not."""
    sentence = sentences()[0]
    sound, said = script([sentence, 1.0])
    told = packets(sound)
    heard = Heard(detector)
    heard.voice.track.clock.rate = 48_000 * (1 - 2e-4)
    heard.voice.track.clock.shift = BEGAN - 100 / (1 - 2e-4)
    heard.hear(told)
    heard.voice.skip(5000 - len(told))
    heard.hear(told)
    closed = heard.end()
    slow = 1 / (1 - 2e-4)
    assert closed[0].start - BEGAN == pytest.approx(said[0].start * slow, abs=EXACT)
    assert closed[1].start - BEGAN == pytest.approx((100 + said[0].start) * slow, abs=EXACT)


def test_music_is_hardly_ever_worth_asking(detector: Detector):
    heard = Heard(detector).hear(packets(music(30)))
    assert sum(speech.voiced for speech in heard.end()) < 3
