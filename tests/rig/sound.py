"""What a guest sounds like, and how one guest is heard out of a mix.

A *hum*, quiet and without end, shows holes; a *beep* of 60 ms at each whole second shows when. Every guest has two
frequencies of its own. All are multiples of 50 Hz and at least 150 Hz apart, so that a Hann window of 20 ms, which is
blind at multiples of 50 Hz beyond its main lobe, tells them apart exactly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
BEEP_SECONDS = 0.060
BEEP_AMPLITUDE = 0.10
HUM_AMPLITUDE = 10 ** (-38 / 20)
SPEECH_AMPLITUDE = 10 ** (-20 / 20)
"""Of the hum of somebody who speaks: with the other one SFUs take a guest for silent but for the beeps."""
STEP = 24
"""Samples between two values of an envelope: half a millisecond."""
_WINDOW = 20e-3
_PERIOD = RATE // 50

Samples = NDArray[np.float32]


def hum_frequency(identity: int) -> int:
    return 400 + 150 * identity


def beep_frequency(identity: int) -> int:
    return 2000 + 250 * identity


def second_of(identity: int, hum: float = HUM_AMPLITUDE, beep: bool = True) -> Samples:
    """One second of a guest (mono, 48 kHz), which can be played round and round."""
    time = np.arange(RATE) / RATE
    made = np.zeros(RATE)
    if hum:
        made += hum * np.sin(2 * np.pi * hum_frequency(identity) * time)
    if beep:
        sounding = time < BEEP_SECONDS
        made += BEEP_AMPLITUDE * np.sin(2 * np.pi * beep_frequency(identity) * time) * sounding
    return made.astype(np.float32)


def envelope(samples: Samples, frequency: int) -> NDArray[np.float64]:
    """How strong a tone is, each half millisecond: its amplitude, by a Hann window of 20 ms around that moment.

    Value ``i`` belongs to the time ``(i + 0.5) * STEP / RATE``.
    """
    whole = len(samples) // _PERIOD * _PERIOD
    turn = np.exp(-2j * np.pi * frequency * np.arange(_PERIOD) / RATE).astype(np.complex64)
    base = (samples[:whole].reshape(-1, _PERIOD) * turn).reshape(-1, STEP).mean(axis=1)
    hann = np.hanning(round(_WINDOW * RATE / STEP) + 1)
    smooth = np.convolve(base, hann / hann.sum(), mode="same")
    return 2 * np.abs(smooth)


def onsets(strength: NDArray[np.float64], least: float = BEEP_AMPLITUDE / 4) -> list[float]:
    """When a tone sets in, in seconds: where its envelope passes half of the height it reaches, to a fraction of 1 ms.

    Swellings shorter than 20 ms are not tones.
    """
    found = []
    for start, end in runs(strength > least):
        if (end - start) * STEP / RATE < 0.020:
            continue
        half = strength[start:end].max() / 2
        first = start
        while first > 0 and strength[first - 1] > half:
            first -= 1
        while strength[first] <= half:
            first += 1
        if first == 0:
            continue
        low, high = strength[first - 1], strength[first]
        found.append(float(first - 0.5 + (half - low) / (high - low)) * STEP / RATE)
    return found


def quiet(strength: NDArray[np.float64], below: float, shortest: float) -> list[tuple[float, float]]:
    """Stretches (start, end in seconds) in which the envelope stays under ``below``."""
    return [
        (start * STEP / RATE, end * STEP / RATE)
        for start, end in runs(strength < below)
        if (end - start) * STEP / RATE >= shortest
    ]


def loudness(samples: Samples, window: float = 0.002) -> NDArray[np.float64]:
    """RMS of consecutive windows, linear (1.0 is full scale)."""
    size = round(window * RATE)
    whole = len(samples) // size * size
    blocks = samples[:whole].reshape(-1, size).astype(np.float64)
    return np.asarray(np.sqrt((blocks**2).mean(axis=1)))


def decibels(amplitude: float) -> float:
    """dBFS of a linear level."""
    return 20 * float(np.log10(max(amplitude, 1e-9)))


def runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Index ranges [start, end) in which the flag is set."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return [(int(edges[i]), int(edges[i + 1])) for i in range(0, len(edges), 2)]
