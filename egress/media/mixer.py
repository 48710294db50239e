"""Adds voices up: every source at its own level, and a soft limit that only loud moments meet."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from egress.media.decode import Samples
from egress.media.source import SoundSource

KNEE = np.float32(0.8)
"""Below this amplitude sound passes unchanged; above, it bends towards 1.0 and never reaches it."""


def mix(sources: Iterable[SoundSource], start: int, count: int) -> Samples:
    """The sum of ``sources`` over samples ``start`` to ``start + count`` of the timeline, shape (count, 2)."""
    total: Samples = np.zeros((count, 2), np.float32)
    heard = 0
    for source in sources:
        heard += source.add_to(total, start)
    return soft_limit(total) if heard else total


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
