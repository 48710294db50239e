"""Encodes a program once: H.264 High by x264 with capped constant quality, AAC or MP3 sound.

An encoder hangs on a container that writes nothing, because PyAV gives codec parameters, which every file's muxer
needs, only to a stream; real files take theirs from it. So one encode can go into any number of files, and into the
next part without a seam.
"""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.packet import Packet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from egress.media.bitrates import bitrate_cap
from egress.media.decode import SAMPLE_RATE, Samples
from egress.protocol.encoding import AudioEncoding, VideoEncoding

AAC_FRAME = 1024
"""Samples in an AAC frame."""


class EncodeError(Exception):
    """An encoder would not open or take a frame."""


class VideoEncoder:
    """H.264 of one program. Time stamps are tick numbers."""

    def __init__(self, width: int, height: int, settings: VideoEncoding) -> None:
        self._sink = av.open(io.BytesIO(), "w", format="null")
        cap = settings.max_bitrate or bitrate_cap(width, height, settings.fps)
        options = {
            "preset": settings.preset,
            "profile": "high",
            "crf": str(settings.crf),
            "maxrate": str(cap),
            "bufsize": str(2 * cap),
            # Half of the preset's lookahead: a fifth less memory, for a call's pictures that hardly change at once.
            "x264-params": "rc-lookahead=5",
        }
        stream: VideoStream = self._sink.add_stream("libx264", rate=settings.fps, options=options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = Fraction(1, settings.fps)
        context.thread_count = settings.threads
        context.gop_size = round(settings.keyframe_interval * settings.fps)
        # BT.601, limited range: what VP8 and H.264 carry in WebRTC, so no pixel has to be converted.
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 6, 6, 6, 1
        context.flags |= Flags.global_header
        try:
            self._sink.start_encoding()
        except av.FFmpegError as error:
            raise EncodeError(f"x264 would not open: {error}") from error
        self.stream = stream
        self._context = context

    def encode(self, frame: av.VideoFrame, tick: int, *, keyframe: bool = False) -> list[Packet[Any]]:
        """The packets that are ready, in decoding order."""
        frame.pts = tick
        frame.time_base = self._context.time_base
        frame.pict_type = PictureType.I if keyframe else PictureType.NONE
        return self._context.encode(frame)

    def flush(self) -> list[Packet[Any]]:
        return self._context.encode(None)


class AacEncoder:
    """AAC-LC of one program. Time stamps are samples; the first packet is priming, at -1024."""

    def __init__(self, settings: AudioEncoding) -> None:
        self._sink = av.open(io.BytesIO(), "w", format="null")
        stream: AudioStream = self._sink.add_stream("aac", rate=SAMPLE_RATE)
        context = stream.codec_context
        _configure(context, settings.bitrate, "fltp")
        context.flags |= Flags.global_header
        self._sink.start_encoding()
        self.stream = stream
        self._context = context
        self._waiting: list[Samples] = []
        self._count = 0
        self._next = 0

    def encode(self, sound: Samples) -> list[Packet[Any]]:
        """Take samples that follow the last ones; return packets that are ready."""
        self._waiting.append(sound)
        self._count += len(sound)
        if self._count < AAC_FRAME:
            return []
        joined = np.concatenate(self._waiting)
        whole = len(joined) - len(joined) % AAC_FRAME
        packets: list[Packet[Any]] = []
        for start in range(0, whole, AAC_FRAME):
            packets += self._encode(joined[start : start + AAC_FRAME])
        self._waiting = [joined[whole:]]
        self._count = len(joined) - whole
        return packets

    def _encode(self, sound: Samples) -> list[Packet[Any]]:
        frame = audio_frame(sound, "fltp", self._next)
        self._next += len(sound)
        return self._context.encode(frame)

    def flush(self) -> list[Packet[Any]]:
        packets = self._encode(np.concatenate(self._waiting)) if self._count else []
        return packets + self._context.encode(None)


def _configure(context: AudioCodecContext, bitrate: int, sample_format: str) -> None:
    context.layout = "stereo"
    context.format = sample_format
    context.bit_rate = bitrate
    context.time_base = Fraction(1, SAMPLE_RATE)
    context.thread_count = 1


def audio_frame(sound: Samples, sample_format: str, position: int) -> av.AudioFrame:
    """An audio frame of planar float samples at ``position`` of the timeline."""
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T), format=sample_format, layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = position
    frame.time_base = Fraction(1, SAMPLE_RATE)
    return frame
