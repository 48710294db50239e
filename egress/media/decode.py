"""Decoders for what WebRTC sends: VP8 and H.264 pictures, Opus sound; FFmpeg's, one thread each."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

SAMPLE_RATE = 48_000
"""Hz. Opus decodes to it, AAC is encoded from it, the mix is made in it."""

Samples = NDArray[np.float32]
"""Stereo sound: shape (n, 2), -1.0 to 1.0, at SAMPLE_RATE."""

_DECODERS = {"vp8": "vp8", "h264": "h264"}


class DecodeError(Exception):
    """A frame cannot be decoded; only a key frame will help."""


class VideoDecoder:
    """Decodes one track. Not to be shared between threads."""

    def __init__(self, codec: str) -> None:
        self._context = cast(VideoCodecContext, av.CodecContext.create(_DECODERS[codec], "r"))
        # Frame threads add delay, slice threads only cost: a call has as many decoders as tiles.
        self._context.thread_count = 1

    def decode(self, data: bytes) -> av.VideoFrame | None:
        """The picture, or None where the decoder shows none for this frame. Raises DecodeError."""
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise DecodeError(str(error)) from error
        return frames[-1] if frames else None


class AudioDecoder:
    """Decodes Opus to stereo float. Not to be shared between threads."""

    def __init__(self) -> None:
        self._context: AudioCodecContext = av.CodecContext.create("libopus", "r")
        self._context.layout = "stereo"
        self._context.sample_rate = SAMPLE_RATE

    def decode(self, data: bytes) -> Samples:
        """The samples of one packet. Raises DecodeError."""
        try:
            frames = self._context.decode(av.Packet(data))
        except av.FFmpegError as error:
            raise DecodeError(str(error)) from error
        parts = [_stereo(frame) for frame in frames]
        if not parts:
            return np.zeros((0, 2), np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _stereo(frame: av.AudioFrame) -> Samples:
    raw = frame.to_ndarray()
    channels = frame.layout.nb_channels
    raw = raw.T if frame.format.is_planar else raw.reshape(-1, channels)
    if raw.dtype == np.int16:
        sound = raw.astype(np.float32) * np.float32(1 / 32768)
    else:
        sound = np.ascontiguousarray(raw, np.float32)
    if channels == 1:
        return np.repeat(sound, 2, axis=1)
    return sound[:, :2]
