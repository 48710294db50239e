"""What the talkers of the bench say is where it is said to be: the latency of captions is counted from there."""

from __future__ import annotations

import numpy as np
import pytest

from bench.talk import LOOP, PAUSES, TALKERS, at_once, talk
from egress.call.loopback.lines import PACKET_MS
from egress.media.decode import SAMPLE_RATE, AudioDecoder
from tests.rig.spoken import AUDIBLE

GUESTS = [f"guest-{number + 1}" for number in range(TALKERS)]
NEAR = 0.03
"""Seconds: a packet, and what the codec smears."""


@pytest.mark.parametrize("guest", GUESTS)
def test_sentences_are_heard_at_their_times_and_nothing_between_them(guest: str) -> None:
    told = talk(guest)
    decoder = AudioDecoder()
    sound = np.abs(np.concatenate([decoder.decode(packet)[:, 0] for packet in told.sound.packets]))

    assert len(told.sound.packets) * PACKET_MS == LOOP * 1000
    for said, following in zip(told.sentences, told.sentences[1:], strict=False):
        loud = np.flatnonzero(sound[: round((following.start - NEAR) * SAMPLE_RATE)] > AUDIBLE)
        assert loud[-1] / SAMPLE_RATE == pytest.approx(said.end, abs=NEAR)
        assert PAUSES[0] - NEAR <= following.start - said.end <= PAUSES[1] + NEAR


def test_a_talk_goes_on_in_the_next_loop() -> None:
    told = talk(GUESTS[0])
    first, last = told.sentences[0], told.sentences[-1]
    said = list(told.said(7 * LOOP + last.start, 8 * LOOP + first.end))

    assert [(one.text, one.start) for one in said] == [
        (last.text, 7 * LOOP + last.start),
        (first.text, 8 * LOOP + first.start),
    ]
    assert list(told.said(8 * LOOP + first.start + 0.1, 8 * LOOP + first.end)) == []


def test_all_of_them_talk_at_once() -> None:
    talks = [talk(guest) for guest in GUESTS]

    assert at_once(talks, 0, LOOP) > 1.8
    assert len({each.sentences[5].start for each in talks}) == TALKERS
    assert sum(len(each.sentences) for each in talks) > 2 * 60
