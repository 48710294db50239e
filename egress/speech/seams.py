"""Whole words where a segment begins or ends in the middle of speech. Pure.

Speech that is cut without a pause is heard twice for a moment: the sound of the next segment begins before that of the
one before has ended. The first tells the words that begin before the seam. The next looks for these among its own and
tells what follows them. So no word depends on where in the sound the seam is, and none is torn, lost or told twice.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from egress.speech.contract import SAMPLE_RATE, Overlap, Segment, Utterance, Word

TOUCHES = 0.5
"""Seconds from the edge of the sound at which a word may have been torn by it, as sure as times of words are."""
MOST_WORDS = 16
"""Words looked at on each side of a seam: more than anybody says in the sound that both have."""
APART = 0.8
"""Seconds by which two times of the same word may differ: they come from the model's attention."""
SAME = 2.0
"""How much it counts that a word is heard the same by both, against each second by which its times differ."""
MISHEARD = 0.3
"""How much it counts that two words at one time, which were heard differently, may be one."""


def whole(utterance: Utterance, segment: Segment) -> Utterance:
    """The utterance without words that its edges tore or that the segment before has told.

    ``utterance`` is all that was heard in ``segment``, with its words. Where it has none, nothing is known to be torn.
    """
    words = utterance.words
    if not words or not (segment.open_start or segment.open_end):
        return utterance
    first, last = int(segment.open_start and words[0].start <= segment.audio_start + TOUCHES), len(words)
    if segment.before is not None:
        first = max(first, _told(segment.before, words))
    overlap = None
    if segment.open_end:
        last = _until(words, segment)
        kept = words[-MOST_WORDS:]
        overlap = Overlap(kept, max(0, last - len(words) + len(kept)))
    first = min(first, last)
    told = words[first:last]
    if not told:
        return replace(utterance, text="", words=(), translations={}, overlap=overlap)
    start = told[0].start if first else utterance.start
    end = told[-1].end if last < len(words) else utterance.end
    if segment.before is not None and segment.before.told:
        # The two have times of their own for the same sound: what was told is over.
        start = min(max(start, segment.before.words[segment.before.told - 1].end), end)
        told = tuple(replace(word, start=max(word.start, start), end=max(word.end, start)) for word in told)
    return replace(
        utterance,
        start=start,
        end=end,
        text=_text(utterance.text, words, first, last),
        words=told,
        overlap=overlap,
    )


def own(segment: Segment) -> Segment:
    """The segment without sound that another one has too: the seam tears a word where words have no times."""
    return from_seam(to_seam(segment))


def from_seam(segment: Segment) -> Segment:
    """The segment without sound that the one before has too."""
    begin = round((segment.start - segment.audio_start) * SAMPLE_RATE) if segment.open_start else 0
    return replace(segment, audio_start=segment.audio_start + begin / SAMPLE_RATE, samples=segment.samples[begin:])


def to_seam(segment: Segment) -> Segment:
    """The segment without sound that the next one has too."""
    stop = round((segment.end - segment.audio_start) * SAMPLE_RATE) if segment.open_end else len(segment.samples)
    return replace(segment, samples=segment.samples[:stop])


def _until(words: tuple[Word, ...], segment: Segment) -> int:
    """How many of the words are told of a segment whose sound ends in the middle of speech."""
    sound_ends = segment.audio_start + len(segment.samples) / SAMPLE_RATE
    if segment.end < sound_ends - TOUCHES:
        # The next segment has what begins behind the seam. The last word of all may be torn, whatever its time.
        return sum(word.start < segment.end for word in words[:-1])
    return len(words) - (words[-1].end >= sound_ends - TOUCHES)


def _told(before: Overlap, words: tuple[Word, ...]) -> int:
    """How many of the first of ``words`` the segment before has told."""
    ours = words[:MOST_WORDS]
    pairs = _pairs(before.words, ours)
    told = [mine for theirs, mine in pairs if theirs < before.told]
    if told:
        return told[-1] + 1
    # None of what was told is heard again: the times must do.
    seam = before.words[before.told - 1].end if before.told else before.words[0].start
    latest = pairs[0][1] if pairs else len(ours)
    return sum((word.start + word.end) / 2 < seam for word in ours[:latest])


def _pairs(theirs: Sequence[Word], ours: Sequence[Word]) -> list[tuple[int, int]]:
    """Which words of the two are one: in order, the same as far as can be, and at about the same time.

    The best such alignment; words without another one in the other cost nothing.
    """
    best = [[0.0] * (len(ours) + 1) for _ in range(len(theirs) + 1)]
    for i, one in enumerate(theirs):
        for j, other in enumerate(ours):
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], best[i][j] + _alike(one, other))
    pairs = []
    i, j = len(theirs), len(ours)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]


def _alike(one: Word, other: Word) -> float:
    """How much speaks for two words being one; less than nothing where they are not."""
    aside = abs(one.start - other.start)
    if aside > APART:
        return -1.0
    return (SAME if _plain(one.text) == _plain(other.text) else MISHEARD) - aside


def _plain(text: str) -> str:
    return re.sub(r"\W", "", text).casefold() or text


def _text(text: str, words: tuple[Word, ...], first: int, last: int) -> str:
    """The part of ``text`` that words ``first`` to ``last`` are, spaced as it is."""
    at = 0
    begin = stop = 0
    for number, word in enumerate(words[:last]):
        found = text.find(word.text, at)
        if found < 0:
            return " ".join(word.text for word in words[first:last])
        at = found + len(word.text)
        if number == first:
            begin = found
        stop = at
    return text[begin:stop]
