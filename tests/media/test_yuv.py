"""Planes against a reference in floating point."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from egress.media.yuv import Planes, blank, blend, from_rgb, from_rgba, overlay, paste, planes_of, rotate
from tests.media.fakes import picture

NOISE = np.random.default_rng(3)
COLOURS = {
    "black": ((0, 0, 0), (16, 128, 128)),
    "white": ((255, 255, 255), (235, 128, 128)),
    "red": ((255, 0, 0), (82, 90, 240)),
    "green": ((0, 255, 0), (145, 54, 34)),
    "blue": ((0, 0, 255), (41, 240, 110)),
    "grey": ((128, 128, 128), (126, 128, 128)),
}


def reference(rgb: NDArray[np.floating]) -> tuple[NDArray[np.floating], ...]:
    """ITU-R BT.601, limited range, by its definition: Kr 0.299, Kb 0.114."""
    r, g, b = (rgb[..., n] / 255 for n in range(3))
    y = 0.299 * r + 0.587 * g + 0.114 * b
    u, v = (b - y) / 1.772, (r - y) / 1.402
    half = lambda p: p.reshape(p.shape[0] // 2, 2, p.shape[1] // 2, 2).mean(axis=(1, 3))  # noqa: E731
    return 16 + 219 * y, 128 + 224 * half(u), 128 + 224 * half(v)


def worst(planes: Planes, expected: tuple[NDArray[np.floating], ...]) -> float:
    return max(float(np.abs(p.astype(float) - e).max()) for p, e in zip(planes, expected, strict=True))


@pytest.mark.parametrize("name", COLOURS)
def test_pure_colours_are_those_of_the_standard(name: str):
    colour, expected = COLOURS[name]
    rgba = np.full((4, 6, 4), 255, np.uint8)
    rgba[..., :3] = colour
    for plane, value in zip(from_rgba(rgba), expected, strict=True):
        assert np.abs(plane.astype(int) - value).max() <= 1


def test_floating_point_planes_follow_the_reference():
    rgb = NOISE.integers(0, 256, (32, 48, 3)).astype(np.float32)
    assert worst(from_rgb(rgb), reference(rgb)) <= 1.0


def test_a_smooth_picture_of_any_size_becomes_planes():
    for width, height in ((640, 360), (854, 480), (34, 18)):
        y, x = np.mgrid[0:height, 0:width]
        rgb = np.stack([x * 255 / width, y * 255 / height, (x + y) * 255 / (width + height)], axis=-1)
        rgba = np.concatenate([rgb, np.full((height, width, 1), 255)], axis=-1).astype(np.uint8)
        planes = from_rgba(rgba)
        assert [p.shape for p in planes] == [(height, width), *[(height // 2, width // 2)] * 2]
        for plane, expected in zip(planes, reference(rgba[..., :3].astype(float)), strict=True):
            assert np.abs(plane.astype(float) - expected).mean() < 1.5


@pytest.mark.parametrize("opaque", [True, False])
def test_blending_is_that_of_the_reference(opaque: bool):
    height, width = 20, 28
    ground_rgb = NOISE.integers(0, 256, (height * 2, width * 2, 3)).astype(np.float32)
    ground = tuple(p.copy() for p in from_rgb(ground_rgb))
    alpha = np.full((height, width), 255) if opaque else NOISE.integers(0, 256, (height, width))
    straight = NOISE.integers(0, 256, (height, width, 3))
    rgba = np.concatenate([straight * alpha[..., None] // 255, alpha[..., None]], axis=-1).astype(np.uint8)
    over = overlay(8, 6, rgba)
    assert (over.opaque is not None) == opaque
    assert over.size == (width, height)
    before = [p.astype(float) for p in ground]
    blend(ground, over)  # type: ignore[arg-type]
    a = rgba[..., 3] / 255
    half = a.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    # The planes of a premultiplied colour, with the offset in proportion to what covers.
    colour = reference(rgba[..., :3].astype(float))
    for plane, old, mine, cover, offset, step in zip(
        ground, before, colour, (a, half, half), (16, 128, 128), (1, 2, 2), strict=True
    ):
        part = np.s_[6 // step : (6 + height) // step, 8 // step : (8 + width) // step]
        expected = old.copy()
        expected[part] = old[part] * (1 - cover) + (mine - offset) + offset * cover
        assert np.abs(plane - expected).max() <= 2.0
        outside = np.ones(plane.shape, bool)
        outside[part] = False
        assert np.array_equal(plane[outside], old[outside])


def test_blending_extremes_does_not_run_over():
    for value in (0, 255):
        ground = tuple(np.full(p.shape, 255, np.uint8) for p in blank(8, 8))
        rgba = np.full((8, 8, 4), value, np.uint8)
        rgba[..., 3] = 128
        rgba[..., :3] = min(value, 128)
        blend(ground, overlay(0, 0, rgba))  # type: ignore[arg-type]
        assert ground[0].min() > 100


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_pictures_are_turned_clockwise(degrees: int):
    planes = tuple(np.arange(h * w, dtype=np.uint8).reshape(h, w) for h, w in ((4, 8), (2, 4), (2, 4)))
    turned = rotate(planes, degrees)  # type: ignore[arg-type]
    top_left = {90: planes[0][-1, 0], 180: planes[0][-1, -1], 270: planes[0][0, -1]}[degrees]
    assert turned[0][0, 0] == top_left
    assert turned[0].shape == ((4, 8) if degrees == 180 else (8, 4))
    assert turned[1].shape == ((2, 4) if degrees == 180 else (4, 2))


def test_a_part_of_a_picture_is_pasted_where_it_belongs():
    ground = blank(16, 12)
    source = tuple(np.arange(h * w, dtype=np.uint8).reshape(h, w) for h, w in ((8, 8), (4, 4), (4, 4)))
    paste(ground, source, 10, 4, 2, 4, 6, 4)  # type: ignore[arg-type]
    assert np.array_equal(ground[0][4:8, 10:16], source[0][4:8, 2:8])
    assert np.array_equal(ground[1][2:4, 5:8], source[1][2:4, 1:4])
    assert (ground[0][:4] == 16).all() and (ground[0][8:] == 16).all() and (ground[0][:, :10] == 16).all()


def test_planes_are_views_of_their_frame():
    frame = picture(18, 10, 50)
    y, u, _ = planes_of(frame)
    assert (y.shape, u.shape) == ((10, 18), (5, 9))
    y[0, 0] = 99
    assert planes_of(frame)[0][0, 0] == 99
