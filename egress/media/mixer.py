"""Adds voices up: every one at its own level, and a soft limit that only loud moments meet.

Programs of a call may hear different voices. Each voice is played once; each mix takes of them what it is to hear.
"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

import numpy as np

from egress.media.decode import Samples
from egress.media.source import SoundSource

KNEE = np.float32(0.8)
"""Below this amplitude sound passes unchanged; above, it bends towards 1.0 and never reaches it."""
FADE = 480
"""Samples over which a voice comes or goes that is to be heard from now on, or not any more: 10 ms, without a click."""

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Voice:
    """What one source plays in a tick, shape (samples, 2), and whose it is."""

    session_id: str
    sound: Samples


def play(sources: Iterable[tuple[str, SoundSource]], start: int, count: int) -> list[Voice]:
    """What is there of sources over samples ``start`` to ``start + count`` of the timeline; it is forgotten by them."""
    voices = []
    for session_id, source in sources:
        sound: Samples = np.zeros((count, 2), np.float32)
        if source.add_to(sound, start):
            voices.append(Voice(session_id, sound))
    return voices


def mix(voices: Iterable[Voice], count: int, before: Set[str] = NOBODY, now: Set[str] = NOBODY) -> Samples:
    """The sum of voices, shape (count, 2).

    ``now`` has the participants who are left out, ``before`` those who were left out of the samples before.
    """
    total: Samples = np.zeros((count, 2), np.float32)
    heard = False
    for voice in voices:
        was, stays = voice.session_id not in before, voice.session_id not in now
        if was and stays:
            total += voice.sound
        elif was or stays:
            total += voice.sound * _fade(count, rising=stays)
        heard = heard or was or stays
    return soft_limit(total) if heard else total


def _fade(count: int, *, rising: bool) -> Samples:
    ramp = np.minimum(1.0, np.arange(count, dtype=np.float32) / np.float32(FADE))[:, None]
    faded: Samples = (ramp if rising else 1 - ramp).astype(np.float32)
    return faded


def soft_limit(sound: Samples) -> Samples:
    """Bend what is louder than the knee. It is a fixed curve, so nothing pumps: a quiet voice beside a loud one keeps
    its level."""
    loud = np.abs(sound)
    if float(loud.max(initial=0.0)) <= KNEE:
        return sound
    room = 1 - KNEE
    bent = KNEE + room * np.tanh((loud - KNEE) / room)
    limited: Samples = np.where(loud > KNEE, np.copysign(bent, sound), sound).astype(np.float32)
    return limited
