"""The demo's decisions and its page; the whole of it runs in the test of the command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from tests.rig import chromium
from workers import demo, demo_page

T0 = datetime(2025, 2, 10, tzinfo=UTC)
EVENTS = [
    {"type": "call.recording_started", "created_at": "2025-02-10T00:00:01.500000Z"},
    {"type": "call.recording_failed", "created_at": "2025-02-10T00:00:09.000000Z", "error": "<b>bold & bad</b>"},
]
FILM = demo_page.Film("recordings/a&b.mp4", T0 + timedelta(seconds=1))
SENT = [(T0, "start_recording"), (T0 + timedelta(seconds=5), "stop_recording")]


def test_messages_and_events_lie_on_one_line_of_time() -> None:
    assert [(m.at, m.what) for m in demo_page.timeline(SENT, EVENTS)] == [
        (0.0, "message start_recording"),
        (1.5, "call.recording_started"),
        (5.0, "message stop_recording"),
        (9.0, "call.recording_failed"),
    ]


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_it_shows() -> None:
    moments = demo_page.timeline(SENT, EVENTS)
    text = demo_page.page("A <call>", [FILM], [("part 1", "1 < 2")], moments, EVENTS)
    assert "<b>bold" not in text and "A &lt;call&gt;" in text and "1 &lt; 2" in text
    assert '<video controls preload="metadata" src="recordings/a&amp;b.mp4"></video>' in text
    assert not re.search(r"(https?:)?//", text)
    assert "left:100.00%" in text


async def test_what_was_said_is_shown_in_the_film_while_it_is_said(tmp_path: Path) -> None:
    if (reason := chromium.why_not()) is not None:
        pytest.skip(reason)
    said = [
        _line("before", -3.0, -1.0, "nobody records this"),
        _line("anna", 0.5, 2.0, "it began before the film"),
        _line("bert", 4.0, 5.5, "<i>5 < 6</i></script>"),
    ]
    page = tmp_path / "index.html"
    page.write_text(demo_page.page("A call", [FILM], [], demo_page.timeline(SENT, EVENTS), EVENTS, said))
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(chromium.EXECUTABLE), args=chromium.FLAGS)
        shown = await browser.new_page()
        await shown.goto(page.as_uri())
        found = await shown.evaluate(
            """() => [...document.querySelector("video").textTracks].map(
                 track => [track.mode, [...track.cues].map(cue => [cue.startTime, cue.endTime, cue.text])])"""
        )
        await browser.close()
    cues = [[0.0, 1.0, "anna: it began before the film"], [3.0, 4.5, "bert: &lt;i>5 &lt; 6&lt;/i>&lt;/script>"]]
    assert found == [["showing", cues]]


def _line(speaker: str, start: float, end: float, text: str) -> dict[str, str]:
    times = {name: (T0 + timedelta(seconds=at)).isoformat() for name, at in (("start_time", start), ("stop_time", end))}
    return {"type": "speech", "speaker_id": speaker, "text": text, **times}


def test_a_folder_with_other_peoples_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(demo.DemoError, match="holds files that no demo made"):
        demo.folder_for(tmp_path)
    assert (tmp_path / "thesis.tex").exists()


def test_a_folder_of_an_earlier_demo_is_made_anew(tmp_path: Path) -> None:
    out = demo.folder_for(tmp_path / "out")
    (out / "index.html").write_text("old")
    assert [p.name for p in demo.folder_for(out).iterdir()] == [".wallflower-demo"]


def test_the_demo_takes_no_settings_from_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLFLOWER_BROKER__URL", "redis://elsewhere/0")
    monkeypatch.setenv("WALLFLOWER_RECORDING__CRF", "40")
    settings = demo.settings_for(tmp_path)
    assert settings.broker.url.get_secret_value() == "memory:"
    assert settings.recording.crf == 23
    assert settings.recordings == tmp_path / "recordings"
