"""Reads the sound of a recording: all of it, in the place its time stamps say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from tests.rig import sound
from tests.rig.sound import RATE, Samples


@dataclass(slots=True)
class Sound:
    """``stereo`` is (2, samples) at 48 kHz from second 0 of the file; what no packet covered is zero."""

    stereo: NDArray[np.float32]
    codec: str
    channels: int

    @property
    def duration(self) -> float:
        return int(self.stereo.shape[1]) / RATE

    @property
    def mono(self) -> Samples:
        mixed: Samples = self.stereo.mean(axis=0)
        return mixed


def read_sound(path: Path) -> Sound | None:
    """Decode all sound; None when the file has none."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        blocks: list[tuple[int, NDArray[np.float32]]] = []
        end = 0
        # Coders of sound alone (MP3) count from their own delay; next to pictures, time stamps are what they are.
        alone = not container.streams.video and stream.start_time is not None
        begin = round((stream.start_time or 0) * (stream.time_base or 0) * RATE) if alone else 0
        for frame in container.decode(stream):
            assert frame.time is not None
            at = round(frame.time * RATE) - begin
            for made in resampler.resample(frame):
                block = made.to_ndarray().astype(np.float32, copy=False)
                # Resampled blocks lag; time stamps decide only where they jump.
                start = end if blocks and abs(at - end) < RATE // 1000 else at
                blocks.append((start, block))
                end = start + block.shape[1]
        stereo = np.zeros((2, max(0, end)), np.float32)
        for start, block in blocks:
            cut = max(0, -start)
            stereo[:, start + cut : start + block.shape[1]] = block[:, cut:]
        return Sound(stereo, stream.codec_context.name, stream.codec_context.channels)


def end_to_end(parts: list[Sound], offsets: list[float]) -> Sound:
    """Several files as one: where parts overlap, the later one is heard."""
    starts = [round(offset * RATE) for offset in offsets]
    length = max(start + part.stereo.shape[1] for start, part in zip(starts, parts, strict=True))
    stereo = np.zeros((2, length), np.float32)
    for start, part in zip(starts, parts, strict=True):
        stereo[:, start : start + part.stereo.shape[1]] = part.stereo
    return Sound(stereo, parts[0].codec, parts[0].channels)


def rms(samples: Samples) -> float:
    """dBFS."""
    return sound.decibels(float(np.sqrt((samples.astype(np.float64) ** 2).mean()))) if len(samples) else -180.0
