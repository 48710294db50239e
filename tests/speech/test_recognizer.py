"""A call's speech to text, whole: real Opus packets as time goes, the real model in its own process."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import jiwer
import numpy as np
import pytest

from egress.speech.contract import SAMPLE_RATE, EngineSettings, Segmenting, Utterance
from egress.speech.recognizer import Recognizer, RecognizerSettings
from egress.speech.supervisor import EngineSupervisor
from tests.speech.sounds import Said, Sentence, Voice, fluent, packets, script, sentences

EPOCH = 1_700_000_000.0


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[EngineSupervisor]:
    from tests.speech.sounds import MODEL

    made = EngineSupervisor(EngineSettings(model=str(MODEL / "model"), threads=1, workers=2), tmp_path / "engine")
    await made.ensure(60)
    yield made
    await made.close()


class Heard:
    """A recogniser and what it told."""

    def __init__(self, settings: RecognizerSettings) -> None:
        self.told: list[Utterance] = []
        self.recognizer = Recognizer(settings, self.told.append, lambda monotonic: EPOCH + monotonic)
        self.recognizer.start()

    def of(self, speaker: str) -> list[Utterance]:
        return sorted((u for u in self.told if u.speaker == speaker and u.text), key=lambda u: u.start)


async def speak(heard: Heard, speaker: str, parts: list[Sentence | float]) -> tuple[float, list[Said]]:
    """Returns when the sound began, and what was said when after that."""
    sound, said = script(parts)
    told = packets(sound)
    voice = Voice(time.monotonic())
    heard.recognizer.hear(speaker, voice.track)
    await voice.live(told)
    return EPOCH + voice.began, said


async def test_two_at_once_are_understood_each_with_their_times(engine: EngineSupervisor):
    heard = Heard(RecognizerSettings(engine.socket))
    whole = sentences()
    ann, bob = await asyncio.gather(
        speak(heard, "ann", [whole[0], 0.8, whole[2], 0.8, whole[4], 1.0]),
        speak(heard, "bob", [0.2, whole[3], 0.8, whole[5], 0.8, whole[8], 1.0]),
    )
    assert await heard.recognizer.close()
    for speaker, (began, said) in (("ann", ann), ("bob", bob)):
        told = heard.of(speaker)
        assert len(told) == len(said)
        for utterance, true in zip(told, said, strict=True):
            assert utterance.start - began == pytest.approx(true.start, abs=0.15)
            assert utterance.end - began == pytest.approx(true.end, abs=0.15)
        assert jiwer.wer([true.text for true in said], [u.text for u in told]) <= 0.1
    assert {u.speaker for u in heard.told} == {"ann", "bob"}
    assert heard.recognizer.tally.failed == 0


async def test_who_speaks_without_a_pause_is_told_in_whole_words_as_it_goes(engine: EngineSupervisor):
    """Through the engine's process: each segment waits for what the one before has heard."""
    heard = Heard(RecognizerSettings(engine.socket, segmenting=Segmenting(max_speech_caption_ms=5000)))
    spoken, said = fluent(1)
    silent = packets(np.zeros(SAMPLE_RATE // 2, np.float32))
    voice = Voice(time.monotonic())
    hearing = heard.recognizer.hear("ann", voice.track)
    fourth = said[4]
    await voice.live([*silent, *spoken[: math.ceil(fourth.end / 0.02)], *silent, *silent])
    hearing.end()
    assert await heard.recognizer.close()
    told = heard.of("ann")
    assert len(told) >= 3
    assert heard.recognizer.waiting == 0
    truth = " ".join(true.text for true in said[:5])
    assert jiwer.wer(truth, " ".join(utterance.text for utterance in told)) <= 0.1
    assert all(utterance.end - utterance.start <= 5.02 for utterance in told)
    first = told[0]
    assert first.start == pytest.approx(EPOCH + voice.began + 0.5, abs=0.15)


async def test_what_waits_for_the_one_before_is_told_as_lost_with_it(tmp_path: Path):
    """No engine comes: all is given up when the recogniser is closed, and nothing waits for ever."""
    heard = Heard(RecognizerSettings(tmp_path / "none.sock", segmenting=Segmenting(max_speech_caption_ms=5000)))
    spoken, _ = fluent(1)
    voice = Voice(time.monotonic() - 12.0)
    hearing = heard.recognizer.hear("ann", voice.track)
    for packet in [*packets(np.zeros(SAMPLE_RATE // 2, np.float32)), *spoken[:600]]:
        voice.feed(packet)
    await asyncio.sleep(1.0)
    assert heard.recognizer.waiting - heard.recognizer._client.waiting <= 1
    hearing.end()
    assert not await heard.recognizer.close(0.5)
    assert heard.recognizer.waiting == 0
    assert len(heard.told) == heard.recognizer.tally.segments >= 3
    assert {told.failure.code for told in heard.told if told.failure} == {"engine_away"}


async def test_an_engine_that_dies_while_somebody_speaks_costs_no_sentence(engine: EngineSupervisor):
    heard = Heard(RecognizerSettings(engine.socket))
    whole = sentences()

    async def kill() -> None:
        await asyncio.sleep(whole[0].seconds + 0.75)  # while the first sentence is at the engine
        assert engine.pid is not None
        os.kill(engine.pid, signal.SIGKILL)

    (_, said), _ = await asyncio.gather(speak(heard, "ann", [whole[0], 0.9, whole[4], 0.9, whole[8], 0.9]), kill())
    assert await heard.recognizer.close(30)
    assert [u.text for u in heard.of("ann")] == [true.text for true in said]


async def test_the_end_closes_what_is_being_said(engine: EngineSupervisor):
    heard = Heard(RecognizerSettings(engine.socket))
    sentence = sentences()[4]
    sound, _ = script([sentence])
    voice = Voice(time.monotonic())
    hearing = heard.recognizer.hear("ann", voice.track)
    await voice.live(packets(sound)[: round(sentence.end / 0.02) + 5])
    hearing.end()
    assert await heard.recognizer.close()
    assert [u.text for u in heard.told] == [sentence.text]
    assert not voice.track.listened


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[EngineSupervisor]:
    path = tmp_path / "script.json"
    path.write_text(
        json.dumps({"default": {"text": "guten Tag zusammen", "language": "de", "translations": {"en": "good day"}}})
    )
    made = EngineSupervisor(EngineSettings(engine="scripted", model=str(path)), tmp_path / "engine")
    await made.ensure(30)
    yield made
    await made.close()


async def test_words_languages_and_translations_are_told_as_wanted(scripted: EngineSupervisor):
    heard = Heard(RecognizerSettings(scripted.socket, language="auto", words=True, translate_to=("en",)))
    await speak(heard, "ann", [sentences()[0], 1.0])
    heard.recognizer.set_language("fr")
    heard.recognizer.set_wanted(words=False, translate_to=())
    await speak(heard, "bob", [sentences()[0], 1.0])
    assert await heard.recognizer.close()
    [ann], [bob] = heard.of("ann"), heard.of("bob")
    assert (ann.language, dict(ann.translations)) == ("de", {"en": "good day"})
    assert [word.text for word in ann.words] == ["guten", "Tag", "zusammen"]
    assert (bob.language, dict(bob.translations), bob.words) == ("fr", {}, ())


async def test_who_is_muted_is_not_told_of(scripted: EngineSupervisor):
    heard = Heard(RecognizerSettings(scripted.socket))
    sound, _ = script([sentences()[0], 1.0])
    voice = Voice(time.monotonic())
    heard.recognizer.hear("ann", voice.track).mute(True)
    await voice.live(packets(sound))
    assert await heard.recognizer.close()
    assert heard.told == []
    assert heard.recognizer.tally.segments == 0
