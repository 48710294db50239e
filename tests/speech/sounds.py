"""Sentences spoken at known times, as Opus packets, and sound that is no speech."""

from __future__ import annotations

import asyncio
import json
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from egress.media.decode import AudioDecoder
from egress.speech.contract import SAMPLE_RATE, Sound
from egress.speech.resample import Decimator
from tests.media.fakes import FakeTrack, opus

MODEL = Path(__file__).parents[1] / "assets" / "whisper-tiny-espeak"
WIRE_RATE = 48_000
PACKET = 0.02


@dataclass(frozen=True, slots=True)
class Sentence:
    """A recorded sentence; ``start`` and ``end`` are where it is spoken in ``sound``."""

    text: str
    start: float
    end: float
    sound: Sound

    @property
    def seconds(self) -> float:
        return len(self.sound) / SAMPLE_RATE

    @property
    def spoken(self) -> Sound:
        """The speech alone."""
        return self.sound[round(self.start * SAMPLE_RATE) : round(self.end * SAMPLE_RATE)]


@dataclass(frozen=True, slots=True)
class Said:
    """What is true: seconds from the beginning of the sound."""

    text: str
    start: float
    end: float


@cache
def sentences() -> tuple[Sentence, ...]:
    """The twelve that the model was not trained on."""
    told = json.loads((MODEL / "heldout" / "transcripts.json").read_text())
    return tuple(Sentence(v["text"], v["start"], v["end"], _read(name)) for name, v in told.items())


def _read(name: str) -> Sound:
    with wave.open(str(MODEL / "heldout" / name)) as file:
        assert (file.getframerate(), file.getnchannels()) == (SAMPLE_RATE, 1)
        raw = np.frombuffer(file.readframes(file.getnframes()), np.int16)
    return raw.astype(np.float32) / 32768


@cache
def fluent(number: int) -> tuple[tuple[bytes, ...], tuple[Said, ...]]:
    """Half a minute (number 1 or 2) in which somebody speaks without a pause: its Opus packets, and the truth."""
    name = f"fluent_{number}.opus"
    told = json.loads((MODEL / "fluent" / "transcripts.json").read_text())
    with av.open(str(MODEL / "fluent" / name)) as file:
        told_packets = tuple(bytes(packet) for packet in file.demux(audio=0) if packet.size)
    return told_packets, tuple(Said(**sentence) for sentence in told[name])


def decoded(told: Sequence[bytes]) -> Sound:
    """The sound of Opus packets, as an engine hears it."""
    decoder = AudioDecoder()
    wide = np.concatenate([decoder.decode(packet)[:, 0] for packet in told])
    return Decimator().take(wide)


def script(parts: Sequence[Sentence | float]) -> tuple[Sound, list[Said]]:
    """Sentences and pauses (seconds) in a row, and what was said when."""
    sounds: list[Sound] = []
    said: list[Said] = []
    at = 0.0
    for part in parts:
        if isinstance(part, Sentence):
            said.append(Said(part.text, at + part.start, at + part.end))
            sounds.append(part.sound)
        else:
            sounds.append(np.zeros(round(part * SAMPLE_RATE), np.float32))
        at += len(sounds[-1]) / SAMPLE_RATE
    return np.concatenate(sounds), said


def stereo(sound: Sound) -> NDArray[np.float32]:
    """From 16 kHz to what is sent: 48 kHz, two channels."""
    spectrum = np.fft.rfft(sound)
    count = len(sound) * 3
    whole = np.zeros(count // 2 + 1, spectrum.dtype)
    whole[: len(spectrum)] = spectrum
    up = (np.fft.irfft(whole, count) * 3).astype(np.float32)
    return np.repeat(up[:, None], 2, axis=1)


def packets(sound: Sound, rate: int = 32_000) -> list[bytes]:
    """Packets of 20 ms."""
    return opus(stereo(sound), rate=rate)


class Voice:
    """A track on which packets are fed, each at its time: ``began`` is when the first one's sound was spoken."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.track = FakeTrack("audio", "opus", shift=began - 100.0)
        self.sent = 0

    def feed(self, packet: bytes, *, level: int | None = None, arrival: float | None = None) -> None:
        """The next packet."""
        at = self.began + self.sent * PACKET
        # Time stamps are exact, so that no rounding tears the sound.
        self.track.feed(
            packet, at if arrival is None else arrival, level=level, rtp_time=100 * WIRE_RATE + self.sent * 960
        )
        self.sent += 1

    def skip(self, count: int = 1) -> None:
        """Packets that are not sent, or lost."""
        self.sent += count

    async def live(self, told: Sequence[bytes]) -> None:
        """Feed them as time goes."""
        for packet in told:
            due = self.began + (self.sent + 1) * PACKET
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            self.feed(packet)


def noise(seconds: float, decibels: float, seed: int = 1) -> Sound:
    """White, of that level below full scale."""
    random = np.random.default_rng(seed)
    made: Sound = (random.standard_normal(round(seconds * SAMPLE_RATE)) * 10 ** (decibels / 20)).astype(np.float32)
    return made


def tone(seconds: float, frequency: float, amplitude: float = 0.3) -> Sound:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    made: Sound = (amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
    return made


def hum() -> Sound:
    """Eight seconds of mains, with overtones."""
    return sum((tone(8, 50.0 * n, 0.1 / n) for n in range(1, 8)), start=np.zeros(8 * SAMPLE_RATE, np.float32))


def music(seconds: float, seed: int = 3) -> Sound:
    """Chords of decaying tones with overtones over a bass and a beat, 120 beats a minute."""
    random = np.random.default_rng(seed)
    made = np.zeros(round(seconds * SAMPLE_RATE), np.float32)
    scale = (220.0, 247.5, 275.0, 293.3, 330.0, 366.7, 412.5)
    for beat in range(int(seconds * 2)):
        at = beat * SAMPLE_RATE // 2
        length = min(SAMPLE_RATE, len(made) - at)
        t = np.arange(length) / SAMPLE_RATE
        decay = np.exp(-3 * t)
        notes = [float(random.choice(scale)) for _ in range(3)] + [110.0 if beat % 2 else 82.4]
        for note in notes:
            for overtone in (1, 2, 3, 4):
                made[at : at + length] += (0.06 / overtone * decay * np.sin(2 * np.pi * note * overtone * t)).astype(
                    np.float32
                )
        hit = min(800, length)
        made[at : at + hit] += (random.standard_normal(hit) * 0.05 * np.exp(-np.arange(hit) / 150)).astype(np.float32)
    return made


def speechless(seed: int) -> Sound:
    """Two minutes without a word."""
    second = np.zeros(SAMPLE_RATE, np.float32)
    beeps = np.tile(np.concatenate([tone(0.2, 600 + 90 * seed, 0.5), np.zeros(4800, np.float32)]), 20)
    rumble = np.cumsum(noise(10, -50, seed)).astype(np.float32)
    sounds = [
        *([np.zeros(SAMPLE_RATE * 10, np.float32), noise(15, -20 - seed, seed), second, noise(15, -45, seed), second]),
        *([tone(2, f + 7 * seed, a) for f in (100, 440, 1000, 3000) for a in (0.1, 0.8)]),
        *([beeps, (tone(4, 697) + tone(4, 1209)) * 0.5, rumble / np.abs(rumble).max() * 0.3, hum(), music(30, seed)]),
    ]
    return np.concatenate(sounds)
