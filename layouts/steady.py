"""Keeps the dominant speaker for a while, so that a quick exchange does not make a picture flicker."""

from __future__ import annotations

import math
from dataclasses import replace

from layouts.scene import CallView

STAY = 1.0
"""Seconds for which a new dominant speaker stays, whoever comes after; the first change after that is shown at once."""


class Steady:
    """The dominant speaker of one call, held. Asked with times that do not go back, in seconds of any origin."""

    def __init__(self) -> None:
        self._speaker: str | None = None
        self._since = -math.inf

    def view(self, call: CallView, now: float) -> CallView:
        """The call as it is to be shown: the same, but for who is its dominant speaker."""
        told = next((guest.session_id for guest in call.participants if guest.is_dominant_speaker), None)
        if told == self._speaker:
            return call
        present = any(guest.session_id == self._speaker for guest in call.participants)
        if not present or now - self._since >= STAY:
            # Silence begins no term: who speaks first after it is shown at once.
            self._since = now if told is not None else -math.inf
            self._speaker = told
            return call
        return CallView(
            tuple(
                replace(guest, is_dominant_speaker=guest.session_id == self._speaker)
                if guest.is_dominant_speaker or guest.session_id == self._speaker
                else guest
                for guest in call.participants
            )
        )
