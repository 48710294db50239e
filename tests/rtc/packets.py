"""RTP packets and streams made by hand, byte by byte, so that the parsers are not tested against themselves."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from egress.rtc.buffer import FrameBuffer
from egress.rtc.packet import RtpPacket
from egress.rtc.payload import PADDING, fragment
from egress.rtc.track import EncodedFrame


def rtp(
    payload: bytes = b"x",
    *,
    seq: int = 1,
    timestamp: int = 1000,
    ssrc: int = 0x11223344,
    payload_type: int = 96,
    marker: bool = False,
    csrcs: int = 0,
    extension: bytes | None = None,
    profile: int = 0xBEDE,
    padding: int = 0,
) -> bytes:
    """A packet as RFC 3550, 5.1 draws it; ``extension`` is filled up to whole words with zeros."""
    first = 0x80 | (0x20 if padding else 0) | (0x10 if extension is not None else 0) | csrcs
    data = struct.pack("!BBHII", first, (0x80 if marker else 0) | payload_type, seq & 0xFFFF, timestamp, ssrc)
    data += b"\xaa\xbb\xcc\xdd" * csrcs
    if extension is not None:
        extension += bytes(-len(extension) % 4)
        data += struct.pack("!HH", profile, len(extension) // 4) + extension
    data += payload
    if padding:
        data += bytes(padding - 1) + bytes([padding])
    return data


def vp8(number: int, part: int, keyframe: bool) -> bytes:
    """A VP8 payload (RFC 7741) of picture ``number``; only part 0 begins it."""
    if part:
        return b"\x00" + struct.pack("!HB", number, part)
    return b"\x10" + bytes([0 if keyframe else 1]) + struct.pack("!HB", number, part)


def slice_nal(number: int, part: int, keyframe: bool) -> bytes:
    """An H.264 slice (RFC 6184), whole in one packet."""
    return bytes([0x65 if keyframe else 0x41]) + struct.pack("!HB", number, part)


def stap(*nals: bytes) -> bytes:
    return b"\x78" + b"".join(struct.pack("!H", len(nal)) + nal for nal in nals)


SPS, PPS = b"\x67\x42\xe0\x1f", b"\x68\xce\x3c\x80"


def h264(number: int, part: int, keyframe: bool) -> bytes:
    """One slice a packet; a key frame's first packet brings the parameter sets, as every encoder in WebRTC does."""
    nal = slice_nal(number, part, keyframe)
    return stap(SPS, PPS, nal) if keyframe and part == 0 else nal


def packet(
    seq: int, timestamp: int, payload: bytes, arrival: float, *, marker: bool = False, rotation: int | None = None
) -> RtpPacket:
    return RtpPacket(96, marker, seq & 0xFFFF, timestamp & 0xFFFFFFFF, 1, payload, arrival, rotation=rotation)


def put(buffer: FrameBuffer, codec: str, *packets: RtpPacket, repair: bool = False) -> None:
    for one in packets:
        buffer.add(one, fragment(codec, one.payload) if one.payload else PADDING, repair=repair)


@dataclass(slots=True)
class VideoStream:
    """A sender of pictures: ``parts`` packets each, marked at their end or not, padding packets after them or not."""

    codec: str = "vp8"
    seq: int = 100
    timestamp: int = 5000
    step: int = 3000
    marked: bool = True
    number: int = 0
    sent: list[list[RtpPacket]] = field(default_factory=list)
    keys: list[bool] = field(default_factory=list)

    def picture(self, parts: int = 1, *, keyframe: bool = False, arrival: float = 0.0, padding: int = 0) -> None:
        make = vp8 if self.codec == "vp8" else h264
        packets = []
        for part in range(parts):
            payload = make(self.number, part, keyframe)
            packets.append(packet(self.seq, self.timestamp, payload, arrival, marker=self.marked and part == parts - 1))
            self.seq += 1
        self.sent.append(packets)
        self.keys.append(keyframe)
        for _ in range(padding):
            self.sent[-1].append(packet(self.seq, self.timestamp, b"", arrival))
            self.seq += 1
        self.number += 1
        self.timestamp += self.step

    def data(self, index: int) -> bytes:
        """What picture ``index`` has to be once it is put together."""
        return b"".join(fragment(self.codec, p.payload).data for p in self.sent[index] if p.payload)


def texts(frames: list[EncodedFrame]) -> list[bytes]:
    return [frame.data for frame in frames]
