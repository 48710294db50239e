"""Payload formats: VP8 (RFC 7741), H.264 (RFC 6184), Opus (RFC 7587) and RED (RFC 2198).

Video payloads are split into descriptor and data by aiortc's parsers; what is added here is what a frame buffer has to
know of a packet: does a frame begin here, is it a key frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor

VIDEO_CODECS = ("vp8", "h264")


@dataclass(slots=True)
class Fragment:
    """What one packet adds to a frame. ``starts`` is True where a frame can begin, ``first`` where one surely does: an
    H.264 slice may be the second of its picture."""

    data: bytes
    starts: bool
    keyframe: bool
    first: bool = False


PADDING = Fragment(b"", False, False)
"""What a packet of padding alone adds."""


def fragment(codec: str, payload: bytes) -> Fragment:
    """Take one payload of ``codec`` apart. Raises ValueError on damage."""
    if codec == "vp8":
        descriptor, data = VpxPayloadDescriptor.parse(payload)
        starts = bool(descriptor.partition_start) and descriptor.partition_id == 0
        # RFC 6386, 9.1: the lowest bit of a frame's first byte is 0 for a key frame.
        return Fragment(data, starts, starts and bool(data) and not data[0] & 1, starts)
    if codec == "h264":
        h264, data = H264PayloadDescriptor.parse(payload)
        return Fragment(data, h264.first_fragment, _has_idr(payload), _first_nal(payload) in (7, 9))
    return Fragment(payload, True, True)


def _first_nal(payload: bytes) -> int:
    """The type of the first NAL unit; 7 (SPS) and 9 (access unit delimiter) come before all slices of a picture."""
    nal_type = payload[0] & 0x1F
    return payload[3] & 0x1F if nal_type == 24 and len(payload) > 3 else nal_type


def _has_idr(payload: bytes) -> bool:
    """Whether a key frame's slice, or the parameter sets before it, begins in this payload."""
    nal_type = payload[0] & 0x1F
    if nal_type == 28:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F == 5
    if nal_type == 24:
        position = 1
        while position + 2 < len(payload):
            size = int.from_bytes(payload[position : position + 2], "big")
            if payload[position + 2] & 0x1F in (5, 7):
                return True
            position += 2 + size
        return False
    return nal_type in (5, 7)


@dataclass(slots=True)
class RedBlock:
    """One block of a RED payload: ``age`` is its distance from the packet's time stamp, in clock units."""

    payload_type: int
    age: int
    data: bytes


def split_red(payload: bytes) -> list[RedBlock]:
    """The blocks of a RED payload, oldest first; the last is the primary one. Raises ValueError."""
    headers: list[tuple[int, int, int]] = []
    position = 0
    while True:
        if position >= len(payload):
            raise ValueError("RED header is cut short")
        if not payload[position] & 0x80:
            primary = payload[position] & 0x7F
            position += 1
            break
        if position + 4 > len(payload):
            raise ValueError("RED block header is cut short")
        word = int.from_bytes(payload[position : position + 4], "big")
        headers.append(((word >> 24) & 0x7F, (word >> 10) & 0x3FFF, word & 0x3FF))
        position += 4
    blocks = []
    for payload_type, age, length in headers:
        if position + length > len(payload):
            raise ValueError("RED block is longer than the payload")
        blocks.append(RedBlock(payload_type, age, payload[position : position + length]))
        position += length
    blocks.append(RedBlock(primary, 0, payload[position:]))
    return blocks
