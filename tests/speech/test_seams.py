"""Whole words at the edges of what is heard: none torn, none lost, none told twice; judged by the real model too."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import jiwer
import numpy as np
import pytest

from egress.speech.activity import Detector
from egress.speech.answering import Answering
from egress.speech.contract import (
    SAMPLE_RATE,
    Capabilities,
    EngineSettings,
    Overlap,
    Segment,
    Segmenting,
    Utterance,
    Word,
)
from egress.speech.ear import Ear
from egress.speech.seams import own, whole
from egress.speech.segments import Segmenter, Speech
from egress.speech.waiting import Asked
from tests.speech.sounds import MODEL, Voice, decoded, fluent, packets, sentences

LONGEST = 5000


def words(text: str, at: float, each: float = 0.4) -> tuple[Word, ...]:
    return tuple(Word(one, at + n * each, at + (n + 1) * each, 0.9) for n, one in enumerate(text.split()))


def segment(start: float, end: float, begins: float, ends: float, **more: object) -> Segment:
    """Speech of its own from ``start`` to ``end``, and sound from ``begins`` to ``ends``."""
    samples = np.full(round((ends - begins) * SAMPLE_RATE), 0.1, np.float32)
    return Segment(1, "ann", start, end, begins, samples, ends - begins, **more)  # type: ignore[arg-type]


def heard(text: str, told: tuple[Word, ...], of: Segment) -> Utterance:
    return Utterance((1,), "ann", of.start, of.end, text, "en", told)


FIRST = segment(100.0, 104.0, 99.7, 105.0, open_end=True)
SAID = "a b c d e f g h i j k l m"


def first(text: str = SAID) -> Utterance:
    return whole(heard(text, words(text, 100.0), FIRST), FIRST)


def second(text: str, at: float, before: Overlap | None) -> Utterance:
    of = segment(104.0, 108.0, min(at, 103.0), 108.2, open_start=True, before=before)
    return whole(heard(text, words(text, at), of), of)


def test_a_segment_tells_the_words_that_begin_before_its_seam():
    told = first()
    assert told.text == "a b c d e f g h i j"
    assert [word.text for word in told.words] == told.text.split()
    assert told.end == told.words[-1].end == pytest.approx(104.0)
    assert told.overlap is not None
    assert [word.text for word in told.overlap.words[told.overlap.told :]] == ["k", "l", "m"]


@pytest.mark.parametrize(
    ("text", "at", "kept"),
    [
        ("h i j k l m n o", 102.8, "k l m n o"),
        ("x i j k l m n", 102.8, "k l m n"),  # the first word is torn
        ("h i j k l o n", 103.2, "k l o n"),  # the last one of the other is, and times are beside the truth
        ("h y j k l m n", 102.5, "k l m n"),  # one is misheard
        ("h i y k l m n", 102.8, "k l m n"),  # the last one that was told is
        ("h i k l m n", 102.8, "k l m n"),  # it is not heard at all
        ("k l m n", 104.0, "k l m n"),  # nothing of what was told is
        ("y k l m n", 103.0, "k l m n"),  # but a torn word
        ("s t u v w x y z", 102.8, "v w x y z"),  # nothing is heard the same
    ],
)
def test_the_next_one_tells_what_follows(text: str, at: float, kept: str):
    told = second(text, at, first().overlap)
    assert told.text == kept
    assert told.start == told.words[0].start >= 104.0 - 1e-6
    assert [word.text for word in told.words] == kept.split()


def test_words_said_twice_in_a_row_are_told_as_often_as_they_are_said():
    before = first("a b c d e f g no no no no h i").overlap
    assert before is not None
    assert second("no no no no h i j", 102.8, before).text == "no h i j"


def test_where_the_one_before_has_no_text_all_is_told_but_a_torn_word():
    assert second("h i j k", 102.8, None).text == "i j k"


def test_text_keeps_its_spaces_and_signs():
    of = replace(FIRST, end=101.0)
    told = whole(heard("今日は, いい 天気", words("今日 は, いい 天気", 100.0), of), of)
    assert told.text == "今日は, いい"


def test_many_words_in_little_time_are_no_trouble():
    text = " ".join(f"w{n}" for n in range(40))
    told = whole(heard(text, words(text, 100.0, 0.1), FIRST), FIRST)
    assert told.text.split()[-1] == "w38"
    assert told.overlap is not None
    assert [word.text for word in told.overlap.words[: told.overlap.told]][-1] == "w38"


def test_without_times_of_words_nothing_is_left_out_and_no_sound_is_heard_twice():
    assert whole(heard("a b", (), FIRST), FIRST).text == "a b"
    assert len(own(FIRST).samples) / SAMPLE_RATE == pytest.approx(4.3)
    of = segment(104.0, 108.0, 103.0, 108.2, open_start=True)
    assert len(own(of).samples) / SAMPLE_RATE == pytest.approx(4.2)
    assert own(of).audio_start == pytest.approx(104.0)
    shut = segment(100.0, 104.0, 99.7, 104.3)
    assert len(own(shut).samples) == len(shut.samples)


def test_what_is_wholly_closed_is_left_as_it_is():
    shut = segment(100.0, 105.2, 99.7, 105.3)
    told = heard(SAID, words(SAID, 100.0), shut)
    assert whole(told, shut) is told


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def answering() -> Answering:
    made = Answering(EngineSettings(model=str(MODEL / "model"), threads=1, window=8))
    made.load()
    return made


def listen(detector: Detector, told: Sequence[bytes]) -> list[Speech]:
    """What an ear makes of packets; it begins with the first of them and stops behind the last."""
    voice = Voice(1000.0)
    ear = Ear(voice.track, Segmenter(Segmenting(max_speech_caption_ms=LONGEST)))
    voice.track.listen(ear.take)
    closed: list[Speech] = []
    for number, packet in enumerate(told):
        voice.feed(packet)
        if number % 5 == 4:
            closed += ear.listen(detector, 1000.0 + (number + 1) * 0.02)
    return closed + ear.close(detector)


def answer(answering: Answering, closed: Sequence[Speech]) -> list[Utterance]:
    """Texts of segments in a row, each told what the one before has heard."""
    told: list[Utterance] = []
    for number, speech in enumerate(closed):
        asked = Segment(
            number,
            "ann",
            speech.start,
            speech.end,
            speech.audio_start,
            speech.samples,
            speech.voiced,
            language="en",
            open_start=speech.open_start,
            open_end=speech.open_end,
            before=told[-1].overlap if speech.continues else None,
        )
        told += answering.answer([Asked(1, asked, (number,), 0.0)])
    return told


SILENT = tuple(packets(np.zeros(SAMPLE_RATE // 2, np.float32)))


@pytest.mark.parametrize("number", [1, 2])
def test_who_speaks_for_half_a_minute_without_a_pause_loses_no_word(
    detector: Detector, answering: Answering, number: int
):
    spoken, said = fluent(number)
    truth = " ".join(sentence.text for sentence in said)
    closed = listen(detector, [*SILENT, *spoken, *SILENT, *SILENT])
    assert len(closed) > 6
    assert sum(speech.continues for speech in closed) > 6
    told = answer(answering, closed)
    for one in told:
        assert one.end - one.start <= LONGEST / 1000 + 0.02
        assert one.words == ()
    for one, following in itertools.pairwise(told):
        assert one.start < one.end <= following.start + 0.5

    sound = decoded(spoken)
    apart = [
        Segment(n, "ann", s.start, s.end, s.start, sound[round(s.start * SAMPLE_RATE) : round(s.end * SAMPLE_RATE)], 1)
        for n, s in enumerate(said)
    ]
    with_pauses = [answering.answer([Asked(1, one, (1,), 0.0)])[0].text for one in apart]
    found = jiwer.process_words(truth, " ".join(one.text for one in told))
    as_good = jiwer.process_words(truth, " ".join(with_pauses))
    assert found.wer <= as_good.wer + 0.05
    assert found.insertions <= as_good.insertions + 2
    assert found.deletions <= as_good.deletions + 2


def test_an_engine_without_times_of_words_hears_each_sound_once(
    detector: Detector, answering: Answering, monkeypatch: pytest.MonkeyPatch
):
    spoken, said = fluent(1)
    closed = listen(detector, [*SILENT, *spoken, *SILENT, *SILENT])
    able = Capabilities(frozenset({"en"}), detects_language=False, words=False)
    engine = Wordless(answering)
    monkeypatch.setattr(answering, "_engine", engine)
    engine.capabilities = able
    told = answer(answering, closed)
    assert sum(engine.seconds) == pytest.approx(said[-1].end + 0.6, abs=0.3)
    assert all(one.text and one.overlap is None for one in told)


class Wordless:
    """The real engine, which is asked for no words."""

    def __init__(self, answering: Answering) -> None:
        self.seconds: list[float] = []
        self._engine = answering._engine

    def transcribe(self, batch: Sequence[Segment]) -> list[Utterance]:
        assert not any(one.words for one in batch)
        self.seconds += [len(one.samples) / SAMPLE_RATE for one in batch]
        return self._engine.transcribe(batch)


def test_words_that_a_stop_or_a_start_tears_are_not_told(
    detector: Detector, answering: Answering, monkeypatch: pytest.MonkeyPatch
):
    """Cuts wherever they come. The model hears words that nobody said; few of them are told."""
    raw: list[Utterance] = []
    transcribe = answering._engine.transcribe
    monkeypatch.setattr(answering._engine, "transcribe", lambda batch: raw.extend(r := transcribe(batch)) or r)
    heard_wrong = told_wrong = told_right = 0
    for sentence in sentences()[:6]:
        truth = sentence.text.split()
        sound = packets(np.concatenate([sentence.sound, np.zeros(SAMPLE_RATE, np.float32)]))
        for part in (0.35, 0.5, 0.65, 0.8):
            at = math.floor((sentence.start + part * (sentence.end - sentence.start)) / 0.02)
            for piece, is_of in ((sound[:at], is_beginning), (sound[at:], is_end)):
                [told] = answer(answering, listen(detector, piece))
                heard_wrong += not is_of(raw[-1].text.split(), truth)
                told_wrong += not is_of(told.text.split(), truth)
                told_right += len(told.text.split()) if is_of(told.text.split(), truth) else 0
    assert heard_wrong >= 10
    assert told_wrong <= heard_wrong / 3
    assert told_right > 70


def is_beginning(words: list[str], of: list[str]) -> bool:
    return words == of[: len(words)]


def is_end(words: list[str], of: list[str]) -> bool:
    return words == of[len(of) - len(words) :]
