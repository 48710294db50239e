"""What egresses cost and whether they fit on this host, as pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from egress.protocol.encoding import Quality
from egress.protocol.speech import SPEECH_KINDS
from workers.ledger.states import State

COMPOSITE = 1.0
"""Cores of a composite recording of 1280×720 pixels 30 times a second: receiving, decoding, composing and encoding."""
PAGE = 1.0
"""Cores of a browser that shows a lively page of that size, beside what encodes it."""
_MEASURED = 1280 * 720 * 30
AUDIO_ONLY = 0.1
SPEAKING = 0.25
"""Cores of what a transcription, or closed captions, take of a call: both go one way, and together need twice that."""

_WORKING = (State.PENDING, State.STARTING, State.ACTIVE, State.STOPPING)


def cores(kind: str, spec: Mapping[str, Any]) -> float:
    """Processor cores that an egress takes while it runs, by its kind and what was asked for."""
    if kind in SPEECH_KINDS:
        return SPEAKING
    width, height = Quality(spec.get("quality", Quality.P720)).size
    page = spec.get("page") is not None
    if not width:
        return AUDIO_ONLY + page * PAGE
    fps: float = spec.get("video", {}).get("fps", 30)
    return round((COMPOSITE + page * PAGE) * width * height * fps / _MEASURED, 3)


def works(state: State, desired: str) -> bool:
    """Whether an egress takes, or will take, part of the host. What was taken back before it began never will."""
    return state in _WORKING and not (state is State.PENDING and desired == "stop")


@dataclass(frozen=True, slots=True)
class Load:
    """What a host has taken on."""

    cores: float = 0.0
    attended: int = 0
    """Calls with an attendant, or about to have one."""

    def plus(self, asked: float) -> Load:
        return Load(self.cores + asked, self.attended + 1)


def lacks(load: Load, asked: float, cpus: float, most: int) -> str | None:
    """Why a call that asks for so many cores does not fit beside that load; None when it does.

    On a host with nothing to do one call always fits, so that a machine which is too small works all the same, and
    a call in which nothing is to be received (``asked`` 0) costs nothing.
    """
    if asked == 0:
        return None
    if load.attended >= most:
        return f"{load.attended} calls are attended already (attendants.max)"
    if load.attended and load.cores + asked > cpus + 1e-6:
        return f"it takes {asked:g} cores, and of {cpus:g} (agent.cpus) {max(0.0, cpus - load.cores):g} are free"
    return None
