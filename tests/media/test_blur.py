"""Blurred pictures: nobody is told from anybody, nothing written on them is read, and they are mirrored where asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from egress.call.loopback.cast import CAST
from egress.call.loopback.guests import HEIGHT, WIDTH, content
from egress.media.decode import VideoDecoder
from egress.media.scaling import Scaler
from egress.media.video_source import Picture
from egress.media.yuv import Planes, planes_of
from layouts.scene import Rect
from tests.media.test_compositor import Canvas, scene, tile
from tests.rig import picture as rig
from tests.rig.judge_pictures import read_pictures

FACE = (slice(HEIGHT // 5, -HEIGHT // 8), slice(WIDTH // 4, -WIDTH // 4))
"""Where the cast's faces are."""


def decoded(guest: int) -> av.VideoFrame:
    frame = VideoDecoder("vp8").decode(content(CAST[guest]).listening_pictures[0])
    assert frame is not None
    return frame


@pytest.fixture(scope="module")
def faces() -> list[av.VideoFrame]:
    return [decoded(guest) for guest in range(4)]


def blur(frame: av.VideoFrame, width: int = WIDTH, height: int = HEIGHT, rotation: int = 0) -> Planes:
    return Scaler().scale(("a", "video"), Picture(frame, rotation, 1, 0.0), width, height, blurred=True)


def grey(planes: Planes) -> NDArray[np.float64]:
    return planes[0].astype(np.float64)


def likeness(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Structural similarity over the whole (its mean over blocks of 16 pixels), 1 for the same."""
    a, b = (v[: v.shape[0] // 16 * 16, : v.shape[1] // 16 * 16] for v in (one, other))
    a, b = (v.reshape(v.shape[0] // 16, 16, v.shape[1] // 16, 16).swapaxes(1, 2).reshape(-1, 256) for v in (a, b))
    ma, mb = a.mean(axis=1), b.mean(axis=1)
    cov = ((a - ma[:, None]) * (b - mb[:, None])).mean(axis=1)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    upper = (2 * ma * mb + c1) * (2 * cov + c2)
    return float((upper / ((ma**2 + mb**2 + c1) * (a.var(axis=1) + b.var(axis=1) + c2))).mean())


def features(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is finer than a tenth of the picture's width: eyes, mouth, outline."""
    frame = av.VideoFrame.from_ndarray(values.clip(0, 255).astype(np.uint8), format="gray")
    step = WIDTH // 10
    coarse: Any = frame.reformat(values.shape[1] // step, values.shape[0] // step, "gray")
    coarse = coarse.reformat(values.shape[1], values.shape[0], "gray").to_ndarray().astype(np.float64)
    return values - coarse


def test_of_a_face_no_feature_is_left(faces: list[av.VideoFrame]) -> None:
    for face in faces:
        clear, soft = (features(grey(planes)[FACE]) for planes in (planes_of(face), blur(face)))
        assert soft.std() < 0.3 * clear.std()
        assert np.corrcoef(soft.ravel(), clear.ravel())[0, 1] < 0.6


def test_blurred_faces_are_more_like_each_other_than_clear_ones_and_than_any_is_like_itself(
    faces: list[av.VideoFrame],
) -> None:
    clear, soft = ([grey(planes)[FACE] for planes in map(look, faces)] for look in (planes_of, blur))
    pairs = [(a, b) for a in range(4) for b in range(a)]
    among = min(likeness(soft[a], soft[b]) for a, b in pairs)
    assert among > max(likeness(clear[a], clear[b]) for a, b in pairs)
    assert among > 0.95 > 0.8 > max(likeness(soft[n], clear[n]) for n in range(4))


def test_whose_face_it_was_is_not_found_by_comparing_it_with_all_of_them(faces: list[av.VideoFrame]) -> None:
    clear = [grey(planes_of(face))[FACE] for face in faces]

    def taken_for(values: NDArray[np.float64]) -> int:
        return int(np.argmax([likeness(values, one) for one in clear]))

    poor = [planes_of(face.reformat(160, 90).reformat(WIDTH, HEIGHT)) for face in faces]
    assert [taken_for(grey(one)[FACE]) for one in poor] == [0, 1, 2, 3], "a poor picture is told well enough"
    found = [taken_for(grey(blur(face))[FACE]) for face in faces]
    assert sum(guess == who for who, guess in enumerate(found)) <= 1, "no better than by chance"


def test_colours_are_blurred_as_brightness_is(faces: list[av.VideoFrame]) -> None:
    for face in faces:
        for clear, soft in zip(planes_of(face)[1:], blur(face)[1:], strict=True):
            steps = np.abs(np.diff(soft.astype(np.int64), axis=1)).max()
            assert steps <= 4 < np.abs(np.diff(clear.astype(np.int64), axis=1)).max()


def test_noise_of_single_pixels_is_averaged_not_sampled() -> None:
    noise = np.random.default_rng(7).integers(16, 235, (720, 1280)).astype(np.uint8)
    frame = av.VideoFrame(1280, 720, "yuv420p")
    planes_of(frame)[0][:] = noise
    for plane in planes_of(frame)[1:]:
        plane[:] = 128
    assert np.ptp(blur(frame, 320, 180)[0]) <= 6


@pytest.mark.parametrize("size", [(1280, 720), (320, 180), (90, 160)])
@pytest.mark.parametrize("rotation", [0, 90])
def test_no_code_of_the_rig_survives_in_any_size(size: tuple[int, int], rotation: int) -> None:
    for number in range(0, 30, 3):
        frame = av.VideoFrame(640, 360, "yuv420p")
        for plane, drawn in zip(planes_of(frame), rig.draw(1, number, 640, 360), strict=True):
            plane[:] = drawn
        soft = blur(frame, *size, rotation=rotation)
        blocks = [soft[0][y:bottom, x:right].mean() for x, y, right, bottom in (a.in_pixels(*size) for a in rig.CODE)]
        assert rig.number_of(np.array(blocks)) is None


def test_the_judge_of_the_rig_sees_nobody_in_a_blurred_recording(tmp_path: Any) -> None:
    path = tmp_path / "blurred.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", 30)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for n in range(30):
            frame = av.VideoFrame(640, 360, "yuv420p")
            for plane, drawn in zip(planes_of(frame), rig.draw(2, n, 640, 360), strict=True):
                plane[:] = drawn
            made = av.VideoFrame(640, 360, "yuv420p")
            for plane, soft in zip(planes_of(made), blur(frame, 640, 360), strict=True):
                plane[:] = soft
            made.pts = n
            out.mux(stream.encode(made))
        out.mux(stream.encode(None))
    pictures = read_pictures(path)
    assert pictures is not None
    assert not any(number >= 0 for seen in pictures.seen.values() for number in seen.number)


def test_a_scene_that_says_so_is_drawn_blurred_and_mirrored(faces: list[av.VideoFrame]) -> None:
    place = tile(Rect(0, 0, 320, 180), mode="fill")
    clear, soft, mirrored = (
        Canvas(scene(one)).draw(a=Picture(faces[0], 0, 1, 0.0))
        for one in (place, replace(place, blurred=True), replace(place, mirrored=True))
    )
    assert np.abs(np.diff(soft, axis=1)).max() < 0.2 * np.abs(np.diff(clear, axis=1)).max()
    assert (mirrored == clear[:, ::-1]).all()


def test_a_picture_that_stays_is_drawn_anew_when_it_is_to_be_blurred_and_when_it_is_not_any_more(
    faces: list[av.VideoFrame],
) -> None:
    canvas = Canvas(scene(tile(Rect(0, 0, 320, 180), mode="fill")))
    last = Picture(faces[0], 0, 1, 0.0)
    clear = canvas.draw(a=last)
    soft = canvas.draw(a=replace(last, blurred=True))
    assert np.abs(np.diff(soft, axis=1)).max() < 0.2 * np.abs(np.diff(clear, axis=1)).max()
    assert (canvas.draw(a=last) == clear).all()
