"""The segments that wait for an engine: oldest first, a bounded number, none for ever. Pure.

Under pressure a speaker's waiting segments are taken together, because an inference costs the same for one sentence as
for thirty seconds. A segment whose inference an engine did not survive runs alone, so that it can harm no other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace

import numpy as np

from egress.speech.contract import SAMPLE_RATE, Segment, Sound

MERGE_AGE = 4.0
"""Seconds that the oldest waits from which on segments are merged."""
LONGEST = 28.0
"""Seconds of sound in merged segments at the most."""


@dataclass(slots=True)
class Asked:
    """One question: a segment, or several of one speaker in a row."""

    asker: Hashable
    """Who is answered."""
    segment: Segment
    ids: tuple[int, ...]
    since: float
    """When the first of them came."""
    tries: int = 0
    """Engines that died over it."""

    def joins(self, other: Asked) -> bool:
        """Whether ``other`` can be taken together with this one, which came before."""
        mine, theirs = self.segment, other.segment
        return (
            self.asker == other.asker
            and not self.tries
            and not other.tries
            and mine.speaker == theirs.speaker
            and (mine.language, mine.words, mine.translate_to) == (theirs.language, theirs.words, theirs.translate_to)
            and mine.end <= theirs.start
            # An open edge is looked at where the sound ends.
            and not mine.open_end
            and not theirs.open_start
            and theirs.audio_start + len(theirs.samples) / SAMPLE_RATE - mine.audio_start <= LONGEST
        )

    def join(self, other: Asked) -> None:
        """Take ``other`` into this one, with the silence between them."""
        mine, theirs = self.segment, other.segment
        at = round((theirs.audio_start - mine.audio_start) * SAMPLE_RATE)
        sound: Sound = np.zeros(at + len(theirs.samples), np.float32)
        head = min(at, len(mine.samples))
        sound[:head] = mine.samples[:head]
        sound[at:] = theirs.samples
        voiced = mine.voiced + theirs.voiced
        self.segment = replace(mine, end=theirs.end, samples=sound, voiced=voiced, open_end=theirs.open_end)
        self.ids += other.ids


class Waiting:
    """What waits, in the order in which it came."""

    def __init__(self, most: int, deadline: float) -> None:
        self._most = most
        self._deadline = deadline
        self._asked: OrderedDict[int, Asked] = OrderedDict()
        self._next = 0
        self.merged = 0
        """Segments that were taken together with an earlier one."""

    def __len__(self) -> int:
        return len(self._asked)

    def oldest(self, now: float) -> float:
        """Seconds that the oldest has waited."""
        first = next(iter(self._asked.values()), None)
        return 0.0 if first is None else now - first.since

    def add(self, asked: Asked, now: float) -> list[Asked]:
        """One more; returns what is given up for it."""
        if len(self._asked) >= self._most // 2 or self.oldest(now) > MERGE_AGE:
            last = next((a for a in reversed(self._asked.values()) if self._same(a, asked)), None)
            if last is not None and last.joins(asked):
                last.join(asked)
                self.merged += 1
                return []
        given_up = [self._asked.popitem(last=False)[1]] if len(self._asked) >= self._most else []
        self._asked[self._next] = asked
        self._next += 1
        return given_up

    @staticmethod
    def _same(one: Asked, other: Asked) -> bool:
        return one.asker == other.asker and one.segment.speaker == other.segment.speaker

    def expired(self, now: float) -> list[Asked]:
        """Take out what has waited for too long."""
        late = [key for key, asked in self._asked.items() if now - asked.since > self._deadline]
        return [self._asked.pop(key) for key in late]

    def take(self, size: int) -> list[Asked]:
        """Take out the oldest, up to ``size``."""
        batch: list[Asked] = []
        for key, asked in list(self._asked.items()):
            if len(batch) == size or (asked.tries and batch):
                break
            batch.append(self._asked.pop(key))
            if asked.tries:
                break
        return batch

    def forget(self, asker: Hashable) -> None:
        """Whoever asked is gone."""
        for key in [key for key, asked in self._asked.items() if asked.asker == asker]:
            del self._asked[key]
