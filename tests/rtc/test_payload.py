"""What packets of VP8, H.264 and RED say of their frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from egress.rtc.payload import fragment, split_red
from tests.rtc.packets import PPS, SPS, slice_nal, stap

VP8_EXTENDED = bytes([0x90, 0xF0, 0x92, 0x34, 0x05, 0x60])
"""X and S set; picture id of 15 bits, TL0PICIDX, TID and KEYIDX (RFC 7741, 4.2)."""


@pytest.mark.parametrize(
    ("payload", "starts", "keyframe", "data"),
    [
        (b"\x10\x00key", True, True, b"\x00key"),
        (b"\x10\x01delta", True, False, b"\x01delta"),
        (b"\x00\x00rest", False, False, b"\x00rest"),
        (b"\x11\x00second partition", False, False, b"\x00second partition"),
        (VP8_EXTENDED + b"\x00key", True, True, b"\x00key"),
        (b"\x10", True, False, b""),
    ],
)
def test_vp8_frames_and_key_frames_are_found(payload: bytes, starts: bool, keyframe: bool, data: bytes):
    found = fragment("vp8", payload)
    assert (found.starts, found.keyframe, found.data) == (starts, keyframe, data)


IDR, DELTA = slice_nal(1, 0, True), slice_nal(1, 0, False)
FU = {
    "key start": bytes([0x7C, 0x85]) + b"ab",
    "key rest": bytes([0x7C, 0x05]) + b"ab",
    "key end": bytes([0x7C, 0x45]) + b"ab",
    "delta start": bytes([0x7C, 0x81]) + b"ab",
}


@pytest.mark.parametrize(
    ("payload", "starts", "keyframe"),
    [
        (IDR, True, True),
        (DELTA, True, False),
        (SPS, True, True),
        (PPS, True, False),
        (b"\x06\x05\x01\x00", True, False),
        (stap(SPS, PPS), True, True),
        (stap(PPS, IDR), True, True),
        (stap(b"\x06\x05\x01\x00", DELTA), True, False),
        (FU["key start"], True, True),
        (FU["key rest"], False, False),
        (FU["key end"], False, False),
        (FU["delta start"], True, False),
    ],
)
def test_h264_key_frames_are_found_in_every_packing(payload: bytes, starts: bool, keyframe: bool):
    found = fragment("h264", payload)
    assert (found.starts, found.keyframe) == (starts, keyframe)


@pytest.mark.parametrize(
    ("codec", "payload", "certain"),
    [
        ("vp8", b"\x10\x01delta", True),
        ("vp8", b"\x00\x01rest", False),
        ("h264", SPS, True),
        ("h264", stap(SPS, PPS, IDR), True),
        ("h264", b"\x09\x10", True),
        ("h264", IDR, False),
        ("h264", stap(PPS, IDR), False),
        ("h264", FU["key start"], False),
    ],
)
def test_only_some_packets_are_surely_the_first_of_their_frame(codec: str, payload: bytes, certain: bool):
    # An H.264 picture may have many slices, so a slice alone does not tell that nothing of it came before.
    assert fragment(codec, payload).first is certain


def test_h264_comes_out_with_start_codes():
    assert fragment("h264", IDR).data == b"\x00\x00\x00\x01" + IDR
    assert fragment("h264", FU["key start"]).data == b"\x00\x00\x00\x01\x65ab"
    assert fragment("h264", FU["key rest"]).data == b"ab"
    assert fragment("h264", stap(SPS, PPS)).data == b"\x00\x00\x00\x01" + SPS + b"\x00\x00\x00\x01" + PPS


@pytest.mark.parametrize(
    ("codec", "payload"),
    [
        ("vp8", b""),
        ("vp8", VP8_EXTENDED[:3]),
        ("h264", b""),
        ("h264", b"\x65"),
        ("h264", b"\x7c\x85"[:1]),
        ("h264", stap(SPS)[:-1]),
    ],
)
def test_damaged_video_payloads_raise_value_error(codec: str, payload: bytes):
    with pytest.raises(ValueError):
        fragment(codec, payload)


@given(st.sampled_from(["vp8", "h264"]), st.binary(max_size=40))
def test_no_video_payload_raises_anything_but_value_error(codec: str, payload: bytes):
    try:
        found = fragment(codec, payload)
    except ValueError:
        return
    assert not found.keyframe or found.starts


def red(*blocks: tuple[int, int, bytes], primary: bytes, payload_type: int = 111) -> bytes:
    heads = b"".join(((1 << 31) | pt << 24 | age << 10 | len(data)).to_bytes(4, "big") for pt, age, data in blocks)
    return heads + bytes([payload_type]) + b"".join(data for _, _, data in blocks) + primary


def test_red_is_split_with_the_oldest_first():
    blocks = split_red(red((111, 1920, b"older"), (63, 960, b"old"), primary=b"new"))
    assert [(b.payload_type, b.age, b.data) for b in blocks] == [
        (111, 1920, b"older"),
        (63, 960, b"old"),
        (111, 0, b"new"),
    ]


def test_red_without_redundancy_is_its_primary_block():
    [block] = split_red(red(primary=b"new"))
    assert (block.payload_type, block.age, block.data) == (111, 0, b"new")


@pytest.mark.parametrize(
    "payload", [b"", b"\xef\x00\x00", red((111, 960, b"long"), primary=b"")[:-2], b"\xef\x00\x00\x00"]
)
def test_damaged_red_raises_value_error(payload: bytes):
    with pytest.raises(ValueError, match="RED"):
        split_red(payload)


@given(st.binary(max_size=60))
def test_no_red_payload_raises_anything_but_value_error(payload: bytes):
    try:
        blocks = split_red(payload)
    except ValueError:
        return
    assert sum(len(b.data) for b in blocks) + 4 * (len(blocks) - 1) + 1 == len(payload)
