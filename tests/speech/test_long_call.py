"""Long speech and long calls: cuts between words, nothing lost, no drift, memory flat, no word where nobody speaks."""

from __future__ import annotations

import gc
import json
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import jiwer
import numpy as np
import psutil
import pytest

from egress.speech import transcript
from egress.speech.activity import Detector
from egress.speech.answering import Answering
from egress.speech.contract import SAMPLE_RATE, EngineSettings, Line, Segment, Segmenting
from egress.speech.ear import Ear
from egress.speech.guards import worth_asking
from egress.speech.segments import Segmenter, Speech
from egress.speech.transcript import TranscriptWriter
from egress.speech.waiting import Asked
from tests.speech.sounds import (
    MODEL,
    PACKET,
    Said,
    Sentence,
    Voice,
    hum,
    music,
    packets,
    script,
    sentences,
    speechless,
)

BEGAN = 9000.0


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="module")
def real() -> Answering:
    made = Answering(EngineSettings(model=str(MODEL / "model"), threads=1))
    made.load()
    return made


def segment(speech: Speech, speaker: str = "ann") -> Segment:
    return Segment(
        1, speaker, speech.start, speech.end, speech.audio_start, speech.samples, speech.voiced, language="en"
    )


def texts(answering: Answering, closed: list[Speech]) -> list[str]:
    asked = [Asked(1, segment(speech), (1,), 0.0) for speech in closed]
    return [u.text for one in asked for u in answering.answer([one])]


def heard(detector: Detector, told: list[bytes], segmenting: Segmenting | None = None) -> list[Speech]:
    voice = Voice(BEGAN)
    ear = Ear(voice.track, Segmenter(segmenting or Segmenting()))
    voice.track.listen(ear.take)
    closed: list[Speech] = []
    for n, packet in enumerate(told):
        voice.feed(packet)
        if n % 5 == 4:
            closed += ear.listen(detector, BEGAN + voice.sent * PACKET)
    return closed + ear.close(detector)


def spoken(sentence: Sentence) -> Sentence:
    """Without the silence around it."""
    return replace(sentence, start=0.0, end=sentence.end - sentence.start, sound=sentence.spoken)


@pytest.mark.parametrize("longest", [5000, 9000])
def test_who_speaks_without_a_stop_is_cut_between_words(detector: Detector, real: Answering, longest: int):
    parts: list[Sentence | float] = [0.5]
    for sentence in sentences():
        parts += [spoken(sentence), 0.25]
    sound, said = script([*parts, 1.0])
    closed = heard(detector, packets(sound), Segmenting(max_speech_caption_ms=longest))
    assert len(closed) >= 3
    assert all(speech.end - speech.start <= longest / 1000 for speech in closed)
    for speech in closed:
        for at in (speech.start - BEGAN, speech.end - BEGAN):
            assert not any(true.start + 0.06 < at < true.end - 0.06 for true in said), at
    # The test model was trained on single sentences: four voices in one segment are beyond it, whoever cut them.
    if longest == 5000:
        assert jiwer.wer(" ".join(true.text for true in said), " ".join(texts(real, closed))) <= 0.1


def words_in(detector: Detector, answering: Answering, sound: np.ndarray) -> list[str]:
    closed = [speech for speech in heard(detector, packets(sound)) if _asked(speech)]
    return [text for text in texts(answering, closed) if text]


def test_nobody_said_anything_in_silence_tones_noise_and_music(detector: Detector, real: Answering):
    assert words_in(detector, real, speechless(1)) == []


@pytest.mark.parametrize("seed", [6, 11, 17])
def test_a_chord_that_breaks_into_a_hum_is_no_word(detector: Detector, real: Answering, seed: int):
    sound = np.concatenate([np.zeros(8000, np.float32), hum(), music(4, seed), np.zeros(SAMPLE_RATE, np.float32)])
    told = [packets(sound, rate) for rate in (32_000, 64_000)]
    closed = [speech for one in told for speech in heard(detector, one)]
    assert closed, "the detector takes nothing of it for speech"
    assert [text for text in texts(real, [speech for speech in closed if _asked(speech)]) if text] == []


@pytest.mark.soak
def test_nobody_said_anything_in_ten_minutes_of_it(detector: Detector, real: Answering):
    sounds = [speechless(seed) for seed in range(2, 8)]
    assert sum(map(len, sounds)) >= 600 * SAMPLE_RATE
    assert [words for sound in sounds for words in words_in(detector, real, sound)] == []


def _asked(speech: Speech) -> bool:
    return worth_asking(speech.samples, speech.voiced, speech.end - speech.start)


@dataclass
class Talker:
    """Somebody who says sentences at known times and sends nothing in between; their crystal is not exact."""

    name: str
    drift: float
    said: list[Said] = field(default_factory=list)
    due: Iterator[tuple[int, bytes]] = field(default_factory=lambda: iter(()))
    ahead: tuple[int, bytes] | None = None

    def begin(self, detector: Detector, seed: int, seconds: float, encoded: list[list[bytes]]) -> None:
        self.voice = Voice(BEGAN)
        self.voice.track.clock.rate = 48_000 * (1 + self.drift)
        self.voice.track.clock.shift = BEGAN - 100 / (1 + self.drift)
        self.ear = Ear(self.voice.track, Segmenter(Segmenting()))
        self.voice.track.listen(self.ear.take)
        self.due = self._packets(random.Random(seed), seconds, encoded)
        self.ahead = next(self.due, None)

    def _packets(self, dice: random.Random, seconds: float, encoded: list[list[bytes]]) -> Iterator[tuple[int, bytes]]:
        at = dice.randint(50, 300)
        while at * PACKET < seconds - 10:
            number = dice.randrange(len(encoded))
            sentence = sentences()[number]
            slow = 1 / (1 + self.drift)
            begins = at * PACKET
            self.said.append(Said(sentence.text, (begins + sentence.start) * slow, (begins + sentence.end) * slow))
            for n, packet in enumerate(encoded[number]):
                yield at + n, packet
            at += len(encoded[number]) + dice.randint(60, 400)

    def feed(self, until: float) -> None:
        while self.ahead is not None and self.ahead[0] * PACKET < until:
            self.voice.sent = self.ahead[0]
            self.voice.feed(self.ahead[1])
            self.ahead = next(self.due, None)


EVERY = 15
"""Segment of those that the real engine hears too in the longest call, which it would make ten times as long."""


def attend(
    detector: Detector, answering: Answering, path: Path, seconds: float, real: Answering | None = None
) -> dict[str, float]:
    """A call of four, as fast as it goes. Returns what was measured."""
    encoded = [packets(np.concatenate([s.sound, np.zeros(4000, np.float32)])) for s in sentences()]
    talkers = [Talker(f"t{n}", drift) for n, drift in enumerate((0.0, 1e-4, -1e-4, 3e-5))]
    for n, talker in enumerate(talkers):
        talker.begin(detector, n, seconds, encoded)
    writer = TranscriptWriter(path)
    began, memory = time.monotonic(), []
    understood: dict[tuple[str, float], str] = {}
    process = psutil.Process()
    now, rounds = 0.0, 0
    while now < seconds + 5:
        now += 0.064
        rounds += 1
        for talker in talkers:
            talker.feed(now)
            for speech in talker.ear.listen(detector, BEGAN + now):
                [told] = answering.answer([Asked(1, segment(speech, talker.name), (1,), 0.0)])
                writer.add(Line(told.start, told.end, told.speaker, told.text))
                if real is not None and writer.lines % EVERY == 0:
                    [again] = real.answer([Asked(1, segment(speech, talker.name), (1,), 0.0)])
                    understood[talker.name, round(speech.start - BEGAN, 1)] = again.text
        if rounds % max(1, round(seconds / 0.064 / 20)) == 0:
            gc.collect()
            memory.append(process.memory_info().rss)
    writer.close()
    lines = transcript.read(path)
    assert [line.start for line in lines] == sorted(line.start for line in lines)
    errors: list[tuple[float, float]] = []
    words = []
    for talker in talkers:
        mine = [line for line in lines if line.speaker_id == talker.name]
        assert len(mine) == len(talker.said)
        for line, true in zip(mine, talker.said, strict=True):
            errors += [(true.start, line.start - BEGAN - true.start), (true.end, line.stop - BEGAN - true.end)]
            text = understood.get((talker.name, round(line.start - BEGAN, 1)))
            if text is not None:
                words.append((true.text, text))
    late = [abs(error) for at, error in errors if at > 0.75 * seconds]
    early = [abs(error) for at, error in errors if at < 0.25 * seconds]
    return {
        "lines": len(lines),
        "p95": float(np.percentile([abs(error) for _, error in errors], 95)),
        "drift": float(np.mean(late) - np.mean(early)),
        "memory": memory[-1] - memory[len(memory) // 4],
        "speed": seconds / (time.monotonic() - began),
        "understood": len(words),
        "wer": jiwer.wer([true for true, _ in words], [told for _, told in words]) if words else 0.0,
    }


@pytest.fixture
def scripted(tmp_path: Path) -> Answering:
    path = tmp_path / "script.json"
    path.write_text(json.dumps({"default": {"text": "well"}}))
    made = Answering(EngineSettings(engine="scripted", model=str(path)))
    made.load()
    return made


def test_minutes_of_a_call_of_four_pass_faster_than_real_time(detector: Detector, scripted: Answering, tmp_path: Path):
    told = attend(detector, scripted, tmp_path / "t.jsonl", 240)
    assert told["lines"] > 100
    assert told["p95"] <= 0.05
    assert abs(told["drift"]) <= 0.01
    assert told["speed"] > 1
    assert told["memory"] < 20e6


@pytest.mark.soak
def test_two_hours_of_a_call_of_four_keep_their_times_and_memory(
    detector: Detector, scripted: Answering, real: Answering, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    told = attend(detector, scripted, tmp_path / "t.jsonl", 7200, real)
    with capsys.disabled():
        print(told)
    assert told["lines"] > 3000
    assert told["p95"] <= 0.05
    assert abs(told["drift"]) <= 0.01
    assert told["understood"] > 200
    assert told["wer"] <= 0.1
    assert told["speed"] > 1
    assert told["memory"] < 20e6
