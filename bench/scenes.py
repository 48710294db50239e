"""How long it takes to compute a scene of a call with fifty guests, by layout."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import Any

from layouts.engine import compose
from layouts.option import ALL
from layouts.options import parse_options
from layouts.scene import CallView
from layouts.steady import Steady
from tests.layouts.calls import call_of

GUESTS = 50
LOOKS = 400
"""Looks at the call; one every 50 ms is what an attendant does."""
SIZE = (1280, 720)

_BUSY: dict[str, Any] = {
    "participant.filter": {"$or": [{"hasVideo": True}, {"hasScreenShare": True}]},
    "custom_actions": [
        {
            "action_type": "options_override",
            "condition": {"participant_count": {"$gt": number}},
            "options": {"title.text": f"more than {number}"},
        }
        for number in (2, 10, 40)
    ],
}


@dataclass(frozen=True, slots=True)
class Composed:
    """Milliseconds for one scene, in which somebody else speaks than in the one before."""

    layout: str
    options: str
    median: float
    worst_of_twenty: float
    """95 of 100 take less."""


def run() -> list[Composed]:
    calls = [
        call_of(GUESTS, speaking=(number % GUESTS,), dominant=number // 20 * 7 % GUESTS, without_video=range(0, 50, 7))
        for number in range(LOOKS)
    ]
    return [
        _timed(layout, name, options, calls)
        for layout in ALL
        for name, options in (("defaults", {}), ("filter and three actions", _BUSY))
    ]


def _timed(layout: str, name: str, options: dict[str, Any], calls: list[CallView]) -> Composed:
    asked, steady, scene = parse_options(layout, options), Steady(), None
    taken = []
    for number, call in enumerate(calls):
        began = time.perf_counter()
        scene = compose(layout, asked, SIZE, steady.view(call, number * 0.05), scene, now=number * 0.05)
        taken.append((time.perf_counter() - began) * 1000)
    return Composed(layout, name, statistics.median(taken), statistics.quantiles(taken, n=20)[-1])
