"""What the measured guests send: camera-like pictures in VP8 and turn-taking voices in Opus, made once and kept.

Pictures pan over a soft texture, a head moves in front of it, and a sensor's noise lies over all, so that coding and
decoding them costs what a camera's pictures cost. The same packets go to the call and into files.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

FPS = 30
SECONDS = 16
KEY_SECONDS = 2
RATE = 48_000
PACKETS = 50
"""Packets of sound a second."""
GUESTS = 4
QUIET, LOUD = -70, -24
"""dBov, for RFC 6464."""
_EDITION = 2

Plane = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Clip:
    """Encoded pictures (a key frame at each multiple of ``key_every``) and packets of sound, to be sent round."""

    pictures: list[bytes]
    key_every: int
    sound: list[bytes]
    levels: list[int]


def path_of(guest: int, width: int, height: int, bitrate: int) -> Path:
    """The WebM file of a guest, made when it is not there."""
    folder = Path(tempfile.gettempdir()) / f"wf-bench-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{_EDITION}-{guest}-{width}x{height}-{bitrate}.webm"
    if not path.exists():
        making = path.with_suffix(".making")
        _make(making, guest, width, height, bitrate)
        making.replace(path)
    return path


def load(path: Path, guest: int) -> Clip:
    """The packets of a file made here."""
    pictures: list[bytes] = []
    sound: list[bytes] = []
    with av.open(str(path)) as container:
        for packet in container.demux():
            if packet.size:
                (pictures if packet.stream.type == "video" else sound).append(bytes(packet))
    levels = [LOUD if _speaks(guest, n / PACKETS) else QUIET for n in range(len(sound))]
    return Clip(pictures, KEY_SECONDS * FPS, sound, levels)


def _speaks(guest: int, second: float) -> bool:
    """Each speaks for a quarter of the time, one after another."""
    return int(second % SECONDS // (SECONDS / GUESTS)) == guest


def _make(path: Path, guest: int, width: int, height: int, bitrate: int) -> None:
    with av.open(str(path), "w", format="webm") as container:
        video = container.add_stream("libvpx", rate=FPS)
        video.width, video.height, video.pix_fmt, video.bit_rate = width, height, "yuv420p", bitrate
        video.gop_size = KEY_SECONDS * FPS
        video.codec_context.thread_count = 2
        video.options = {
            "deadline": "realtime",
            "cpu-used": "6",
            "lag-in-frames": "0",
            "auto-alt-ref": "0",
            "keyint_min": str(KEY_SECONDS * FPS),
            "rc_init_occupancy": "500",
            "bufsize": str(bitrate),
            "maxrate": str(bitrate),
            "minrate": str(bitrate),
        }
        audio = container.add_stream("libopus", rate=RATE)
        audio.codec_context.layout, audio.codec_context.format = "mono", "flt"
        audio.bit_rate = 32_000
        audio.options = {"application": "voip", "frame_duration": "20"}
        voice = _voice(guest)
        for number, planes in enumerate(_pictures(guest, width, height)):
            frame = av.VideoFrame(width, height, "yuv420p")
            for plane, values in zip(frame.planes, planes, strict=True):
                wide = np.zeros((plane.height, plane.line_size), np.uint8)
                wide[:, : plane.width] = values
                plane.update(wide.tobytes())
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(frame))
            step = RATE // FPS
            block = voice[number * step : (number + 1) * step].reshape(1, -1)
            sounding = av.AudioFrame.from_ndarray(block, "flt", "mono")
            sounding.sample_rate, sounding.pts, sounding.time_base = RATE, number * step, Fraction(1, RATE)
            container.mux(audio.encode(sounding))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _pictures(guest: int, width: int, height: int) -> Iterator[tuple[Plane, Plane, Plane]]:
    chance = np.random.default_rng(guest)
    margin = 64
    room = _texture(chance, height + margin, width + margin)
    face = _texture(chance, height, width)
    noise = [chance.normal(0, 2.0, (height, width)).astype(np.int16) for _ in range(5)]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    for number in range(SECONDS * FPS):
        # Everything moves in whole turns of the clip, so that its end meets its beginning.
        turn = 2 * np.pi * number / (SECONDS * FPS)
        x = int(margin / 2 + margin / 2 * np.sin(2 * turn))
        y = int(margin / 2 + margin / 4 * np.sin(3 * turn))
        luma = room[y : y + height, x : x + width].astype(np.int16)
        centre = width * (0.5 + 0.04 * np.sin(5 * turn)), height * (0.55 + 0.03 * np.sin(11 * turn))
        head = ((columns - centre[0]) / (width * 0.16)) ** 2 + ((rows - centre[1]) / (height * 0.36)) ** 2 < 1
        moved = np.roll(face, (int(centre[1]), int(centre[0])), (0, 1))
        luma = np.where(head, moved // 2 + 90, luma)
        luma = luma + np.roll(noise[number % len(noise)], number * 37, 1)
        blue = np.where(head[::2, ::2], 112, 122 + guest * 4).astype(np.uint8)
        red = np.where(head[::2, ::2], 150, 132 - guest * 4).astype(np.uint8)
        yield np.clip(luma, 16, 235).astype(np.uint8), blue, red


def _texture(chance: np.random.Generator, height: int, width: int) -> NDArray[np.int16]:
    total = np.zeros((height, width), np.float32)
    for size, weight in ((160, 1.0), (48, 0.5), (16, 0.25), (6, 0.1)):
        coarse = chance.uniform(-1, 1, (height // size + 3, width // size + 3)).astype(np.float32)
        at_row = np.linspace(0, coarse.shape[0] - 2.01, height)
        at_column = np.linspace(0, coarse.shape[1] - 2.01, width)
        top, left = at_row.astype(int), at_column.astype(int)
        down, right = (at_row - top)[:, None], (at_column - left)[None, :]
        upper = coarse[top][:, left] * (1 - right) + coarse[top][:, left + 1] * right
        lower = coarse[top + 1][:, left] * (1 - right) + coarse[top + 1][:, left + 1] * right
        total += weight * (upper * (1 - down) + lower * down).astype(np.float32)
    return (120 + 55 * total).astype(np.int16)


def _voice(guest: int) -> NDArray[np.float32]:
    time = np.arange(SECONDS * RATE) / RATE
    pitch = 110 + 35 * guest
    tone = sum(np.sin(2 * np.pi * pitch * n * time) / n for n in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 2.2 * time) + 0.4, 0, 1)
    turn = np.array([_speaks(guest, s) for s in range(SECONDS)], np.float32).repeat(RATE)
    breath = np.random.default_rng(guest).normal(0, 0.0003, len(time))
    voice: NDArray[np.float32] = (0.08 * tone * syllables * turn + breath).astype(np.float32)
    return voice
