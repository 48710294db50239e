"""Makes recordings of guests without any call, perfect or with faults on purpose: what the judge is judged by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.rig import picture, sound
from tests.rig.judge_pictures import Rect
from tests.rig.picture import Plane

Shows = Callable[[int, int], int | None]
"""(identity, picture of the file) → which of the guest's pictures is seen, counted from second 0; None for none."""


def as_sent(identity: int, index: int) -> int | None:
    """Every guest's picture in its place."""
    return index


def mix(identities: list[int], seconds: float) -> NDArray[np.float32]:
    """The sound of these guests together (mono), from second 0."""
    total = np.sum([sound.second_of(i) for i in identities], axis=0, dtype=np.float32)
    return np.tile(total, int(seconds) + 1)[: round(seconds * sound.RATE)]


def write_recording(
    path: Path,
    seconds: float,
    tiles: Mapping[int, Rect],
    heard: NDArray[np.float32] | None,
    shows: Shows = as_sent,
    size: tuple[int, int] = (640, 360),
    skip: frozenset[int] = frozenset(),
    blank: Mapping[int, Rect] | None = None,
) -> Path:
    """Compose guests into tiles and write H.264 and AAC (MP4), or MP3 when there are no tiles.

    Pictures in ``skip`` are left out of the file altogether; ``blank`` paints bare areas in guests' colours over all.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=picture.FPS) if tiles else None
        if video is not None:
            video.width, video.height, video.pix_fmt = width, height, "yuv420p"
            video.options = {"preset": "ultrafast", "crf": "25"}
            video.codec_context.thread_count = 1
            video.codec_context.time_base = Fraction(1, 90_000)
        audio = None
        if heard is not None:
            audio = container.add_stream("aac" if tiles else "libmp3lame", rate=sound.RATE)
            audio.bit_rate = 128_000
            audio.codec_context.layout = "stereo"
            audio.codec_context.format = "fltp"
            audio.codec_context.open()
        if video is not None:
            for index in range(round(seconds * picture.FPS)):
                if index in skip:
                    continue
                frame = _compose(index, width, height, tiles, shows, blank or {})
                frame.pts, frame.time_base = index * 90_000 // picture.FPS, Fraction(1, 90_000)
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
        if audio is not None and heard is not None:
            step = audio.codec_context.frame_size
            for at in range(0, len(heard), step):
                block = np.tile(heard[at : at + step], (2, 1))
                sounding = av.AudioFrame.from_ndarray(block, "fltp", "stereo")
                sounding.sample_rate, sounding.pts = sound.RATE, at
                sounding.time_base = Fraction(1, sound.RATE)
                container.mux(audio.encode(sounding))
            container.mux(audio.encode(None))
    return path


@lru_cache(maxsize=512)
def _drawn(identity: int, number: int, width: int, height: int) -> tuple[Plane, Plane, Plane]:
    return picture.draw(identity, number, width, height)


def _compose(
    index: int, width: int, height: int, tiles: Mapping[int, Rect], shows: Shows, blank: Mapping[int, Rect]
) -> av.VideoFrame:
    luma = np.full((height, width), 30, np.uint8)
    blue = np.full((height // 2, width // 2), 128, np.uint8)
    red = blue.copy()
    for identity, (x, y, w, h) in tiles.items():
        shown = shows(identity, index)
        if shown is None:
            continue
        drawn = _drawn(identity, shown % picture.FPS, w, h)
        for canvas, plane, part in zip((luma, blue, red), drawn, (1, 2, 2), strict=True):
            # What lies outside the canvas on the left is cut off; numpy does so on the right.
            cut, at = max(0, -x) // part, max(0, x) // part
            inside = canvas[y // part : (y + h) // part, at : (x + w) // part]
            inside[:] = plane[:, cut : cut + inside.shape[1]]
    for identity, (x, y, w, h) in blank.items():
        luma[y : y + h, x : x + w] = picture.BASE_LUMA
        for canvas, value in zip((blue, red), picture.chroma(identity), strict=True):
            canvas[y // 2 : (y + h) // 2, x // 2 : (x + w) // 2] = value
    planes = np.concatenate([luma.ravel(), blue.ravel(), red.ravel()]).reshape(height * 3 // 2, width)
    return av.VideoFrame.from_ndarray(planes, "yuv420p")
