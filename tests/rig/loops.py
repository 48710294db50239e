"""One second of a guest's picture and sound, encoded once and sent round and round: sending it costs next to nothing.

Pictures come as several groups: one starts with a key frame at every third picture and runs to the end of the second.
So a request for a key frame is answered within a tenth of a second, as a real sender would, with a stream that is
correct in every picture. Encoded groups are kept in the temporary folder, because making them takes seconds.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from egress.call.loopback import lines
from egress.media.decode import AudioDecoder
from tests.rig import picture, sound

VideoCodec = Literal["vp8", "h264"]
KEY_EVERY = 3
PACKETS = 50
"""Packets of 20 ms in the loop of sound."""
_EDITION = 3


@dataclass(frozen=True, slots=True)
class VideoLoop:
    """``groups[start][n]`` is the encoded picture ``start + n`` of the second, predicted from picture ``start`` on."""

    codec: VideoCodec
    groups: dict[int, list[bytes]]


@dataclass(frozen=True, slots=True)
class AudioLoop:
    """Opus packets of 20 ms, and the level of each in dBov (0 to −127) for RFC 6464."""

    packets: list[bytes]
    levels: list[int]


def video_loop(
    identity: int, width: int, height: int, codec: VideoCodec = "vp8", bitrate: int = 600_000, detail: int = 0
) -> VideoLoop:
    """The pictures of a guest, from the cache or made now."""
    name = f"{_EDITION}-{identity}-{width}x{height}-{codec}-{bitrate}-{detail}"
    starts = range(0, picture.FPS, KEY_EVERY)
    stored = _read(name)
    if stored is None:
        planes = [picture.draw(identity, n, width, height, detail) for n in range(picture.FPS)]
        stored = [data for start in starts for data in _encode_pictures(planes[start:], width, height, codec, bitrate)]
        _write(name, stored)
    groups: dict[int, list[bytes]] = {}
    for start in starts:
        count = picture.FPS - start
        groups[start], stored = stored[:count], stored[count:]
    return VideoLoop(codec, groups)


def spoken_loop(guest: str) -> AudioLoop:
    """The sentences of a guest of the loopback call, a turn each, or a file of Opus: longer than a second."""
    packets = lines.opus_packets(Path(guest)) if guest.endswith(".opus") else lines.voice(guest)
    decoder = AudioDecoder()
    levels = []
    for packet in packets:
        samples = decoder.decode(packet)
        power = float(np.sqrt((samples.astype(np.float64) ** 2).mean())) if len(samples) else 0.0
        levels.append(max(-127, round(sound.decibels(power))))
    return AudioLoop(packets, levels)


def audio_loop(identity: int | None, hum: float = sound.HUM_AMPLITUDE) -> AudioLoop:
    """The sound of a guest; of None, silence. ``hum`` is the amplitude of what sounds between the beeps."""
    samples = np.zeros(sound.RATE, np.float32) if identity is None else sound.second_of(identity, hum)
    name = f"{_EDITION}-sound-{identity}" + ("" if hum == sound.HUM_AMPLITUDE else f"-{hum}")
    packets = _read(name)
    if packets is None:
        packets = _encode_sound(samples)
        _write(name, packets)
    levels = []
    for block in samples.reshape(PACKETS, -1):
        levels.append(max(-127, round(sound.decibels(float(np.sqrt((block.astype(np.float64) ** 2).mean()))))))
    return AudioLoop(packets, levels)


def _encode_pictures(
    planes: list[tuple[picture.Plane, picture.Plane, picture.Plane]],
    width: int,
    height: int,
    codec: VideoCodec,
    bitrate: int,
) -> Iterator[bytes]:
    encoder = av.CodecContext.create("libvpx" if codec == "vp8" else "libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, picture.FPS)
    encoder.framerate = Fraction(picture.FPS)
    encoder.bit_rate = bitrate
    encoder.gop_size = 1000
    encoder.thread_count = 1
    encoder.options = (
        {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
        if codec == "vp8"
        else {
            "preset": "superfast",
            "tune": "zerolatency",
            "profile": "baseline",
            "level": "3.1",
            "x264-params": "scenecut=0:repeat-headers=1",
        }
    )
    made: list[bytes] = []
    for number, (luma, blue, red) in enumerate(planes):
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, values in zip(frame.planes, (luma, blue, red), strict=True):
            wide = np.zeros((plane.height, plane.line_size), np.uint8)
            wide[:, : plane.width] = values
            plane.update(wide.tobytes())
        frame.pts, frame.time_base = number, Fraction(1, picture.FPS)
        made.extend(bytes(packet) for packet in encoder.encode(frame))
    made.extend(bytes(packet) for packet in encoder.encode(None))
    if len(made) != len(planes):
        raise RuntimeError(f"{len(planes)} pictures became {len(made)} packets")
    yield from made


def _encode_sound(second: NDArray[np.float32]) -> list[bytes]:
    """Opus for one turn of the loop, taken from the middle of several so that it joins with itself.

    A decoder's sound is late by the encoder's look-ahead; what goes in is early by as much.
    """
    ahead = 312
    turned = np.roll(second, -ahead)
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout, encoder.format = sound.RATE, "stereo", "flt"
    encoder.bit_rate = 64_000
    encoder.options = {"application": "audio", "vbr": "off", "frame_duration": "20"}
    packets: list[bytes] = []
    size = sound.RATE // PACKETS
    for number in range(3 * PACKETS):
        block = turned[number % PACKETS * size : (number % PACKETS + 1) * size]
        frame = av.AudioFrame.from_ndarray(np.repeat(block, 2).reshape(1, -1), "flt", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = sound.RATE, number * size, Fraction(1, sound.RATE)
        packets.extend(bytes(packet) for packet in encoder.encode(frame))
    return packets[PACKETS : 2 * PACKETS]


def _path(name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"wf-rig-loops-{os.getuid()}" / hashlib.sha256(name.encode()).hexdigest()[:24]


def _read(name: str) -> list[bytes] | None:
    try:
        stored = _path(name).read_bytes()
    except FileNotFoundError:
        return None
    found, at = [], 0
    while at < len(stored):
        (size,) = struct.unpack_from("!I", stored, at)
        found.append(stored[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def _write(name: str, parts: list[bytes]) -> None:
    path = _path(name)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        for part in parts:
            file.write(struct.pack("!I", len(part)) + part)
    Path(file.name).replace(path)
