"""A transcript as subtitles: SubRip, WebVTT with voices, and text to read. Pure.

Written by hand, because the libraries for it lay out nothing and the two formats are a few lines each.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from egress.speech.contract import Line
from egress.speech.cues import cues, one_by_one


def srt(lines: Iterable[Line], zero: float, names: Mapping[str, str] | None = None, until: float | None = None) -> str:
    """SubRip. ``zero`` is when the media began, ``until`` when it ended (seconds since 1970)."""
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n"
        + "\n".join(text.replace("-->", "->") for text in cue.lines)
        for number, cue in enumerate(one_by_one(cues(lines, zero, names, until)), start=1)
    ]
    return "\n\n".join(blocks) + "\n" if blocks else ""


def vtt(lines: Iterable[Line], zero: float, names: Mapping[str, str] | None = None, until: float | None = None) -> str:
    """WebVTT, each cue in its speaker's voice. Cues of different speakers may overlap; players stack them."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n"
        f"<v {_escaped(' '.join(cue.speaker.split())) or 'unknown'}>" + "\n".join(map(_escaped, cue.lines)) + "</v>"
        for cue in cues(lines, zero, names, until)
    ]
    return "\n\n".join(["WEBVTT", *blocks]) + "\n"


def txt(lines: Iterable[Line], zero: float, names: Mapping[str, str] | None = None, until: float | None = None) -> str:
    """One paragraph for each turn: when it began, who spoke, what was said."""
    turns: list[tuple[float, str, list[str]]] = []
    for line in sorted(lines, key=lambda line: (line.start, line.stop)):
        if line.stop <= zero or (until is not None and line.start >= until) or not line.text.strip():
            continue
        name = " ".join((line.name or (names or {}).get(line.speaker_id) or line.speaker_id).split())
        text = " ".join(line.text.split())
        if turns and turns[-1][1] == name:
            turns[-1][2].append(text)
        else:
            turns.append((max(line.start - zero, 0.0), name, [text]))
    return "".join(f"[{_clock(at, '.')[:-4]}] {name}: {' '.join(said)}\n" for at, name, said in turns)


def _clock(seconds: float, point: str) -> str:
    """hh:mm:ss and milliseconds."""
    told = max(0, round(seconds * 1000))
    return f"{told // 3_600_000:02}:{told // 60_000 % 60:02}:{told // 1000 % 60:02}{point}{told % 1000:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
