"""Scenes are, to the pixel, as they were found good."""

from __future__ import annotations

import json

import pytest

from layouts.engine import compose
from tests.layouts.calls import call_of
from tests.layouts.golden_scenes import FOLDER, files, plain

MADE = files()
QUALITIES = [(640, 360), (854, 480), (1280, 720), (1920, 1080), (2560, 1440)]


def test_every_golden_file_is_made_and_every_one_made_is_there() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(MADE)


@pytest.mark.parametrize("name", MADE)
def test_scenes_are_as_they_were_found_good(name: str) -> None:
    expected = json.loads((FOLDER / name).read_text())
    found = json.loads(MADE[name])
    for count, scene in expected.items():
        assert found[count] == scene, f"{count} guests; python -m tests.layouts.golden_scenes makes it again"
    assert (FOLDER / name).read_text() == MADE[name]


@pytest.mark.parametrize("layout", ["grid", "spotlight", "single-participant"])
@pytest.mark.parametrize("size", QUALITIES + [(height, width) for width, height in QUALITIES])
def test_a_layout_is_the_same_picture_in_every_quality(layout: str, size: tuple[int, int]) -> None:
    like = (1280, 720) if size[0] > size[1] else (720, 1280)
    scale = size[0] / like[0]
    options = {"grid.margin": "1vmin", "grid.cell_padding": "1vmin"} if layout != "single-participant" else {}
    call = call_of(6, sharing=(1,) if layout == "single-participant" else ())
    scenes = [compose(layout, options, each, call) for each in (size, like)]
    for one, other in zip(*(scene.tiles for scene in scenes), strict=True):
        for value, expected in zip(plain(one.rect), plain(other.rect), strict=True):
            assert value == pytest.approx(expected * scale, abs=8 * max(1, scale))
