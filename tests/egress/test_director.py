"""From the state of a call to scenes, and to wishes about tracks."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from egress.call.model import Wants
from egress.director import Director, Layout, larger
from egress.easel import NativeMaker
from egress.media.compositor import Decor
from layouts.images import NoImages
from layouts.options import LayoutError
from layouts.scene import Rect, Scene
from tests.layouts.calls import call_of


class FakeProgram:
    size = (640, 360)
    fps = 30

    def __init__(self) -> None:
        self.scheduled: list[tuple[float, Decor]] = []

    def schedule(self, when: float, decor: Decor) -> None:
        self.scheduled.append((when, decor))


@pytest.fixture(scope="module")
def painting() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as executor:
        yield executor


def director(painting: ThreadPoolExecutor, layout: str = "grid", **options: Any) -> tuple[Director, FakeProgram]:
    program: Any = FakeProgram()
    return Director(program, Layout(layout, options), painting), program


async def test_a_scene_is_painted_for_the_moment_it_was_decided(painting: ThreadPoolExecutor):
    directed, program = director(painting)
    assert directed.update(call_of(2), 100.0)
    await directed.painted()
    [(when, decor)] = program.scheduled
    assert when == 100.0
    assert decor.scene == directed.scene
    assert [p.shape for p in decor.ground] == [(360, 640), (180, 320), (180, 320)]


async def test_what_does_not_change_the_scene_paints_nothing(painting: ThreadPoolExecutor):
    directed, program = director(painting)
    directed.update(call_of(2), 100.0)
    assert not directed.update(call_of(2), 100.05)
    await directed.painted()
    assert len(program.scheduled) == 1


async def test_scenes_are_shown_in_the_order_of_time(painting: ThreadPoolExecutor):
    directed, program = director(painting)
    for n in range(1, 6):
        directed.update(call_of(n), float(n))
    await directed.painted()
    assert [when for when, _ in program.scheduled] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [len(decor.scene.tiles) for _, decor in program.scheduled] == [1, 2, 3, 4, 5]


async def test_wishes_are_the_sizes_of_the_tiles(painting: ThreadPoolExecutor):
    directed, _ = director(painting)
    assert directed.wishes() == {}
    directed.update(call_of(4), 1.0)
    wishes = directed.wishes()
    assert set(wishes) == {(f"s{n}", "video") for n in range(4)}
    assert directed.scene is not None
    for tile in directed.scene.tiles:
        assert wishes[(tile.session_id, "video")] == Wants(tile.rect.width, tile.rect.height, 30)
    await directed.painted()


async def test_what_is_not_shown_is_not_wanted(painting: ThreadPoolExecutor):
    directed, _ = director(painting, "single-participant")
    directed.update(call_of(3, dominant=1), 1.0)
    assert set(directed.wishes()) == {("s1", "video")}
    directed.update(call_of(3, dominant=1, without_video=[0, 1, 2]), 2.0)
    assert directed.wishes() == {}
    await directed.painted()


async def test_a_scene_that_cannot_be_painted_is_logged_and_the_next_one_is(
    painting: ThreadPoolExecutor, caplog: pytest.LogCaptureFixture
):
    directed, program = director(painting)
    schedule = program.schedule

    def fails(when: float, decor: Decor) -> None:
        raise RuntimeError("no paint")

    program.schedule = fails  # type: ignore[method-assign]
    directed.update(call_of(1), 1.0)
    await directed.painted()
    program.schedule = schedule  # type: ignore[method-assign]
    directed.update(call_of(2), 2.0)
    await directed.painted()
    assert "no paint" in caplog.text
    assert [when for when, _ in program.scheduled] == [2.0]


async def test_an_unknown_layout_is_refused(painting: ThreadPoolExecutor):
    with pytest.raises(LayoutError):
        director(painting, "mosaic")


def test_the_larger_wish_satisfies_both():
    assert larger(None, Wants(10, 20, 30)) == Wants(10, 20, 30)
    assert larger(Wants(100, 5, 30), Wants(10, 20, 15)) == Wants(100, 20, 30)


class FakeImages:
    """An ImageSource with nothing in it, whose generation the test sets."""

    generation = 0

    def get(self, address: str, side: int) -> None:
        return None


async def test_a_picture_that_comes_is_painted_into_its_scene_from_the_beginning(painting: ThreadPoolExecutor):
    program: Any = FakeProgram()
    images = FakeImages()
    directed = Director(program, Layout("grid", {}), painting, NativeMaker(images))
    assert directed.update(call_of(2), 100.0)
    images.generation += 1
    assert directed.update(call_of(2), 100.4)
    assert not directed.update(call_of(2), 100.5)
    await directed.painted()
    assert [when for when, _ in program.scheduled] == [100.0, 100.0]


async def test_a_rotation_begins_with_its_first_page_whenever_that_is(painting: ThreadPoolExecutor):
    cells = {"grid.columns": 2, "grid.rows": 1}
    directed, _ = director(painting, "grid", **cells, **{"layout.rotate_seconds": 10})
    found = []
    for now in (1234.5, 1244.0, 1244.6):
        directed.update(call_of(4), now)
        assert directed.scene is not None
        found.append([tile.session_id for tile in directed.scene.tiles])
    assert found == [["s0", "s1"], ["s0", "s1"], ["s2", "s3"]]
    await directed.painted()


async def test_a_quick_exchange_does_not_change_who_is_on_stage(painting: ThreadPoolExecutor):
    directed, _ = director(painting, "single-participant")
    stage = []
    for now, speaker in ((0.0, 1), (0.3, 2), (0.6, 1), (0.8, 2), (1.1, 2)):
        directed.update(call_of(3, dominant=speaker), now)
        assert directed.scene is not None
        stage.append(directed.scene.tiles[0].session_id)
    assert stage == ["s1", "s1", "s1", "s1", "s2"]
    await directed.painted()


class MovingMaker:
    """Waits to be told to go on; then has every tile but the first at the place of the first, with half its width."""

    generation = 0

    def __init__(self) -> None:
        self.made: list[Scene] = []
        self.go_on = threading.Event()
        self._native = NativeMaker(NoImages())

    def make(self, scene: Scene) -> Decor:
        self.go_on.wait(5)
        self.made.append(scene)
        [first, *others] = scene.tiles
        rect = Rect(first.rect.x, first.rect.y, first.rect.width // 4 * 2, first.rect.height)
        return self._native.make(replace(scene, tiles=tuple(replace(tile, rect=rect) for tile in others)))


async def test_scenes_that_come_faster_than_they_are_painted_are_left_out(painting: ThreadPoolExecutor):
    program: Any = FakeProgram()
    maker = MovingMaker()
    directed = Director(program, Layout("grid", {}), painting, maker, skips=True)
    for n in range(1, 6):
        directed.update(call_of(n), float(n))
        await asyncio.sleep(0.01)
    maker.go_on.set()
    await directed.painted()
    assert [when for when, _ in program.scheduled] == [1.0, 5.0]


async def test_wishes_follow_where_a_painter_has_put_the_tiles(painting: ThreadPoolExecutor):
    program: Any = FakeProgram()
    maker = MovingMaker()
    directed = Director(program, Layout("grid", {}), painting, maker, skips=True)
    directed.update(call_of(2), 1.0)
    assert set(directed.wishes()) == {("s0", "video"), ("s1", "video")}, "before that is known"
    maker.go_on.set()
    await directed.painted()
    assert directed.scene is not None
    first = directed.scene.tiles[0].rect
    assert directed.wishes() == {("s1", "video"): Wants(first.width // 4 * 2, first.height, 30)}


async def test_a_layout_that_changes_is_shown_from_the_next_look_on(painting: ThreadPoolExecutor):
    directed, program = director(painting, "grid")
    directed.update(call_of(3), 100.0)
    directed.change(Layout("spotlight", {"grid.position": "top"}))
    assert directed.update(call_of(3), 101.0)
    await directed.painted()
    assert [(when, decor.scene.layout) for when, decor in program.scheduled] == [(100.0, "grid"), (101.0, "spotlight")]


async def test_a_layout_that_cannot_be_honoured_changes_nothing(painting: ThreadPoolExecutor):
    directed, _ = director(painting, "grid")
    directed.update(call_of(3), 100.0)
    with pytest.raises(LayoutError):
        directed.change(Layout("grid", {"grid.colums": 2}))
    assert not directed.update(call_of(3), 101.0)
    await directed.painted()


async def test_what_is_painted_otherwise_is_shown_from_now_on_and_what_was_being_painted_is_not(
    painting: ThreadPoolExecutor,
):
    directed, program = director(painting, "grid")
    directed.update(call_of(3), 100.0)
    await directed.painted()
    with ThreadPoolExecutor(max_workers=1) as other:
        busy = threading.Event()
        painting.submit(busy.wait)
        directed.update(call_of(4), 101.0)
        directed.repaint(other, NativeMaker(NoImages()), skips=False)
        assert not directed.ready
        assert directed.update(call_of(4), 102.0)
        await directed.painted()
        busy.set()
        await asyncio.get_running_loop().run_in_executor(painting, lambda: None)
    assert [when for when, _ in program.scheduled] == [100.0, 102.0]
