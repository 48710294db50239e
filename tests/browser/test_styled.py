"""Style sheets over a layout: what is composed looks as Chromium itself shows the page, whatever fails on the way."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import psutil
import pytest

from egress import styled
from egress.browser import chromium as chromium_module
from egress.browser.studio import Studio
from egress.media.compositor import DecorMaker
from egress.url_guard import Guard
from layouts.engine import compose
from layouts.native import NativePainter
from layouts.scene import CallView, Scene
from tests.browser.drawing import SIZE, Painted, composed, luma, painted, rendered, served, still
from tests.layouts.calls import call_of
from tests.rig.servers.pictures import PictureServer, Told
from tests.rig.similarity import similarity

WALL = """
.str-video { background: linear-gradient(45deg, #123, #a52); font-family: "Noto Serif"; }
.str-video__participant-view { border-radius: 40px; outline: none; box-shadow: 0 0 20px #0008; }
.str-video__participant-view--speaking { outline: 6px solid gold; outline-offset: 3px; }
.str-video__participant-details {
  align-self: flex-start; margin: 0 50px; padding: 4px 14px;
  color: #103; background: #ffffffc0; border: 0; border-radius: 0 0 18px 18px; font-weight: bold;
}
.str-video__participant-view--dominant-speaker .str-video__participant-details::after { content: " \\2B50"; }
"""
MOVED = """
.str-video__paginated-grid-layout__group {
  display: flex; flex-wrap: wrap; gap: 33px; padding: 21px; align-content: center;
}
.str-video__participant-view { position: relative; left: 0; top: 0; width: 45%; height: 40%; opacity: 0.9; }
.str-video__participant-details { left: 50%; transform: translateX(-50%); bottom: 0; }
"""
SINGLE = """
.str-video__participant-view { border-radius: 50px; }
.eca__dominant-speaker-screen-share__current-speaker { width: 321px; height: 181px; box-shadow: 0 0 30px black; }
"""


def cameras(scene: Scene) -> dict[Any, Any]:
    shape = {"video": (640, 360), "screen_share": (800, 600)}
    return {
        (tile.session_id, tile.source): still(index, *shape[tile.source])
        for index, tile in enumerate(scene.tiles)
        if tile.source is not None
    }


CASES = {
    "labels moved, tiles round, another font": ("grid", WALL, call_of(4, speaking=[1], dominant=1, without_video=[2])),
    "tiles moved": ("grid", MOVED, call_of(5, speaking=[0], dominant=0)),
    "a bar": ("spotlight", WALL, call_of(5, speaking=[1], dominant=1, sharing=[2])),
    "a round presenter over a screen": ("single-participant", SINGLE, call_of(2, sharing=[1])),
}


@pytest.mark.parametrize("case", CASES)
def test_it_looks_as_the_page_with_stills_in_its_slots(studio: Studio, server: PictureServer, case: str):
    layout, css, call = CASES[case]
    by = painted(studio, served(server, css))
    scene = compose(layout, {}, SIZE, call)
    decor = by.maker.make(scene)
    assert by.warned == []
    stills = cameras(scene)
    ours, theirs = luma(composed(scene, decor, stills)), luma(rendered(by, scene, stills))
    alike = similarity(ours, theirs)
    over = np.zeros(alike.shape, bool)
    for overlays in decor.overlays:
        for one in overlays:
            width, height = one.size
            over[max(one.y - 2, 0) : one.y + height + 2, max(one.x - 2, 0) : one.x + width + 2] = True
    assert over.any()
    print(f"{case}: {alike[over].mean():.4f} over the videos, {alike.mean():.4f} of the whole")
    assert alike[over].mean() >= 0.98
    assert alike.mean() >= 0.98
    by.maker.close()


def test_what_is_drawn_without_a_style_sheet_lies_where_the_native_painter_has_it(
    studio: Studio, server: PictureServer
):
    scene = compose("grid", {}, SIZE, call_of(4, speaking=[0], dominant=0))
    by = painted(studio, served(server, "/* nothing */"))
    ours = DecorMaker(NativePainter()).make(scene)
    stills = cameras(scene)
    alike = similarity(luma(composed(scene, by.maker.make(scene), stills)), luma(composed(scene, ours, stills)))
    assert alike.mean() >= 0.98
    by.maker.close()


def test_a_scene_that_comes_back_is_not_drawn_again(studio: Studio, server: PictureServer):
    by = painted(studio, served(server, WALL))
    scenes = [compose("grid", {}, SIZE, call_of(3, speaking=[n], dominant=n)) for n in range(2)]
    made = [by.maker.make(scene) for _ in range(2) for scene in scenes]
    assert [by.maker.make(scene) for scene in scenes] == made[2:]
    began = time.perf_counter()
    for scene in scenes * 10:
        by.maker.make(scene)
    assert time.perf_counter() - began < 0.1
    by.maker.close()


def test_a_hidden_video_has_no_tile_and_so_is_not_wanted(studio: Studio, server: PictureServer):
    by = painted(
        studio,
        served(
            server,
            """
            [data-session-id=s0] { display: none !important; }
            [data-session-id=s1] { visibility: hidden; }
            [data-session-id=s2] { left: -3000px; }
            .str-video__participant-view[data-session-id=s3]::after {
                content: ""; position: absolute; inset: 0; background: navy;
            }
            """,
        ),
    )
    decor = by.maker.make(compose("grid", {}, SIZE, call_of(5)))
    assert [tile.session_id for tile in decor.scene.tiles] == ["s4"]
    by.maker.close()


def test_a_tile_whose_picture_has_not_come_shows_the_placeholder_of_the_page(studio: Studio, server: PictureServer):
    by = painted(
        studio,
        served(server, ".str-video__video-placeholder { background: #3366cc } [class*=initials] { color: #fff }"),
    )
    scene = compose("grid", {}, SIZE, call_of(1))
    canvas = composed(scene, by.maker.make(scene), {})
    rect = scene.tiles[0].rect
    red, green, blue = canvas[rect.y + 60, rect.x + 60].astype(int)
    assert abs(red - 0x33) < 12 and abs(green - 0x66) < 12 and abs(blue - 0xCC) < 12
    by.maker.close()


# What is wrong with a style sheet.


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (Told(status=404), "answered 404"),
        (Told(b" " * 600_000), "has more than 524288 bytes"),
        (Told(status=302, headers={"Location": "http://10.0.0.1/wall.css"}), "private, local or reserved"),
    ],
)
def test_a_style_sheet_that_cannot_be_had_is_told_once_and_left_out(
    studio: Studio, server: PictureServer, answer: Told, sentence: str
):
    server.answers["/bad.css"] = [answer]
    by = painted(studio, f"{server.url}/bad.css")
    for count in (1, 2, 3):
        decor = by.maker.make(compose("grid", {}, SIZE, call_of(count)))
        assert len(decor.scene.tiles) == count
    [(code, message)] = by.warned
    assert code == "layout_not_styled" and sentence in message
    by.maker.close()


def test_what_is_no_css_changes_nothing(studio: Studio, server: PictureServer):
    by = painted(studio, served(server, "<html>}}}} not { css \0 " * 50))
    scene = compose("grid", {}, SIZE, call_of(2))
    assert [tile.rect for tile in by.maker.make(scene).scene.tiles] == [tile.rect for tile in scene.tiles]
    assert by.warned == []
    by.maker.close()


def test_imports_and_pictures_come_through_the_guard_alone(studio: Studio, server: PictureServer):
    imported = served(server, ".str-video { background: #00ff00; }")
    css = f'@import url("{imported}"); @import url("http://169.254.169.254/latest/meta-data");'
    by = painted(studio, served(server, css + " .str-video { background-image: url('file:///etc/passwd') }"))
    decor = by.maker.make(compose("grid", {}, SIZE, call_of(0)))
    assert decor.ground[0].mean() == pytest.approx(145, abs=3), "the sheet that may be imported counts"
    [(code, message)] = by.warned
    assert code == "layout_css_incomplete" and "169.254.169.254" in message
    by.maker.close()


def test_a_picture_that_comes_late_is_shown_when_it_has_come(studio: Studio, server: PictureServer):
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><path d="M0 0h8v8H0z" fill="#fff"/></svg>'
    server.answers["/late.svg"] = [Told(svg, after=1.5, headers={"Content-Type": "image/svg+xml"})]
    by = painted(studio, served(server, f".str-video {{ background: black url({server.url}/late.svg) }}"))
    scene = compose("grid", {}, SIZE, call_of(0))
    assert by.maker.make(scene).ground[0].max() == 16
    generation = by.maker.generation
    until = time.monotonic() + 20
    while by.maker.generation == generation and time.monotonic() < until:
        time.sleep(0.05)
    assert by.maker.make(scene).ground[0].min() == 235
    by.maker.close()


def test_a_picture_that_cannot_be_had_is_asked_for_once(studio: Studio, server: PictureServer):
    by = painted(studio, served(server, ".str-video { background: white }"))
    call = call_of(2, without_video=[0])
    guests = (replace(call.participants[0], image=f"{server.url}/nobody.png"), call.participants[1])
    for speaker in (0, 1, 0):
        people = tuple(replace(guest, is_speaking=n == speaker) for n, guest in enumerate(guests))
        by.maker.make(compose("grid", {}, SIZE, CallView(people)))
    generation = by.maker.generation
    by.maker.make(compose("grid", {}, SIZE, call_of(1)))
    assert by.maker.generation == generation
    assert server.asked.count("/nobody.png") == 1
    [(code, message)] = by.warned
    assert code == "layout_css_incomplete" and "answered 404" in message
    by.maker.close()


# What is wrong with the browser.


def browsers() -> list[psutil.Process]:
    """Processes of the browsers that this process has started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if "chrom" in child.name():
                found.append(child)
    return found


@pytest.fixture
def own_studio(studio: Studio) -> Iterator[Studio]:
    """A browser that may be broken."""
    studio.discard()
    made = Studio(Guard(allow=["127.0.0.0/8"]))
    yield made
    made.close()


def is_styled(by: Painted, count: int) -> bool:
    """Whether a new scene is drawn with white ground."""
    return bool(by.maker.make(compose("grid", {}, SIZE, call_of(count))).ground[0][0, 0] > 200)


def test_a_browser_that_crashes_is_started_again_and_nobody_notices(own_studio: Studio, server: PictureServer):
    by = painted(own_studio, served(server, ".str-video { background: white }"))
    assert is_styled(by, 1)
    for process in browsers():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    assert is_styled(by, 2)
    assert by.warned == []


def test_a_page_that_hangs_is_left_for_a_new_one(
    own_studio: Studio, server: PictureServer, monkeypatch: pytest.MonkeyPatch
):
    by = painted(own_studio, served(server, ".str-video { background: white }"))
    assert is_styled(by, 1)
    monkeypatch.setattr(styled, "DRAW_TIMEOUT", 1.5)
    stopped = browsers()
    for process in stopped:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        is_styled(by, 2)
        assert time.monotonic() - began < 20
    finally:
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def test_without_a_browser_scenes_are_painted_natively_and_that_is_told(
    server: PictureServer, monkeypatch: pytest.MonkeyPatch
):
    chromium_module.chromium.cache_clear()
    monkeypatch.setattr(chromium_module, "PROGRAMS", ())
    monkeypatch.setattr(chromium_module, "_playwright_folders", list)
    studio = Studio(Guard(allow=["127.0.0.0/8"]))
    try:
        by = painted(studio, served(server, ".str-video { background: white }"))
        for count in (1, 2):
            scene = compose("grid", {}, SIZE, call_of(count))
            decor = by.maker.make(scene)
            assert decor.scene == scene
        assert {code for code, _ in by.warned} == {"layout_not_styled"}
        assert "no Chromium is installed" in by.warned[0][1]
    finally:
        studio.close()
        chromium_module.chromium.cache_clear()
