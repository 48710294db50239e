"""Tracks without a network, and what is sent on them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from egress.media.decode import SAMPLE_RATE, Samples
from egress.rtc.clock import ParticipantClock
from egress.rtc.track import EncodedFrame, FrameListener, TrackCounts


class SetClock:
    """A track's clock whose shift the test sets."""

    def __init__(self, rate: int, shift: float = 0.0) -> None:
        self.rate = rate
        self.shift = shift

    def time_of(self, rtp_time: int) -> float:
        return rtp_time / self.rate + self.shift


class FakeTrack:
    """A MediaTrack that a test feeds."""

    def __init__(self, kind: str, codec: str, shift: float = 0.0) -> None:
        self.kind: Any = kind
        self.codec = codec
        self.clock_rate = 48_000 if kind == "audio" else 90_000
        self.clock: Any = SetClock(self.clock_rate, shift)
        self.last_packet: float | None = None
        self.keyframes_asked = 0
        self.counts = TrackCounts()
        self._listeners: list[FrameListener] = []

    @property
    def listened(self) -> bool:
        return bool(self._listeners)

    def join(self, group: ParticipantClock) -> None:
        """Its clock is the test's, not a participant's."""

    def listen(self, listener: FrameListener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def request_keyframe(self) -> None:
        self.keyframes_asked += 1

    def feed(
        self,
        data: bytes,
        at: float,
        *,
        keyframe: bool = True,
        level: int | None = None,
        rotation: int = 0,
        rtp_time: int | None = None,
    ) -> None:
        """A frame that came at ``at``, and happened then unless its time stamp is given."""
        if rtp_time is None:
            rtp_time = round((at - self.clock.shift) * self.clock_rate)
        frame = EncodedFrame(data, rtp_time, at, keyframe, rotation, level)
        for listener in self._listeners:
            listener(frame)


def picture(width: int, height: int, luma: int, u: int = 128, v: int = 128) -> av.VideoFrame:
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, value in zip(frame.planes, (luma, u, v), strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    return frame


def encoded(codec: str, pictures: list[av.VideoFrame]) -> list[bytes]:
    """Pictures as a real-time sender encodes them; the first is a key frame."""
    encoder = av.CodecContext.create("libvpx" if codec == "vp8" else "libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = pictures[0].width, pictures[0].height, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.bit_rate = 500_000
    if codec == "vp8":
        encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    else:
        encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "profile": "baseline"}
    packets: list[bytes] = []
    for n, frame in enumerate(pictures):
        frame.pts = n
        packets += [bytes(p) for p in encoder.encode(frame)]
    return packets + [bytes(p) for p in encoder.encode(None)]


def opus(sound: Samples, *, rate: int = 64_000) -> list[bytes]:
    """Packets of 20 ms; the first holds the encoder's look-ahead of 6.5 ms (312 samples)."""
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = SAMPLE_RATE, "stereo", "flt", rate
    encoder.options = {"application": "audio", "frame_duration": "20"}
    packets: list[bytes] = []
    for start in range(0, len(sound) - 959, 960):
        block = np.ascontiguousarray(sound[start : start + 960]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
        frame.sample_rate, frame.pts = SAMPLE_RATE, start
        packets += [bytes(p) for p in encoder.encode(frame)]
    return packets


def sine(seconds: float, frequency: float = 440.0, amplitude: float = 0.3) -> Samples:
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = (amplitude * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
    return np.repeat(wave[:, None], 2, axis=1)


def luma_of(frame: av.VideoFrame) -> NDArray[np.uint8]:
    plane = frame.planes[0]
    return np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[: frame.height, : frame.width]
