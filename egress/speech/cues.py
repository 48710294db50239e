"""From lines of a transcript to cues that can be read: two lines of 42 signs at most, seven seconds at most. Pure.

A long sentence becomes several cues of about equal length, broken behind punctuation where there is some. Their times
are those of the words, where they are known, and otherwise in proportion to the text.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import regex

from egress.speech.contract import Line

WIDTH = 42
"""Signs in a line; wide ones (Chinese, Japanese, Korean) count twice."""
LONGEST = 7.0
"""Seconds of one cue at the most."""
SHORTEST = 5 / 6
"""Seconds of one cue at the least, where nobody else needs the place."""
READABLE = 20.0
"""Columns that are read in a second; a text that was said faster, or in no time, is shown for longer where the speaker
says nothing else then."""
_PIECES = regex.compile(r"\s+|[^\s\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]+|\X")
_CLUSTERS = regex.compile(r"\X")
_STOPS = tuple(".!?,;:…。！？、，；：")


@dataclass(frozen=True, slots=True)
class Cue:
    """Times are seconds from the media's start."""

    start: float
    end: float
    speaker: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """What is never broken: a word, or a sign of a script without spaces."""

    text: str
    spaced: bool
    """Whether a space stands before it."""
    width: int


def cues(
    lines: Iterable[Line], zero: float, names: Mapping[str, str] | None = None, until: float | None = None
) -> list[Cue]:
    """Cues in the order of their starts; a speaker's own never overlap.

    ``zero`` and ``until`` are when the media began and ended (seconds since 1970): what was said before or after is
    left out. ``names`` are what speakers are called, by id.
    """
    made: list[Cue] = []
    ahead: dict[str, float] = {}
    for line in sorted(lines, key=lambda line: (line.start, line.stop), reverse=True):
        if line.stop <= zero or (until is not None and line.start >= until):
            continue
        name = line.name or (names or {}).get(line.speaker_id) or line.speaker_id
        made += reversed(_of_line(line, zero, name, ahead.get(line.speaker_id, math.inf)))
        ahead[line.speaker_id] = line.start
    made.reverse()
    made.sort(key=lambda cue: cue.start)
    return _apart(made)


def one_by_one(told: list[Cue]) -> list[Cue]:
    """The cues one after the other, for players that cannot show two: the next takes the place of the one before,
    once that could be read."""
    made: list[Cue] = []
    for cue in told:
        if made and cue.start < made[-1].end:
            at = min(made[-1].end, max(cue.start, made[-1].start + SHORTEST))
            made[-1] = replace(made[-1], end=at)
            cue = replace(cue, start=at, end=max(cue.end, at + SHORTEST))
        made.append(cue)
    return made


def width(text: str) -> int:
    """Columns that ``text`` takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text
    )


def _of_line(line: Line, zero: float, name: str, ahead: float) -> list[Cue]:
    """``ahead`` is when the speaker says the next thing."""
    pieces = _pieces(line.text)
    if not pieces:
        return []
    start, stop = max(line.start, zero), max(line.stop, line.start + 0.001)
    count = max(1, math.ceil((stop - start) / LONGEST - 1e-6))
    while True:
        groups = _groups(pieces, min(count, len(pieces)))
        laid = [_laid(group) for group in groups]
        if all(one is not None for one in laid) or count >= len(pieces):
            break
        count += 1
    if len(groups) > 1:
        wanted = sum(max(SHORTEST, sum(piece.width for piece in group) / READABLE) for group in groups)
        stop = max(stop, min(start + wanted, ahead))
    edges = _edges(groups, line, start, stop)
    return [
        Cue(edges[n] - zero, min(edges[n + 1], edges[n] + LONGEST) - zero, name, one or (_joined(groups[n]),))
        for n, one in enumerate(laid)
    ]


def _pieces(text: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    spaced = False
    for found in _PIECES.findall(text.strip()):
        if found.isspace():
            spaced = True
            continue
        part = ""
        for cluster in _CLUSTERS.findall(found):
            if width(part + cluster) > WIDTH:
                pieces.append(_Piece(part, spaced, width(part)))
                part, spaced = "", False
            part += cluster
        # A stop stays with what it ends, also where no spaces are written.
        if pieces and not spaced and part in _STOPS and pieces[-1].width + width(part) <= WIDTH:
            last = pieces.pop()
            part, spaced = last.text + part, last.spaced
        pieces.append(_Piece(part, spaced, width(part)))
        spaced = False
    return pieces


def _groups(pieces: list[_Piece], count: int) -> list[list[_Piece]]:
    """The pieces in ``count`` groups of about equal width, broken behind stops where one is near."""
    total = sum(piece.width + piece.spaced for piece in pieces)
    groups: list[list[_Piece]] = []
    at, done = 0, 0.0
    for number in range(count - 1):
        goal = total * (number + 1) / count
        best, least = at + 1, math.inf
        sofar = done
        for end in range(at + 1, len(pieces) - (count - 2 - number)):
            sofar += pieces[end - 1].width + pieces[end - 1].spaced
            off = abs(sofar - goal) - (10 if pieces[end - 1].text.endswith(_STOPS) else 0)
            if off < least:
                best, least = end, off
        groups.append(pieces[at:best])
        done += sum(piece.width + piece.spaced for piece in pieces[at:best])
        at = best
    return [*groups, pieces[at:]]


def _laid(group: list[_Piece]) -> tuple[str, ...] | None:
    """One line or two, the two as equal as they can be; None where they are not enough."""
    whole = _joined(group)
    if width(whole) <= WIDTH:
        return (whole,)
    best: tuple[str, ...] | None = None
    least = math.inf
    for at in range(1, len(group)):
        first, second = _joined(group[:at]), _joined(group[at:])
        if width(first) > WIDTH or width(second) > WIDTH:
            continue
        off = abs(width(first) - width(second)) - (12 if first.endswith(_STOPS) else 0)
        if off < least:
            best, least = (first, second), off
    return best


def _joined(group: list[_Piece]) -> str:
    return "".join((" " if piece.spaced and n else "") + piece.text for n, piece in enumerate(group))


def _edges(groups: list[list[_Piece]], line: Line, start: float, stop: float) -> list[float]:
    """When each group begins, and the end of the last."""
    counts = [len(group) for group in groups]
    if len(line.words) == sum(counts):
        firsts = [sum(counts[:n]) for n in range(1, len(counts))]
        inner = [min(max(line.words[first].start, start), stop) for first in firsts]
    else:
        widths = [sum(piece.width for piece in group) for group in groups]
        inner = [start + (stop - start) * sum(widths[:n]) / sum(widths) for n in range(1, len(widths))]
    return [start, *inner, stop]


def _apart(made: list[Cue]) -> list[Cue]:
    """Short cues shown a little longer, and never into the speaker's next."""
    ahead: dict[str, float] = {}
    told: list[Cue] = []
    for cue in reversed(made):
        end = max(cue.end, cue.start + SHORTEST)
        if (following := ahead.get(cue.speaker)) is not None:
            end = min(end, max(following, cue.start + 0.001))
        ahead[cue.speaker] = cue.start
        told.append(replace(cue, end=end))
    return told[::-1]
