"""Who was silenced when: text comes seconds after what was said, when somebody may be silenced no longer. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable

KEPT = 600.0
"""Seconds for which it is known who was silenced: nothing that was said becomes text later than that."""


class Silences:
    """Times are seconds, by one clock."""

    def __init__(self) -> None:
        self._spans: dict[str, list[tuple[float, float]]] = {}
        """By user, the oldest first; one that lasts ends never."""

    def direct(self, silenced: Iterable[str], now: float) -> None:
        """Those users are silenced from now on, and nobody else."""
        wanted = set(silenced)
        for user_id in wanted | set(self._spans):
            spans = [span for span in self._spans.get(user_id, []) if span[1] > now - KEPT]
            lasts = bool(spans) and spans[-1][1] == math.inf
            if lasts and user_id not in wanted:
                spans[-1] = (spans[-1][0], now)
            elif not lasts and user_id in wanted:
                spans.append((now, math.inf))
            self._spans[user_id] = spans
        self._spans = {user_id: spans for user_id, spans in self._spans.items() if spans}

    def touch(self, user_id: str, start: float, end: float) -> bool:
        """Whether they were silenced at some time between the two."""
        return any(since < end and start < until for since, until in self._spans.get(user_id, []))
