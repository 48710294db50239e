"""The page that a demo leaves: one file with a player, a timeline of the events, and the events themselves."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened, ``at`` seconds after the first message."""

    at: float
    what: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Film:
    """A video: its path relative to the page, and when its first picture was taken."""

    path: str
    start_time: datetime


def timeline(sent: Sequence[tuple[datetime, str]], events: Sequence[dict[str, Any]]) -> list[Moment]:
    """Messages and events on one line of time."""
    told = [(datetime.fromisoformat(e["created_at"]), e["type"], _more(e)) for e in events]
    all_ = sorted([*((time, f"message {what}", "") for time, what in sent), *told])
    first = all_[0][0] if all_ else None
    return [Moment((time - first).total_seconds(), what, more) for time, what, more in all_ if first is not None]


def page(
    title: str,
    films: Sequence[Film],
    facts: Sequence[tuple[str, str]],
    moments: Sequence[Moment],
    events: Sequence[dict[str, Any]],
    said: Sequence[dict[str, Any]] = (),
) -> str:
    """HTML without anything from elsewhere. What was ``said`` is shown in the films as subtitles, and as a list."""
    length = max((m.at for m in moments), default=0.0) or 1.0
    players = "\n".join(
        f'<video controls preload="metadata" src="{html.escape(film.path, quote=True)}"></video>' for film in films
    )
    rows = "\n".join(f"<tr><th>{html.escape(k)}</th><td>{html.escape(v)}</td></tr>" for k, v in facts)
    dots = "\n".join(
        f'<i class="{_kind(m)}" style="left:{100 * m.at / length:.2f}%" title="{html.escape(m.what, quote=True)}"></i>'
        for m in moments
    )
    steps = "\n".join(
        f"<li><b>{m.at:6.2f} s</b> <span class={_kind(m)}>{html.escape(m.what)}</span> {html.escape(m.more)}</li>"
        for m in moments
    )
    transcript = "\n".join(
        f"<li><b>{html.escape(line['start_time'][11:19])}</b> {html.escape(line['speaker_id'])}: "
        f"{html.escape(line['text'])}</li>"
        for line in said
    )
    raw = html.escape("\n".join(json.dumps(event, indent=2, ensure_ascii=False) for event in events))
    return _PAGE.format(
        title=html.escape(title),
        players=players,
        rows=rows,
        dots=dots,
        steps=steps,
        raw=raw,
        cues=json.dumps([_cues(film, said) for film in films]).replace("<", "\\u003c"),
        style=_STYLE,
        transcript=f"<h2>What was said</h2>\n<ol>{transcript}</ol>" if transcript else "",
    )


def _cues(film: Film, said: Sequence[dict[str, Any]]) -> list[tuple[float, float, str, str]]:
    """Start and end in seconds of the film, who speaks, and what."""
    found = []
    for line in said:
        start, end = (datetime.fromisoformat(line[name]) - film.start_time for name in ("start_time", "stop_time"))
        if end.total_seconds() > 0:
            found.append((max(0.0, start.total_seconds()), end.total_seconds(), line["speaker_id"], line["text"]))
    return found


def _more(event: dict[str, Any]) -> str:
    for name in ("call_recording", "call_transcription"):
        if name in event:
            return str(event[name].get("filename", ""))
    return str(event.get("closed_caption", {}).get("text") or event.get("error") or "")


def _kind(moment: Moment) -> str:
    if moment.what.startswith("message"):
        return "message"
    return moment.what.rpartition("_")[2]


_STYLE = """
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
video { width: 100%; border-radius: .5rem; background: #000; }
table { border-spacing: 1rem .2rem; margin-left: -1rem; } th { text-align: left; font-weight: 600; }
.line { position: relative; height: 1.2rem; margin: 1.5rem .5rem; border-bottom: 2px solid #8888; }
.line i { position: absolute; bottom: -.45rem; width: .8rem; height: .8rem; margin-left: -.4rem; border-radius: 50%; }
i.message { background: #888; } i.started { background: #2a9d4a; } i.stopped { background: #d08a00; }
i.ready { background: #2d6cdf; } i.caption { background: #8a4fd0; } i.failed { background: #d03030; }
ol { list-style: none; padding: 0; } li b { font-variant-numeric: tabular-nums; white-space: pre; }
pre { overflow: auto; padding: 1rem; background: #8881; border-radius: .5rem; font-size: .85rem; }
"""

_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title><style>{style}</style>
<h1>{title}</h1>
{players}
<table>{rows}</table>
{transcript}
<h2>What happened</h2>
<div class="line">{dots}</div>
<ol>{steps}</ol>
<h2>Events</h2>
<pre>{raw}</pre>
<script>
const films = {cues};
/* The text of a cue is WebVTT, in which these two characters mean something. */
const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
document.querySelectorAll("video").forEach((video, number) => {{
  if (!films[number].length) return;
  const track = video.addTextTrack("subtitles", "What was said", "en");
  for (const [start, end, who, text] of films[number])
    track.addCue(new VTTCue(start, end, plain(`${{who}}: ${{text}}`)));
  track.mode = "showing";
}});
</script>
</html>
"""
