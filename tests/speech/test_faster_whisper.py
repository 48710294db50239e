"""The real engine: words right, nothing for what is no speech, many speakers in one call."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import jiwer
import numpy as np
import pytest

from egress.speech.answering import Answering
from egress.speech.contract import SAMPLE_RATE, EngineSettings, Segment, Sound
from egress.speech.engines.faster_whisper import FasterWhisperEngine
from egress.speech.waiting import Asked
from tests.speech.sounds import MODEL, Sentence, music, noise, sentences, tone


@pytest.fixture(scope="module")
def loaded() -> Iterator[FasterWhisperEngine]:
    made = FasterWhisperEngine(EngineSettings(model=str(MODEL / "model"), threads=1))
    made.load()
    made.warm_up()
    yield made
    made.close()


@pytest.fixture(scope="module")
def answering() -> Answering:
    made = Answering(EngineSettings(model=str(MODEL / "model"), threads=1))
    made.load()
    return made


def segment(number: int, sound: Sound, **more: object) -> Segment:
    seconds = len(sound) / SAMPLE_RATE
    return Segment(number, f"s{number}", 50.0, 50.0 + seconds, 50.0, sound, seconds, **more)  # type: ignore[arg-type]


def of(number: int, sentence: Sentence, **more: object) -> Segment:
    made = segment(number, sentence.sound, **more)
    made.start, made.end = 50.0 + sentence.start, 50.0 + sentence.end
    return made


def test_sentences_that_it_never_heard_are_understood(loaded: FasterWhisperEngine):
    told = loaded.transcribe([of(n, sentence) for n, sentence in enumerate(sentences())])
    assert jiwer.wer([s.text for s in sentences()], [u.text for u in told]) <= 0.1
    assert [u.segments for u in told] == [(n,) for n in range(len(told))]
    assert all(u.language == "en" and u.scores.no_speech < 0.1 and u.scores.log_prob > -0.5 for u in told)


def test_a_batch_says_what_each_alone_does(loaded: FasterWhisperEngine):
    together = loaded.transcribe([of(n, sentence) for n, sentence in enumerate(sentences()[:4])])
    alone = [loaded.transcribe([of(n, sentence)])[0] for n, sentence in enumerate(sentences()[:4])]
    assert [u.text for u in together] == [u.text for u in alone]


def test_a_shorter_window_takes_less_time_and_as_much_as_a_long_segment_needs():
    short = FasterWhisperEngine(EngineSettings(model=str(MODEL / "model"), threads=1, window=6))
    short.load()
    told = short.transcribe([of(n, sentence) for n, sentence in enumerate(sentences())])
    assert jiwer.wer([s.text for s in sentences()], [u.text for u in told]) <= 0.1
    assert short._features([of(0, sentences()[0])]).shape[-1] == 600
    assert short._features([segment(1, noise(9, -30)), of(0, sentences()[0])]).shape[-1] == 1000
    assert short._features([segment(1, noise(40, -30))]).shape[-1] == 3000


def test_the_window_is_the_one_that_the_model_was_trained_on(loaded: FasterWhisperEngine, tmp_path: Path):
    for file in (MODEL / "model").iterdir():
        (tmp_path / file.name).symlink_to(file)
    trained = json.loads((MODEL / "model" / "preprocessor_config.json").read_text())
    (tmp_path / "preprocessor_config.json").unlink()
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**trained, "chunk_length": 30}))
    usual = FasterWhisperEngine(EngineSettings(model=str(tmp_path), threads=1))
    usual.load()

    assert trained["chunk_length"] == 10
    assert loaded._features([of(0, sentences()[0])]).shape[-1] == 1000
    assert usual._features([of(0, sentences()[0])]).shape[-1] == 3000


def test_words_lie_inside_the_speech_in_their_order(loaded: FasterWhisperEngine):
    batch = [of(n, sentence, words=n != 1) for n, sentence in enumerate(sentences()[:3])]
    told = loaded.transcribe(batch)
    assert told[1].words == ()
    for utterance in (told[0], told[2]):
        assert " ".join(word.text for word in utterance.words) == utterance.text
        starts = [word.start for word in utterance.words]
        assert starts == sorted(starts)
        assert utterance.start <= starts[0]
        assert utterance.words[-1].end <= utterance.end
        assert all(word.start <= word.end and 0 < word.probability <= 1 for word in utterance.words)


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(3 * SAMPLE_RATE, np.float32),
        tone(3, 440),
        tone(3, 1000) + tone(3, 1477),
        noise(5, -20),
        noise(5, -40),
        music(9),
        np.zeros(1, np.float32),
    ],
    ids=["silence", "tone", "two tones", "loud noise", "noise", "music", "one sample"],
)
def test_no_text_for_what_is_no_speech_though_it_is_asked(answering: Answering, sound: Sound):
    asked = [Asked(1, segment(n, sound, words=True), (n,), 0.0) for n in range(2)]
    assert [u.text for u in answering.answer(asked)] == ["", ""]


def test_an_english_model_says_what_it_is(loaded: FasterWhisperEngine):
    able = loaded.capabilities
    assert able.languages == {"en"}
    assert not able.detects_language
    assert able.translates_to == frozenset()
    [told] = loaded.transcribe([of(0, sentences()[0], language=None, translate_to=("en", "de"))])
    assert (told.language, dict(told.translations)) == ("en", {})


def test_a_local_folder_reaches_for_no_network(monkeypatch: pytest.MonkeyPatch):
    def refused(*_: object) -> None:
        raise AssertionError("the network was reached for")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
    FasterWhisperEngine(EngineSettings(model=str(MODEL / "model"))).load()


def test_a_failing_engine_is_an_answer_and_not_an_end(answering: Answering, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answering._engine, "transcribe", lambda batch: 1 / 0)
    [told] = answering.answer([Asked(1, of(7, sentences()[0]), (7, 8), 0.0)])
    assert told.failure is not None
    assert (told.segments, told.failure.code) == ((7, 8), "engine_failed")
