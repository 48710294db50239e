"""Scenes drawn from synthetic pictures: what lies where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from egress.media.compositor import Compositor, DecorMaker
from egress.media.scaling import scaled_size
from egress.media.video_source import Picture
from layouts.scene import Color, Placeholder, Rect, ScaleMode, Scene, Source, Tile
from tests.media.fakes import luma_of, picture

GROUND, HOLDER, PATCH = 60, 120, 200
"""Greys (RGB) of the background, of placeholders and of patches."""


def luma(grey: int) -> int:
    return round(16 + 219 * grey / 255)


@dataclass
class FakePatch:
    rect: Rect
    rgba: NDArray[np.uint8]


@dataclass
class FakePainting:
    under: NDArray[np.uint8]
    over: Sequence[FakePatch]
    signs: int = 0


class FakePainter:
    """One grey for all of the ground, one for placeholders; ``patches`` lie above."""

    def __init__(self) -> None:
        self.patches: list[FakePatch] = []
        self.signs = 0
        self.placeholders = 0
        self._kept: dict[Tile, NDArray[np.uint8]] = {}

    def paint(self, scene: Scene) -> FakePainting:
        under = np.full((scene.height, scene.width, 4), 255, np.uint8)
        under[..., :3] = GROUND
        return FakePainting(under, self.patches, self.signs)

    def placeholder(self, tile: Tile) -> NDArray[np.uint8]:
        if tile not in self._kept:
            self.placeholders += 1
            rgba = np.full((tile.rect.height, tile.rect.width, 4), 255, np.uint8)
            rgba[..., :3] = HOLDER
            self._kept[tile] = rgba
        return self._kept[tile]

    def forget(self, grey: int) -> None:
        """From now on placeholders are of another grey."""
        for kept in self._kept.values():
            kept[..., :3] = grey
        self._kept = {tile: kept.copy() for tile, kept in self._kept.items()}


def patch(rect: Rect) -> FakePatch:
    rgba = np.full((rect.height, rect.width, 4), 255, np.uint8)
    rgba[..., :3] = PATCH
    return FakePatch(rect, rgba)


GREY = Color(0, 0, 0)


def tile(rect: Rect, who: str = "a", mode: ScaleMode = "fit", source: Source | None = "video") -> Tile:
    return Tile(rect, who, source, mode, GREY, Placeholder("A", GREY, GREY, GREY))


def scene(*tiles: Tile, width: int = 320, height: int = 180) -> Scene:
    return Scene(width, height, GREY, tiles)


def shown(frame_luma: int, width: int, height: int, *, rotation: int = 0, serial: int = 1) -> Picture:
    return Picture(picture(width, height, frame_luma), rotation, serial, 0.0)


class Canvas:
    def __init__(self, drawn: Scene, painter: FakePainter | None = None) -> None:
        self.painter = painter or FakePainter()
        self.maker = DecorMaker(self.painter)
        self.compositor = Compositor(drawn.width, drawn.height)
        self.show(drawn)

    def show(self, drawn: Scene) -> None:
        self.compositor.show(self.maker.make(drawn))

    def draw(self, **pictures: Picture) -> NDArray[np.int64]:
        frame = self.compositor.compose({(who, "video"): p for who, p in pictures.items()})
        return luma_of(frame).astype(np.int64)


def area(values: NDArray[np.int64], wanted: int) -> tuple[int, int, int, int]:
    """The box around what has that luma: left, top, right, bottom."""
    ys, xs = np.nonzero(np.abs(values - wanted) <= 3)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize(
    ("size", "box"),
    [((320, 180), (40, 20, 280, 156)), ((180, 320), (122, 20, 198, 156)), ((100, 100), (92, 20, 228, 156))],
)
def test_fit_shows_the_whole_picture_in_the_middle(size: tuple[int, int], box: tuple[int, int, int, int]):
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fit")))
    drawn = canvas.draw(a=shown(180, *size))
    found = area(drawn, 180)
    assert all(abs(f - b) <= 2 for f, b in zip(found, box, strict=True))
    assert abs(drawn[0, 0] - luma(GROUND)) <= 1
    left, top, right, bottom = found
    outside = np.ones(drawn.shape, bool)
    outside[top:bottom, left:right] = False
    assert (np.abs(drawn[outside] - luma(GROUND)) <= 1).all(), "nothing of the placeholder remains"


@pytest.mark.parametrize("size", [(320, 180), (180, 320), (1280, 720), (64, 360)])
def test_fill_covers_the_tile_and_nothing_else(size: tuple[int, int]):
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fill")))
    drawn = canvas.draw(a=shown(180, *size))
    assert (np.abs(drawn[20:156, 40:280] - 180) <= 3).all()
    drawn[20:156, 40:280] = luma(GROUND)
    assert (np.abs(drawn - luma(GROUND)) <= 1).all()


def test_fill_cuts_both_sides_alike():
    frame = picture(320, 180, 100)
    values = np.tile(np.linspace(20, 230, 320), (180, 1)).astype(np.uint8)
    rows = np.zeros((180, frame.planes[0].line_size), np.uint8)
    rows[:, :320] = values
    frame.planes[0].update(rows.tobytes())
    canvas = Canvas(scene(tile(Rect(0, 0, 180, 180), mode="fill")))
    drawn = canvas.draw(a=Picture(frame, 0, 1, 0.0))
    assert abs(int(drawn[90, 0]) - int(values[0, 70])) <= 3
    assert abs(int(drawn[90, 179]) - int(values[0, 249])) <= 3


def corners(rotation: int) -> list[int]:
    """The lumas of the four corners (clockwise from top left) of a tile whose picture has to be turned."""
    frame = picture(160, 90, 30)
    plane = np.full((90, frame.planes[0].line_size), 30, np.uint8)
    plane[:45, :80], plane[:45, 80:160], plane[45:, 80:160], plane[45:, :80] = 50, 100, 150, 200
    frame.planes[0].update(plane.tobytes())
    size = (160, 90) if rotation % 180 == 0 else (90, 160)
    canvas = Canvas(scene(tile(Rect(0, 0, *size), mode="fill"), width=200, height=200))
    drawn = canvas.draw(a=Picture(frame, rotation, 1, 0.0))
    w, h = size
    return [int(drawn[y, x]) for x, y in ((10, 10), (w - 10, 10), (w - 10, h - 10), (10, h - 10))]


@pytest.mark.parametrize(
    ("rotation", "expected"),
    [(0, [50, 100, 150, 200]), (90, [200, 50, 100, 150]), (180, [150, 200, 50, 100]), (270, [100, 150, 200, 50])],
)
def test_pictures_are_turned_as_their_orientation_says(rotation: int, expected: list[int]):
    assert all(abs(a - b) <= 3 for a, b in zip(corners(rotation), expected, strict=True))


def test_a_source_that_changes_size_and_shape_leaves_no_trace_of_the_old_picture():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fit")))
    canvas.draw(a=shown(180, 320, 180, serial=1))
    drawn = canvas.draw(a=shown(220, 90, 160, serial=2))
    assert not (np.abs(drawn - 180) <= 3).any()
    assert (np.abs(drawn - 220) <= 3).any()


def test_a_source_that_changes_its_size_all_the_time_takes_no_more_memory():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fit")))
    for n in range(40):
        canvas.draw(a=shown(180, 320, 100 + 4 * n, serial=n + 1))
    assert sum(len(sizes) for _, sizes in canvas.compositor._scaler._scaled.values()) == 1


def test_without_a_picture_the_placeholder_shows_and_comes_back():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136))))
    assert area(canvas.draw(), luma(HOLDER)) == (40, 20, 280, 156)
    assert not (np.abs(canvas.draw(a=shown(180, 240, 136)) - luma(HOLDER)) <= 3).any()
    assert area(canvas.draw(), luma(HOLDER)) == (40, 20, 280, 156)


def test_a_tile_without_a_source_shows_its_placeholder_whatever_is_sent():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), source=None)))
    assert area(canvas.draw(a=shown(180, 240, 136)), luma(HOLDER)) == (40, 20, 280, 156)


def test_later_tiles_lie_above_earlier_ones_whichever_changes():
    canvas = Canvas(scene(tile(Rect(0, 0, 320, 180), "a", "fill"), tile(Rect(200, 100, 100, 60), "b", "fill")))
    for n in range(3):
        drawn = canvas.draw(a=shown(100 + 20 * n, 320, 180, serial=n + 1), b=shown(200, 100, 60, serial=1))
        assert area(drawn, 200) == (200, 100, 300, 160)
        assert abs(drawn[5, 5] - (100 + 20 * n)) <= 3


def test_patches_lie_above_pictures_again_and_again():
    painter = FakePainter()
    painter.patches = [patch(Rect(50, 130, 60, 20)), patch(Rect(300, 0, 20, 10))]
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fill")), painter)
    for n in range(3):
        drawn = canvas.draw(a=shown(100 + n, 320, 180, serial=n + 1))
        assert abs(drawn[135, 60] - luma(PATCH)) <= 2
        assert abs(drawn[5, 310] - luma(PATCH)) <= 2


def test_a_translucent_patch_across_two_tiles_stays_as_it_is_whichever_of_them_changes():
    painter = FakePainter()
    logo = patch(Rect(100, 60, 120, 40))
    logo.rgba[:] = (100, 100, 100, 128)
    painter.patches = [logo]
    left, right = tile(Rect(0, 0, 156, 80), "a", "fill"), tile(Rect(164, 0, 156, 80), "b", "fill")
    above = tile(Rect(200, 70, 60, 60), "c", "fill")
    canvas = Canvas(scene(left, right, above), painter)
    still = {"b": shown(100, 320, 180), "c": shown(180, 60, 60)}
    first = canvas.draw(a=shown(100, 320, 180, serial=1), **still)
    added = 16 * 128 / 255 + 219 * 100 / 255
    for (x, y), below in {(140, 70): 100, (180, 70): 100, (210, 90): 180, (140, 90): luma(GROUND)}.items():
        assert abs(first[y, x] - (added + below * 127 / 255)) <= 2
    for n in range(2, 8):
        drawn = canvas.draw(a=shown(100, 320, 180, serial=n), **still)
        assert np.array_equal(drawn, first)


def test_a_placeholder_that_was_painted_anew_is_shown():
    canvas = Canvas(drawn := scene(tile(Rect(40, 20, 240, 136))))
    canvas.painter.forget(240)
    canvas.show(drawn)
    assert area(canvas.draw(), luma(240)) == (40, 20, 280, 156)


def test_one_track_in_two_tiles_is_shown_in_both():
    canvas = Canvas(scene(tile(Rect(0, 0, 160, 90), mode="fill"), tile(Rect(160, 90, 160, 90), mode="fill")))
    drawn = canvas.draw(a=shown(180, 320, 180))
    assert abs(drawn[45, 80] - 180) <= 3 and abs(drawn[135, 240] - 180) <= 3


def test_an_unchanged_picture_is_not_drawn_again():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136))))
    still = shown(180, 240, 136)
    first = canvas.draw(a=still)
    pasted = canvas.compositor.pasted
    assert np.array_equal(canvas.draw(a=still), first)
    assert canvas.compositor.pasted == pasted


def test_a_composed_frame_does_not_change_behind_its_receivers_back():
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fill")))
    first = canvas.compositor.compose({("a", "video"): shown(180, 240, 136, serial=1)})
    before = luma_of(first).copy()
    canvas.compositor.compose({("a", "video"): shown(90, 240, 136, serial=2)})
    assert np.array_equal(luma_of(first), before)


def test_a_new_scene_draws_everything_anew_and_makes_only_what_changed():
    first = scene(tile(Rect(0, 0, 160, 90), "a"), tile(Rect(160, 0, 160, 90), "b"))
    canvas = Canvas(first)
    assert canvas.painter.placeholders == 2
    canvas.draw(a=shown(180, 160, 90))
    canvas.show(replace(first, tiles=(first.tiles[1], tile(Rect(0, 90, 160, 90), "c"))))
    assert canvas.painter.placeholders == 3
    drawn = canvas.draw()
    assert not (np.abs(drawn - 180) <= 3).any()
    assert abs(drawn[135, 80] - luma(HOLDER)) <= 2


def test_full_range_pictures_are_brought_to_limited_range():
    full = picture(240, 136, 255)
    full.color_range = 2
    canvas = Canvas(scene(tile(Rect(40, 20, 240, 136), mode="fill")))
    drawn = canvas.draw(a=Picture(full, 0, 1, 0.0))
    assert abs(int(drawn[90, 160]) - 235) <= 2


@pytest.mark.parametrize("fill", [True, False])
@pytest.mark.parametrize("room", [(240, 136), (2, 2), (1280, 720), (100, 300)])
@pytest.mark.parametrize("size", [(320, 180), (1, 1), (1919, 1079), (7, 3001), (4096, 2)])
def test_scaled_sizes_are_even_and_cover_or_fit(size: tuple[int, int], room: tuple[int, int], fill: bool):
    width, height = scaled_size(*size, *room, fill)
    assert width % 2 == 0 and height % 2 == 0
    assert width >= 2 and height >= 2
    if fill:
        assert width >= room[0] and height >= room[1]
        assert width <= room[0] + 1 or height <= room[1] + 1
    else:
        assert width <= room[0] and height <= room[1]
        assert width >= room[0] - 1 or height >= room[1] - 1
