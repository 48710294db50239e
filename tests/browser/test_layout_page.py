"""The page of scenes without a style sheet: it lays out what the scene says, and nothing else is in it."""

from __future__ import annotations

from typing import Any

import pytest

from egress.browser.studio import Studio
from layouts.engine import compose
from layouts.scene import Scene
from tests.browser.drawing import SIZE, Painted, painted, served
from tests.layouts.calls import call_of
from tests.rig.servers.pictures import PictureServer

COUNTS = (1, 2, 3, 4, 5, 9, 10, 20)
_RECTS = """scene => {
    showScene(scene);
    return [...document.querySelectorAll("[data-testid=participant-view]")].map((view) => {
        const box = view.getBoundingClientRect();
        const video = view.querySelector("video")?.getBoundingClientRect();
        return [view.dataset.sessionId, box.x, box.y, box.width, box.height, video?.width, video?.height];
    });
}"""


@pytest.fixture(scope="module")
def plain(studio: Studio, server: PictureServer) -> Painted:
    made = painted(studio, served(server, ""))
    made.maker.make(compose("grid", {}, SIZE, call_of(1)))
    assert made.warned == []
    return made


def scenes(layout: str, size: tuple[int, int]) -> list[Scene]:
    calls = [call_of(count, without_video=[2]) for count in COUNTS]
    calls += [call_of(count, sharing=[0], without_video=[2]) for count in COUNTS]
    return [compose(layout, {}, size, call) for call in calls]


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant", "mobile"])
@pytest.mark.parametrize("size", [SIZE, (720, 1280)])
def test_tiles_lie_where_the_scene_has_them_within_a_pixel(plain: Painted, layout: str, size: tuple[int, int]):
    from dataclasses import asdict

    for scene in scenes(layout, size):
        found: list[list[Any]] = plain.evaluate(_RECTS, asdict(scene))
        assert [row[0] for row in found] == [tile.session_id for tile in scene.tiles]
        for row, tile in zip(found, scene.tiles, strict=True):
            rect = tile.rect
            wanted = (rect.x, rect.y, rect.width, rect.height)
            assert max(abs(a - b) for a, b in zip(row[1:5], wanted, strict=True)) <= 1, (layout, len(scene.tiles))
            video = (None, None) if tile.source is None else (rect.width, rect.height)
            assert tuple(row[5:]) == video


def test_slots_are_those_of_tiles_with_video_and_the_presenter_lies_over_the_screen(plain: Painted):
    scene = compose("single-participant", {}, SIZE, call_of(2, sharing=[1]))
    shown = plain.studio.run(plain.page.show(scene), 10)
    assert [(slot.tile, slot.fit) for slot in shown.slots] == [(0, "contain"), (1, "cover")]
    assert shown.settled


def test_the_class_names_of_the_open_layout_app_are_there(plain: Painted):
    call = call_of(4, speaking=[1], dominant=1, pinned=[2], without_video=[3])
    names = {}
    for layout in ("grid", "spotlight"):
        plain.studio.run(plain.page.show(compose(layout, {}, SIZE, call)), 10)
        names[layout] = set(
            plain.evaluate(
                """() => [...document.querySelectorAll("#root, #root *")].flatMap((e) => [...e.classList])"""
            )
        )
        common = {
            *("str-video", "str-video__participant-view", "str-video__participant-view--speaking"),
            *("str-video__participant-view--dominant-speaker", "str-video__participant-view--no-video"),
            *("str-video__participant-details", "str-video__participant-details__name", "str-video__video"),
            *("str-video__video-placeholder", "str-video__video-placeholder__initials-fallback"),
            *("eca__logo-and-title-overlay", "str-video__speech-indicator"),
        }
        assert common <= names[layout]
    assert {
        *("paginated-grid", "str-video__paginated-grid-layout", "str-video__paginated-grid-layout__group"),
        "str-video__paginated-grid-layout--two-four",
    } <= names["grid"]
    assert {
        *("spotlight", "str-video__speaker-layout", "str-video__speaker-layout__spotlight"),
        *("str-video__speaker-layout__participants-bar", "str-video__speaker-layout__participant-tile"),
        "str-video__speaker-layout--variant-bottom",
    } <= names["spotlight"]


def test_the_browser_reaches_nothing_by_itself(plain: Painted, server: PictureServer):
    before = list(server.asked)
    failed = plain.evaluate(
        """async (url) => {
            const tries = [fetch(url), new Promise((yes, no) => {
                const socket = new WebSocket(url.replace("http", "ws"));
                socket.onopen = yes; socket.onerror = no;
            })];
            return (await Promise.allSettled(tries)).map((t) => t.status);
        }""",
        f"{server.url}/secret",
    )
    assert failed == ["rejected", "rejected"]
    assert server.asked == before
