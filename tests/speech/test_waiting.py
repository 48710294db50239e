"""What waits: oldest first, bounded, merged under pressure, given up when too late."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from egress.speech.contract import SAMPLE_RATE, Segment
from egress.speech.waiting import LONGEST, MERGE_AGE, Asked, Waiting


def segment(number: int, start: float, seconds: float = 2.0, speaker: str = "ann", **more: object) -> Segment:
    samples = np.full(round(seconds * SAMPLE_RATE), number / 100, np.float32)
    made = Segment(number, speaker, start, start + seconds, start, samples, seconds, language="en")
    return replace(made, **more)


def asked(number: int, since: float, asker: int = 1, tries: int = 0, **more: object) -> Asked:
    made = segment(number, since, **more)  # type: ignore[arg-type]
    return Asked(asker, made, (number,), since, tries)


def test_the_oldest_come_first():
    waiting = Waiting(10, 60)
    for number in range(5):
        waiting.add(asked(number, float(number), speaker=f"s{number}"), float(number))
    assert [one.ids for one in waiting.take(2)] == [(0,), (1,)]
    assert [one.ids for one in waiting.take(9)] == [(2,), (3,), (4,)]


def test_a_speakers_segments_are_taken_together_under_pressure_and_keep_their_times():
    waiting = Waiting(4, 60)
    for number in range(6):
        assert waiting.add(asked(number, number * 3.0), 0.0) == []
    assert waiting.merged > 0
    told = waiting.take(9)
    assert sorted(key for one in told for key in one.ids) == list(range(6))
    merged = told[-1].segment
    first = told[-1].ids[0]
    assert (merged.start, merged.end) == (first * 3.0, 5 * 3.0 + 2.0)
    for number in told[-1].ids:
        at = round((number * 3.0 + 1 - merged.audio_start) * SAMPLE_RATE)
        assert merged.samples[at] == np.float32(number / 100)
        behind = at + round(1.5 * SAMPLE_RATE)
        assert number == 5 or merged.samples[behind] == 0


def test_an_old_queue_is_pressure_too():
    waiting = Waiting(100, 60)
    waiting.add(asked(0, 0.0), 0.0)
    waiting.add(asked(1, 3.0), MERGE_AGE - 1)
    assert len(waiting) == 2
    waiting.add(asked(2, 6.0), MERGE_AGE + 1)
    assert len(waiting) == 2


def test_open_edges_are_merged_only_where_the_sound_ends():
    for before, behind, together in (
        ({"open_start": True}, {"open_end": True}, True),
        ({"open_end": True}, {}, False),
        ({}, {"open_start": True}, False),
    ):
        one, other = asked(1, 0.0, **before), asked(2, 3.0, **behind)
        assert one.joins(other) is together
        if together:
            one.join(other)
            assert (one.segment.open_start, one.segment.open_end) == (True, True)


def test_others_are_never_merged():
    """Other speakers, other calls, other languages, and more than a window holds."""
    for other in (
        asked(1, 3.0, speaker="bob"),
        asked(1, 3.0, asker=2),
        asked(1, 3.0, language="fr"),
        asked(1, 3.0, words=True),
        asked(1, 3.0, translate_to=("de",)),
        asked(1, LONGEST),
        asked(1, 3.0, tries=1),
    ):
        waiting = Waiting(2, 60)
        waiting.add(asked(0, 0.0), 0.0)
        waiting.add(other, 0.0)
        assert len(waiting) == 2, other


def test_what_cannot_be_merged_costs_the_oldest():
    waiting = Waiting(3, 60)
    given_up = []
    for number in range(5):
        given_up += waiting.add(asked(number, float(number), speaker=f"s{number}"), float(number))
    assert [one.ids for one in given_up] == [(0,), (1,)]
    assert len(waiting) == 3


def test_what_waited_too_long_is_taken_out():
    waiting = Waiting(10, 60)
    waiting.add(asked(0, 0.0, speaker="a"), 0.0)
    waiting.add(asked(1, 30.0, speaker="b"), 30.0)
    assert [one.ids for one in waiting.expired(61.0)] == [(0,)]
    assert [one.ids for one in waiting.take(5)] == [(1,)]


def test_a_segment_that_killed_an_engine_runs_alone():
    waiting = Waiting(10, 60)
    for number in range(4):
        waiting.add(asked(number, float(number), speaker=f"s{number}", tries=int(number == 1)), float(number))
    assert [[a.ids[0] for a in waiting.take(8)] for _ in range(3)] == [[0], [1], [2, 3]]


def test_who_is_gone_asks_nothing():
    waiting = Waiting(10, 60)
    waiting.add(asked(0, 0.0, asker=1), 0.0)
    waiting.add(asked(1, 0.0, asker=2), 0.0)
    waiting.forget(1)
    assert [one.ids for one in waiting.take(5)] == [(1,)]
