"""What speech to text costs: from the end of a sentence to its text with four who speak, and fifty who do not.

The engine is the real one with the small test model, in its own process; packets are real Opus, fed as time goes and
without a network. The cost of listening is that of its thread: decoding, voice activity, segments; not reception.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.processor import cpu_seconds, peak_memory
from egress.speech.contract import SAMPLE_RATE, EngineSettings, Segmenting, Utterance
from egress.speech.listening import Listening
from egress.speech.recognizer import Recognizer, RecognizerSettings
from egress.speech.supervisor import EngineSupervisor
from tests.speech.sounds import MODEL, PACKET, Said, Sentence, Voice, noise, packets, script, sentences

SPEAKERS = 4
SILENT = 50
SETTLING = 5.0
"""Seconds of silence before its cost is counted: how loud a room's noise is must be known first."""
NEAR = 0.5
"""Seconds by which an utterance and what is true may differ and be the same."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spoken:
    """Four who speak. Seconds, but for what says otherwise."""

    sentences: int
    found: int
    right: int
    silence_duration: float
    latencies: list[float]
    """From the end of the speech to the utterance at its listener."""
    spoken: float
    engine_cpu: float
    listening_cpu: float
    real_time_factor: float
    """Seconds of inference for a second of sound that was asked."""
    engine_memory: int
    """Bytes at the most."""

    @property
    def cost_per_hour(self) -> float:
        """Hours of a processor for an hour of speech."""
        return (self.engine_cpu + self.listening_cpu) / self.spoken


@dataclass(frozen=True, slots=True)
class Silent:
    """Fifty who do not, by how their silence is told. In cores."""

    muted: float
    not_sent: float
    low_level: float
    silence_sent: float
    noise_sent: float
    """A quiet room (-55 dBFS), all of it decoded and judged."""


async def speak(folder: Path, seconds: float, say: Say) -> Spoken:
    """Four talk at once for so long, pausing for 0.9 to 2 s between sentences."""
    settings = EngineSettings(model=str(MODEL / "model"), threads=1, workers=2)
    supervisor = EngineSupervisor(settings, folder / "speech-engine")
    await supervisor.ensure()
    assert supervisor.pid is not None
    told: list[tuple[float, Utterance]] = []
    recognizer = Recognizer(
        RecognizerSettings(supervisor.socket), lambda u: told.append((time.monotonic(), u)), lambda at: at
    )
    dice = random.Random(7)
    scripts = [await asyncio.to_thread(_talk, dice, seconds) for _ in range(SPEAKERS)]
    say(f"{SPEAKERS} speak for {seconds:g} s")
    recognizer.start()
    before = cpu_seconds(supervisor.pid)
    voices = [Voice(time.monotonic()) for _ in range(SPEAKERS)]
    for number, voice in enumerate(voices):
        recognizer.hear(f"s{number}", voice.track)
    await asyncio.gather(*(voice.live(told_) for voice, (told_, _) in zip(voices, scripts, strict=True)))
    listening = recognizer.processor_seconds
    await recognizer.close()
    spent = cpu_seconds(supervisor.pid) - before
    memory = peak_memory(supervisor.pid)
    counts = supervisor.told
    latencies, right = [], 0
    for number, (voice, (_, said)) in enumerate(zip(voices, scripts, strict=True)):
        for true in said:
            for at, utterance in told:
                if utterance.speaker == f"s{number}" and abs(utterance.start - voice.began - true.start) < NEAR:
                    latencies.append(at - voice.began - true.end)
                    right += utterance.text == true.text
    await supervisor.close()
    everything = [true for _, said in scripts for true in said]
    return Spoken(
        sentences=len(everything),
        found=len(latencies),
        right=right,
        silence_duration=Segmenting().silence_duration_ms / 1000,
        latencies=latencies,
        spoken=sum(true.end - true.start for true in everything),
        engine_cpu=spent,
        listening_cpu=listening,
        real_time_factor=counts["busy_seconds"] / counts["sound_seconds"],
        engine_memory=memory,
    )


def _talk(dice: random.Random, seconds: float) -> tuple[list[bytes], list[Said]]:
    parts: list[Sentence | float] = [dice.uniform(0, 2)]
    lasted = 0.0
    while lasted < seconds - 6:
        sentence = dice.choice(sentences())
        pause = dice.uniform(0.9, 2.0)
        parts += [sentence, pause]
        lasted += sentence.seconds + pause
    sound, said = script([*parts, 1.5])
    return packets(sound), said


async def silent(seconds: float, say: Say) -> Silent:
    """Fifty who are there and say nothing, in each of the ways in which that can be."""
    quiet = packets(np.zeros(SAMPLE_RATE * 2, np.float32))
    room = packets(noise(4, -55))
    say(f"{SILENT} are silent, five times for {seconds:g} s")
    return Silent(
        muted=await _listen(seconds, room, muted=True),
        not_sent=await _listen(seconds, [b"\xf8\xff\xfe"], every=20),
        low_level=await _listen(seconds, room, level=75),
        silence_sent=await _listen(seconds, quiet),
        noise_sent=await _listen(seconds, room),
    )


async def _listen(
    seconds: float, told: Sequence[bytes], *, muted: bool = False, level: int | None = None, every: int = 1
) -> float:
    """Cores that listening takes while each of fifty sends ``told`` over and over, each ``every``-th packet of it."""
    listening = Listening(Segmenting(), lambda speaker, speech: None)
    began = time.monotonic()
    voices = [Voice(began) for _ in range(SILENT)]
    for number, voice in enumerate(voices):
        listening.hear(f"s{number}", voice.track).mute(muted)
    listening.start()
    settled, spent = round(SETTLING / PACKET), 0.0
    for number in range(settled + round(seconds / PACKET)):
        if number == settled:
            spent = listening.processor_seconds
        await asyncio.sleep(max(0.0, began + (number + 1) * PACKET - time.monotonic()))
        if number % every == 0:
            for at, voice in enumerate(voices):
                voice.sent = number
                voice.feed(told[(number + 7 * at) % len(told)], level=level)
    spent = listening.processor_seconds - spent
    passed = time.monotonic() - began - SETTLING
    await asyncio.to_thread(listening.stop)
    return spent / passed


def percentile(values: Sequence[float], part: float) -> float:
    """Of at least two values."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(part) - 1]
