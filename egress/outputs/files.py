"""One file on the spool: MP4 (or M4A) from packets, MP3 from samples."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
from av.audio.stream import AudioStream
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from egress.media.decode import SAMPLE_RATE, Samples
from egress.media.encode import audio_frame

FLUSHED = {"flush_packets": "1"}
"""What is written goes to the kernel at once, not when a buffer of the process is full: the process may be killed."""
MP4_OPTIONS = {"movflags": "+hybrid_fragmented+delay_moov", "frag_duration": "500000", **FLUSHED}
"""Fragments of half a second, so that a file whose writer was killed plays up to there; at the close it becomes an
ordinary MP4. Without delay_moov there is no edit list, and sound would start 67 ms late."""


class RecordingFile(Protocol):
    path: Path
    written: int
    """Bytes of media so far."""

    @property
    def seconds(self) -> float:
        """How long what was written lasts."""
        ...

    def write_video(self, packet: Packet[Any], first_tick: int) -> None: ...
    def write_audio(self, packet: Packet[Any], first_sample: int) -> None: ...
    def write_sound(self, sound: Samples, position: int) -> None: ...
    def close(self) -> None: ...


class Mp4File:
    """H.264 and AAC packets of a running encode, moved to the file's own time. Errors are OSError or FFmpegError."""

    def __init__(self, path: Path, video: VideoStream | None, audio: AudioStream | None) -> None:
        self.path = path
        self.written = 0
        self._container = av.open(str(path), "w", format="mp4", options=MP4_OPTIONS)
        self._video = self._container.add_stream_from_template(video) if video else None
        self._audio = self._container.add_stream_from_template(audio) if audio else None
        self._end = Fraction(0)

    @property
    def seconds(self) -> float:
        return float(self._end)

    def write_video(self, packet: Packet[Any], first_tick: int) -> None:
        assert self._video is not None
        self._write(packet, self._video, first_tick)

    def write_audio(self, packet: Packet[Any], first_sample: int) -> None:
        assert self._audio is not None
        self._write(packet, self._audio, first_sample)

    def _write(self, packet: Packet[Any], stream: Stream, offset: int) -> None:
        # The packet itself may be on its way into other files: each takes a copy with times of its own.
        copy: Packet[Any] = av.Packet(bytes(packet))
        assert packet.pts is not None and packet.dts is not None and packet.time_base is not None
        copy.pts, copy.dts = packet.pts - offset, packet.dts - offset
        copy.duration = packet.duration or (1 if stream is self._video else 0)
        copy.time_base = packet.time_base
        copy.is_keyframe = packet.is_keyframe
        self._end = max(self._end, (copy.pts + (copy.duration or 0)) * packet.time_base)
        self.written += packet.size
        copy.stream = stream
        self._container.mux_one(copy)

    def write_sound(self, sound: Samples, position: int) -> None:
        raise TypeError("an MP4 file takes packets")

    def close(self) -> None:
        self._container.close()


class AudioFile:
    """MP3 with an encoder of its own: its frames lean on each other, so a new file needs a new encoder."""

    def __init__(self, path: Path, bitrate: int) -> None:
        self.path = path
        self.written = 0
        self._container = av.open(str(path), "w", format="mp3", options={"write_xing": "1", **FLUSHED})
        self._stream = self._container.add_stream("libmp3lame", rate=SAMPLE_RATE)
        context = self._stream.codec_context
        context.layout = "stereo"
        context.format = "fltp"
        context.bit_rate = bitrate
        self._samples = 0

    @property
    def seconds(self) -> float:
        return self._samples / SAMPLE_RATE

    def write_video(self, packet: Packet[Any], first_tick: int) -> None:
        raise TypeError("an MP3 file has no pictures")

    def write_audio(self, packet: Packet[Any], first_sample: int) -> None:
        raise TypeError("an MP3 file takes samples")

    def write_sound(self, sound: Samples, position: int) -> None:
        self._samples = position + len(sound)
        for packet in self._stream.encode(audio_frame(sound, "fltp", position)):
            self.written += packet.size
            self._container.mux_one(packet)

    def close(self) -> None:
        try:
            for packet in self._stream.encode(None):
                self.written += packet.size
                self._container.mux_one(packet)
        finally:
            self._container.close()
