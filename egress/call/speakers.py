"""Who speaks, and who speaks most: from sound levels to two flags that do not flicker. Pure; times are seconds."""

from __future__ import annotations

from dataclasses import dataclass

SPEAKING = -40.0
"""dBov at or above which a moment counts as speech."""
HANGOVER = 0.6
"""Seconds for which somebody still speaks after their last loud moment."""
ATTACK = 0.06
"""Seconds of loudness before somebody counts as speaking, so that a click does not."""
MEMORY = 1.5
"""Time constant, in seconds, of the activity by which the dominant speaker is chosen."""
ADVANTAGE = 1.5
"""By how much somebody must be more active than the dominant speaker to take over."""
TAKE_OVER = 0.4
"""Seconds for which somebody must have spoken to become dominant."""
LEAD = 0.4
"""Seconds of silence after which the dominant speaker can be followed by anybody."""


@dataclass(slots=True)
class _Voice:
    loud_since: float | None = None
    last_loud: float = -1e9
    activity: float = 0.0
    updated: float | None = None


class Speakers:
    """Fed with levels of participants, asked for flags."""

    def __init__(self) -> None:
        self._voices: dict[str, _Voice] = {}
        self._dominant: str | None = None

    def hear(self, session_id: str, level: float, now: float) -> None:
        """``level`` in dBov (0 the loudest, -127 silence) of a participant at ``now``."""
        voice = self._voices.setdefault(session_id, _Voice())
        loud = level >= SPEAKING
        past = 0.0 if voice.updated is None else max(0.0, now - voice.updated)
        weight = min(1.0, past / MEMORY)
        loudness = max(0.0, (level - SPEAKING) / -SPEAKING + 0.5) if loud else 0.0
        voice.activity += (loudness - voice.activity) * weight
        voice.updated = now
        if loud:
            if voice.loud_since is None or now - voice.last_loud > HANGOVER:
                voice.loud_since = now
            voice.last_loud = now

    def forget(self, session_id: str) -> None:
        """The participant left."""
        self._voices.pop(session_id, None)
        if self._dominant == session_id:
            self._dominant = None

    def is_speaking(self, session_id: str, now: float) -> bool:
        voice = self._voices.get(session_id)
        if voice is None or voice.loud_since is None:
            return False
        return now - voice.last_loud < HANGOVER and voice.last_loud - voice.loud_since >= ATTACK

    def dominant(self, now: float) -> str | None:
        """Who leads the conversation; stays with the last one while nobody speaks."""
        # Who has fallen silent has no lead left: the next to speak is not kept waiting for it to fade.
        leader = self._voices.get(self._dominant) if self._dominant else None
        led = leader is not None and now - leader.last_loud <= LEAD
        speaking = [
            (who, voice)
            for who, voice in self._voices.items()
            if self.is_speaking(who, now) and (led or who != self._dominant)
        ]
        best = max(speaking, key=lambda item: _activity(item[1], now), default=None)
        if best is None or best[0] == self._dominant:
            return self._dominant
        session_id, voice = best
        assert voice.loud_since is not None
        if voice.last_loud - voice.loud_since < TAKE_OVER and self._dominant is not None:
            return self._dominant
        if leader is None or not led or _activity(voice, now) > _activity(leader, now) * ADVANTAGE:
            self._dominant = session_id
        return self._dominant


def _activity(voice: _Voice, now: float) -> float:
    """How active somebody is by ``now``: who is silent may send nothing at all (DTX), and must not stay active."""
    unheard = 0.0 if voice.updated is None else max(0.0, now - voice.updated - HANGOVER)
    return voice.activity * max(0.0, 1 - unheard / MEMORY)
