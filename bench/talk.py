"""What four people say who talk at once, and when: sentences of the loopback call's guests with pauses by chance. Pure.

A talk is a loop of whole seconds. It lies on true time as if it had begun in 1970, so that whoever sends it and whoever
knows it agree on when each sentence is said without a word between them.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from egress.call.loopback.lines import PACKET_MS, TURN
from tests.rig.loops import AudioLoop, spoken_loop
from tests.rig.spoken import Sentence, heard

TALKERS = 4
LOOP = 120
"""Seconds of a talk."""
PAUSES = (0.9, 2.0)
"""Seconds from the end of a sentence to the beginning of the next, at least and at most."""
_TURN = round(TURN * 1000) // PACKET_MS


@dataclass(frozen=True, slots=True)
class Talk:
    """``sentences`` are in the order in which they are said; their times are seconds of the loop."""

    sound: AudioLoop
    sentences: tuple[Sentence, ...]

    def said(self, start: float, end: float) -> Iterator[Sentence]:
        """Sentences that are wholly said between two moments (seconds since 1970)."""
        for turn in range(int(start // LOOP), int(end // LOOP) + 1):
            for one in self.sentences:
                there = replace(one, start=turn * LOOP + one.start, end=turn * LOOP + one.end)
                if start <= there.start and there.end <= end:
                    yield there


@cache
def talk(guest: str) -> Talk:
    """The same one each time: the guest's sentences in a row, over and over."""
    dice = random.Random(guest)
    voice, lines = spoken_loop(guest), heard(guest)
    taken: list[int] = []
    sentences: list[Sentence] = []

    def wait(seconds: float) -> None:
        """The last packet of a turn is silent."""
        taken.extend([_TURN - 1] * round(seconds * 1000 / PACKET_MS))

    wait(dice.uniform(0, PAUSES[1]))
    while (began := len(taken) * PACKET_MS / 1000) < LOOP - TURN - PAUSES[1]:
        number = len(sentences) % len(lines)
        text, begins, ends = lines[number]
        sentences.append(Sentence(text, began + begins, began + ends))
        # The next turn, too, begins with some silence.
        behind = dice.uniform(*PAUSES) - lines[(number + 1) % len(lines)][1]
        length = round((ends + behind) * 1000 / PACKET_MS)
        taken.extend(number * _TURN + packet for packet in range(min(length, _TURN)))
        wait((length - min(length, _TURN)) * PACKET_MS / 1000)
    wait(LOOP - len(taken) * PACKET_MS / 1000)
    return Talk(AudioLoop([voice.packets[n] for n in taken], [voice.levels[n] for n in taken]), tuple(sentences))


def at_once(talks: list[Talk], start: float, end: float) -> float:
    """How many speak at the same time, on the average between two moments."""
    return sum(one.end - one.start for each in talks for one in each.said(start, end)) / (end - start)
