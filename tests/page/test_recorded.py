"""Pages that are apps, that fail, that go where they must not: recorded with a real browser.

Needs Chromium, Xvfb and PulseAudio.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from layouts.scene import Rect
from tests.page.attended import ByHand
from tests.rig.film import Film, cut
from tests.rig.judge import judge
from tests.rig.picture import rgb
from tests.rig.required import unless
from tests.rig.web_page import BEFORE, DURING, PageServer, counted, why_not

pytestmark = unless(why_not())

TOKEN = "a-token-that-nobody-must-see"


async def failure(folder: Path, page: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """How the recording of a page fails."""
    async with ByHand(folder, page, **changed) as attendant:
        return await attendant.told("egress_failed")


async def test_an_app_is_told_in_both_ways_and_recorded_from_its_marker_on(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(marker=1), "token": TOKEN, "server_url": "wss://sfu.example", "user_id": "recorder"}
        layout = {"name": "custom", "options": {"colour": "blue"}}
        async with ByHand(tmp_path, page, kind="composite_recording", layout=layout, duration=3.0) as attendant:
            closed = await attendant.told("part_closed")
            await attendant.told("egress_ended")
            assert TOKEN not in attendant.log
        (told,) = server.told
    assert told["told"] == {
        "call_type": "default",
        "call_id": "page",
        "token": TOKEN,
        "user_id": "recorder",
        "layout": "custom",
        "options": {"colour": "blue"},
    }
    assert told["query"] == {"marker": "1", "layout": "custom", "url": "wss://sfu.example", "token": TOKEN}
    judged = judge(Path(closed["path"]))
    # The marker comes on a whole second of the page's clock, with the colour.
    first, number = next((time, number) for time, number, _ in judged._seen(DURING) if number >= 0)
    assert first - number / 30 < 0.2
    assert judged.presence(BEFORE) * judged.video_duration < 0.2
    assert judged.pictures is not None
    assert (judged.pictures.width, judged.pictures.height) == (640, 360)


async def test_an_app_that_loads_itself_anew_is_told_again(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(marker=1, reloads=0.5), "token": TOKEN}
        async with ByHand(tmp_path, page, kind="composite_recording", layout={"name": "custom"}, duration=1.0) as told:
            await told.told("egress_ended")
        first, second = server.told
    assert first == second


@pytest.mark.parametrize(("path", "code"), [("/nowhere", "page_refused"), ("/redirect", "url_refused")])
async def test_a_page_that_goes_by_itself_to_what_is_refused_is_stopped_with_that_reason(
    tmp_path: Path, path: str, code: str
):
    async with PageServer() as server:
        page = {"url": server.url(seconds=60, leaves=path), "app": False}
        async with ByHand(tmp_path, page) as attendant:
            closed = await attendant.told("part_closed")
            failed = await attendant.told("egress_failed")
    assert failed["code"] == code
    assert closed["size"] > 0


async def test_a_page_that_says_nothing_is_recorded_four_seconds_after_it_loaded(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(), "app": False}
        async with ByHand(tmp_path, page, quality="portrait-360x640", duration=1.0) as attendant:
            closed = await attendant.told("part_closed")
        assert "it has loaded 4 s ago" in attendant.log
        assert server.asked[0] == "/", "a page that is no app is told nothing"
    film = Film.read(Path(closed["path"]))
    assert (film.width, film.height) == (360, 640)
    # Nothing of the browser is seen: the page reaches into every corner, and its marks are where they are drawn.
    for corner in (Rect(0, 0, 4, 4), Rect(356, 0, 4, 4), Rect(0, 636, 4, 4), Rect(356, 636, 4, 4)):
        colour = cut(film.at(0.5), corner).reshape(-1, 3).mean(axis=0)
        assert np.abs(colour - rgb(BEFORE)).max() < 12
    assert len(set(counted(Path(closed["path"])))) > 10


async def test_the_sound_of_a_page_alone_can_be_recorded(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(seconds=3), "app": False}
        async with ByHand(tmp_path, page, quality="audio-only") as attendant:
            closed = await attendant.told("part_closed")
    judged = judge(Path(closed["path"]))
    assert judged.pictures is None
    assert len(judged.beeps(DURING)) in (3, 4)
    assert abs(judged.audio_duration - 3) < 0.3


async def test_a_page_that_is_not_there_is_refused_at_once(tmp_path: Path):
    async with PageServer() as server:
        failed = await failure(tmp_path, {"url": server.url("/nowhere", token=TOKEN), "app": False})
        assert server.asked.count(f"/nowhere?token={TOKEN}") == 1
    assert failed["code"] == "page_refused"
    assert "answered with the HTTP status 404" in failed["error"]
    assert TOKEN not in failed["error"]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.2:1/", "http://10.0.0.1/", "http://localhost/", "http://169.254.169.254/"]
)
async def test_a_private_address_is_refused_before_a_browser_starts(tmp_path: Path, url: str):
    failed = await failure(tmp_path, {"url": url, "app": False}, allow=["127.0.0.9/32"])
    assert failed["code"] == "url_refused"
    assert "private, local or reserved" in failed["error"]


async def test_a_page_cannot_lead_its_browser_to_a_private_address(tmp_path: Path):
    async with PageServer() as server, PageServer("127.0.0.2") as inside:
        for path in ("/redirect", "/tls_redirect"):
            failed = await failure(tmp_path, {"url": server.url(path), "app": False})
            assert failed["code"] == "url_refused"
            assert f"{server.url()[:-1]} leads to what may not be captured: 127.0.0.9" in failed["error"]
            assert "private, local or reserved" in failed["error"] and "xxx" not in failed["error"]
            assert server.asked.count(path) == 1
        (tmp_path / "2").mkdir()
        page = {"url": server.url(fetches=inside.url(), seconds=1), "app": False}
        async with ByHand(tmp_path / "2", page) as attendant:
            await attendant.told("egress_ended")
        assert "the page may not go there: 127.0.0.2" in attendant.log
        assert inside.asked == []


async def test_a_page_that_crashes_again_and_again_fails_with_its_reason_and_what_its_console_said(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(complains=TOKEN, throws="oh no"), "app": False, "token": TOKEN}
        async with ByHand(tmp_path, page) as attendant:
            crashing = asyncio.create_task(_crash_all_the_time(attendant, server))
            failed = await attendant.told("egress_failed", timeout=60)
            crashing.cancel()
            left = attendant.children("chromium")
    assert failed["code"] == "page_crashed"
    assert failed["error"].startswith("the page crashed, 4 times in a row; its console said: ")
    assert "error: cannot go on with ***" in failed["error"]
    assert TOKEN not in failed["error"] + attendant.log
    assert left == []


async def _crash_all_the_time(attendant: ByHand, server: PageServer) -> None:
    for times in range(1, 10):
        while len(server.asked) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await asyncio.sleep(1.0)
        attendant.crash()


async def test_the_file_goes_on_with_the_last_picture_while_a_page_that_crashed_is_loaded_anew(tmp_path: Path):
    async with PageServer() as server:
        page = {"url": server.url(seconds=20), "app": False, "await_start": True}
        async with ByHand(tmp_path, page, duration=9.0) as attendant:
            await attendant.told("egress_started")
            await asyncio.sleep(2.0)
            attendant.crash()
            closed = await attendant.told("part_closed")
        assert len(server.asked) == 2
    numbers = counted(Path(closed["path"]))
    judged = judge(Path(closed["path"]))
    assert abs(judged.video_duration - 9.0) < 0.5
    assert judged.presence(DURING) > 0.95, "nothing of the broken page, of an empty screen or of the loading is seen"
    assert len(set(numbers[:50])) > 30
    longest = max(len(run) for run in _runs(numbers))
    assert longest > 30, "the last picture stayed"
    assert len(set(numbers[-50:])) > 30, "the page is there again"


async def test_a_page_that_does_not_answer_is_loaded_anew_with_another_browser(tmp_path: Path):
    async with PageServer() as server:
        async with ByHand(tmp_path, {"url": server.url(hangs=5, seconds=60), "app": False}) as attendant:
            await attendant.told("egress_started")
            first = {child.pid for child in attendant.children("chromium")}
            async with asyncio.timeout(40):
                while len(server.asked) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            second = {child.pid for child in attendant.children("chromium")}
        assert "the page has not answered for 15 s; it is loaded anew in 0.5 s" in attendant.log
    assert first & second == set()


def _runs(numbers: list[int]) -> list[list[int]]:
    runs: list[list[int]] = [[numbers[0]]]
    for number in numbers[1:]:
        if number == runs[-1][-1]:
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


async def test_nothing_is_left_behind_by_an_attendant_that_is_killed(tmp_path: Path):
    before = _folders()
    async with PageServer() as server, ByHand(tmp_path, {"url": server.url(seconds=30), "app": False}) as attendant:
        await attendant.told("egress_started")
        children = attendant.children()
        names = " ".join(child.name() for child in children)
        assert "Xvfb" in names
        assert "pulseaudio" in names
        assert "chromium" in names
        folders = _folders() - before
        assert folders
        os.kill(attendant.pid, signal.SIGKILL)
        gone = 0
        for _ in range(250):
            left = any(_runs_still(child) for child in children) or any(folder.exists() for folder in folders)
            # A browser that is dying may write its folder anew, which is then taken away again.
            gone = 0 if left else gone + 1
            if gone == 25:
                break
            await asyncio.sleep(0.1)
    assert [child for child in children if _runs_still(child)] == []
    assert [folder for folder in folders if folder.exists()] == []


def _folders() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("wallflower-page-*"))


def _runs_still(child: psutil.Process) -> bool:
    try:
        return child.is_running() and child.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
