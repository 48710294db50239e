"""What guests say on real SFUs, three at once, is held against the captions: every word, whose, when, and once.

Meanwhile two guests lose their connections, we lose ours, and the engine is killed.
"""

from __future__ import annotations

from itertools import pairwise

import jiwer
import numpy as np
import pytest
import pytest_asyncio

from tests.rig import janus, livekit
from tests.rig.janus import JanusServer
from tests.rig.livekit import LivekitServer
from tests.rig.required import require
from tests.rig.spoken import Sentence
from tests.scenarios.talk import EVERYBODY, Talk, talk

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SFUS = {"janus": (JanusServer, janus.why_not), "livekit": (LivekitServer, livekit.why_not)}
NEAR = 0.5
"""Seconds by which a caption begins earlier or later than the sentence that it can only be."""


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=list(_SFUS))
async def said(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Talk:
    server, why_not = _SFUS[request.param]
    require(why_not())
    async with server() as sfu:
        return await talk(sfu, tmp_path_factory.mktemp(request.param))


def _captions(talk: Talk, guest: str, of: Sentence) -> list[Sentence]:
    return [caption for caption in talk.captions[guest] if abs(caption.start - of.start) < NEAR]


async def test_words_are_those_that_were_said(said: Talk) -> None:
    truth, told = [], []
    for guest, sentences in said.said.items():
        assert len(sentences) >= 5
        truth.append(" ".join(one.text for one in sentences))
        told.append(" ".join(caption.text for one in sentences for caption in _captions(said, guest, one)))
    errors = jiwer.wer(truth, told)
    print(f"word error rate {errors:.3f} of {sum(len(text.split()) for text in truth)} words")

    assert errors <= 0.1, list(zip(truth, told, strict=True))


async def test_each_sentence_is_that_of_who_said_it_and_tones_are_none(said: Talk) -> None:
    assert set(said.captions) == EVERYBODY
    assert said.names["ana"] == "Ana"
    for guest, sentences in said.said.items():
        for one in sentences:
            # The others say something else at that time.
            others = [each for who in EVERYBODY - {guest} for each in said.said[who] if abs(each.start - one.start) < 1]
            for caption in _captions(said, guest, one):
                own = jiwer.wer(one.text, caption.text)
                assert all(own < jiwer.wer(each.text, caption.text) for each in others), (guest, caption)


async def test_nothing_is_lost_but_the_sentence_being_spoken_and_nothing_comes_twice(said: Talk) -> None:
    assert all(said.broken.values()), "everybody was interrupted in the middle of a sentence"
    for guest, sentences in said.said.items():
        for one in sentences:
            assert len(_captions(said, guest, one)) == 1, (guest, one, said.captions[guest], said.losses)
        # What is told besides is a part of what was being said when something was lost.
        rest = [c for c in said.captions[guest] if not any(abs(c.start - one.start) < NEAR for one in sentences)]
        for caption in rest:
            assert any(
                one.start - 0.15 < caption.start and caption.end < one.end + 0.15 for one in said.broken[guest]
            ), (guest, caption, said.broken[guest])
        ordered = sorted(said.captions[guest], key=lambda caption: caption.start)
        for before, after in pairwise(ordered):
            assert before.end <= after.start, (guest, before, after)


async def test_times_are_those_of_the_speech_whatever_clocks_say(said: Talk) -> None:
    starts, ends = [], []
    for guest, sentences in said.said.items():
        for one in sentences:
            for caption in _captions(said, guest, one):
                starts.append(abs(caption.start - one.start))
                ends.append(abs(caption.end - one.end))
    print(f"p95 of starts {np.percentile(starts, 95):.3f} s, of ends {np.percentile(ends, 95):.3f} s")

    assert np.percentile(starts, 95) <= 0.15
    assert np.percentile(ends, 95) <= 0.15


async def test_losses_are_no_end_of_captions(said: Talk) -> None:
    told = [event["type"] for event in said.events if event["type"] != "call.closed_caption"]

    assert told == ["call.closed_captions_started", "call.closed_captions_stopped"]


@pytest.mark.parametrize("said", ["livekit"], indirect=True)
async def test_a_room_that_takes_data_is_told_what_is_said(said: Talk) -> None:
    captions = [packet for packet in said.shown if packet["type"] == "closed_caption"]
    events = [event["closed_caption"] for event in said.events if event["type"] == "call.closed_caption"]

    assert [(c["closed_caption"]["id"], c["closed_caption"]["text"]) for c in captions] == [
        (event["id"], event["text"]) for event in events
    ]
    assert {c["closed_caption"]["speaker_id"] for c in captions} == EVERYBODY
