"""What exact guests who speak say when, and how long it sounds: the truth that captions are held against."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from egress.call.loopback.lines import LEAD, LINES, TURN, voice
from egress.media.decode import SAMPLE_RATE, AudioDecoder

AUDIBLE = 0.003
"""Of full scale, -50 dBFS: a vowel that fades is spoken to its end, and what is synthesised has no noise below it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Times are seconds since 1970."""

    text: str
    start: float
    end: float


@functools.cache
def heard(guest: str) -> tuple[tuple[str, float, float], ...]:
    """Of each sentence of a guest of the loopback call: what it is, and where in its turn it can be heard (seconds)."""
    decoder = AudioDecoder()
    sound = np.abs(np.concatenate([decoder.decode(packet)[:, 0] for packet in voice(guest)]))
    each = round(TURN * SAMPLE_RATE)
    found = []
    for number, line in enumerate(LINES[guest]):
        loud = np.flatnonzero(sound[number * each : (number + 1) * each] > AUDIBLE) / SAMPLE_RATE
        assert loud[0] > LEAD - 0.1
        found.append((line, float(loud[0]), float(loud[-1])))
    return tuple(found)


def sentences(guest: str, device: float, start: float, end: float, drift_ppm: float = 0.0) -> Iterator[Sentence]:
    """Those that are wholly said between two moments, by a device that was started at ``device``."""
    known, rate = heard(guest), 1 + drift_ppm * 1e-6
    for turn in range(int((end - device) * rate / TURN) + 1):
        text, begins, ends = known[turn % len(known)]
        said = Sentence(text, device + (turn * TURN + begins) / rate, device + (turn * TURN + ends) / rate)
        if said.start >= start and said.end <= end:
            yield said
