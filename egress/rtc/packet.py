"""RTP packets (RFC 3550) and the header extensions (RFC 8285) that matter to a recorder."""

from __future__ import annotations

import struct
from dataclasses import dataclass

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
VIDEO_ORIENTATION = "urn:3gpp:video-orientation"
ABSOLUTE_CAPTURE_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-capture-time"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"

NTP_FRACTION = 1 / (1 << 32)
"""Seconds in one unit of a 64-bit NTP time."""

_HEADER = struct.Struct("!BBHII")


@dataclass(slots=True)
class RtpPacket:
    """One packet. ``seq`` is 16 bits and ``timestamp`` 32 bits as sent; ``arrival`` is ``time.monotonic()``."""

    payload_type: int
    marker: bool
    seq: int
    timestamp: int
    ssrc: int
    payload: bytes
    arrival: float
    audio_level: int | None = None
    rotation: int | None = None
    capture_ntp: int | None = None
    """Absolute capture time: 64-bit NTP of the first sender's clock."""
    mid: str | None = None


def parse_rtp(data: bytes, extensions: dict[int, str], arrival: float) -> RtpPacket:
    """Parse one (decrypted) packet; ``extensions`` maps negotiated ids to URIs. Raises ValueError."""
    if len(data) < 12:
        raise ValueError("RTP packet is shorter than its header")
    first, second, seq, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise ValueError("RTP version is not 2")
    position = 12 + 4 * (first & 0x0F)
    end = len(data)
    if first & 0x20:
        end -= data[-1]
    packet = RtpPacket(second & 0x7F, second >= 0x80, seq, timestamp, ssrc, b"", arrival)
    if first & 0x10:
        if len(data) < position + 4:
            raise ValueError("RTP header extension is cut short")
        profile, words = struct.unpack_from("!HH", data, position)
        position += 4
        after = position + 4 * words
        if after > end:
            raise ValueError("RTP header extension is longer than the packet")
        if extensions:
            _read_extensions(packet, data, position, after, profile, extensions)
        position = after
    if position > end:
        raise ValueError("RTP padding is longer than the payload")
    packet.payload = data[position:end]
    return packet


def _read_extensions(
    packet: RtpPacket, data: bytes, position: int, end: int, profile: int, extensions: dict[int, str]
) -> None:
    one_byte = profile == 0xBEDE
    if not one_byte and profile >> 4 != 0x100:
        return
    while position < end:
        if data[position] == 0:
            position += 1
            continue
        if one_byte:
            ident, length = data[position] >> 4, (data[position] & 0x0F) + 1
            position += 1
            if ident == 15:
                return
        else:
            if position + 2 > end:
                return
            ident, length = data[position], data[position + 1]
            position += 2
        if position + length > end:
            return
        uri = extensions.get(ident)
        if uri is not None and length:
            value = data[position : position + length]
            if uri == AUDIO_LEVEL:
                packet.audio_level = value[0] & 0x7F
            elif uri == VIDEO_ORIENTATION:
                packet.rotation = (value[0] & 0x03) * 90
            elif uri == ABSOLUTE_CAPTURE_TIME and length >= 8:
                packet.capture_ntp = int.from_bytes(value[:8], "big")
            elif uri == MID:
                packet.mid = value.decode("ascii", "replace")
        position += length


def unwrap(value: int, last: int | None, bits: int) -> int:
    """The unbounded number nearest to ``last`` whose low ``bits`` bits are ``value``."""
    if last is None:
        return value
    span = 1 << bits
    delta = (value - last) & (span - 1)
    return last + (delta if delta < span >> 1 else delta - span)
