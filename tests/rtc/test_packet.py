"""RTP packets and their header extensions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.rtc.packet import (
    ABSOLUTE_CAPTURE_TIME,
    AUDIO_LEVEL,
    MID,
    VIDEO_ORIENTATION,
    parse_rtp,
    unwrap,
)
from tests.rtc.packets import rtp

IDS = {1: AUDIO_LEVEL, 4: MID, 7: VIDEO_ORIENTATION, 9: ABSOLUTE_CAPTURE_TIME}


def test_the_fixed_header_is_read():
    packet = parse_rtp(rtp(b"abc", seq=65535, timestamp=0xFFFFFFFE, ssrc=7, payload_type=111, marker=True), {}, 3.5)
    assert (packet.payload_type, packet.marker, packet.seq) == (111, True, 65535)
    assert (packet.timestamp, packet.ssrc, packet.payload, packet.arrival) == (0xFFFFFFFE, 7, b"abc", 3.5)


def test_contributing_sources_and_padding_are_no_payload():
    assert parse_rtp(rtp(b"abc", csrcs=15, padding=7), {}, 0).payload == b"abc"


def test_padding_alone_leaves_an_empty_payload():
    assert parse_rtp(rtp(b"", padding=255), {}, 0).payload == b""


def test_one_byte_extensions_are_read_past_filling_zeros():
    level = bytes([1 << 4 | 0, 0x80 | 33])
    capture = bytes([9 << 4 | 7]) + (0x0123456789ABCDEF).to_bytes(8, "big")
    extension = level + b"\0\0" + bytes([7 << 4 | 0, 0b1001]) + capture + bytes([4 << 4 | 1]) + b"v0"
    packet = parse_rtp(rtp(b"p", extension=extension), IDS, 0)
    assert packet.audio_level == 33
    assert packet.rotation == 90
    assert packet.capture_ntp == 0x0123456789ABCDEF
    assert packet.mid == "v0"
    assert packet.payload == b"p"


@pytest.mark.parametrize(("bits", "degrees"), [(0, 0), (1, 90), (2, 180), (3, 270), (0b1110, 180)])
def test_orientation_is_clockwise_and_ignores_camera_and_flip(bits: int, degrees: int):
    assert parse_rtp(rtp(extension=bytes([7 << 4, bits])), IDS, 0).rotation == degrees


@pytest.mark.parametrize("profile", [0x1000, 0x100F])
def test_two_byte_extensions_are_read(profile: int):
    extension = bytes([1, 1, 20, 0, 200, 0, 4, 5]) + b"audio"
    packet = parse_rtp(rtp(b"p", extension=extension, profile=profile), IDS, 0)
    assert (packet.audio_level, packet.mid, packet.payload) == (20, "audio", b"p")


def test_extensions_of_another_profile_are_skipped():
    packet = parse_rtp(rtp(b"p", extension=bytes([1 << 4, 50]), profile=0x1234), IDS, 0)
    assert (packet.audio_level, packet.payload) == (None, b"p")


def test_reading_stops_at_the_reserved_id():
    packet = parse_rtp(rtp(extension=bytes([15 << 4, 0, 1 << 4, 50])), IDS, 0)
    assert packet.audio_level is None


def test_an_extension_longer_than_its_block_is_ignored_but_not_the_packet():
    packet = parse_rtp(rtp(b"pp", extension=bytes([0, 0, 4 << 4 | 15, 1])), IDS, 0)
    assert (packet.mid, packet.payload) == (None, b"pp")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        rtp()[:11],
        b"\x40" + rtp()[1:],
        rtp(b"", csrcs=3)[:20],
        rtp(extension=b"abcd")[:14],
        rtp(extension=b"abcd", payload=b"")[:-1],
        rtp(b"ab", padding=1)[:-1] + b"\xff",
    ],
    ids=["empty", "short", "version", "csrc", "extension head", "extension", "padding"],
)
def test_damage_raises_value_error(data: bytes):
    with pytest.raises(ValueError, match="RTP"):
        parse_rtp(data, IDS, 0)


@given(st.binary(max_size=80), st.integers(0, 255), st.booleans())
def test_no_bytes_raise_anything_but_value_error(tail: bytes, first: int, two_byte: bool):
    head = bytes([0x80 | first & 0x3F]) + rtp()[1:12]
    for data in (tail, head + tail, head + (b"\x10\x00" if two_byte else b"\xbe\xde") + tail):
        try:
            packet = parse_rtp(data, IDS, 0)
        except ValueError:
            continue
        assert len(packet.payload) <= len(data) - 12
        assert packet.rotation in (None, 0, 90, 180, 270)


@given(st.integers(0, 1 << 50), st.integers(-20000, 20000), st.sampled_from([16, 32]))
def test_unwrapping_finds_the_nearest_number(last: int, delta: int, bits: int):
    assert unwrap((last + delta) % (1 << bits), last, bits) == last + delta


def test_unwrapping_begins_with_the_number_itself():
    assert unwrap(65000, None, 16) == 65000
