"""Decoders of what WebRTC sends."""

from __future__ import annotations

import numpy as np
import pytest

from egress.media.decode import SAMPLE_RATE, AudioDecoder, DecodeError, VideoDecoder
from tests.media.fakes import encoded, luma_of, opus, picture, sine


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_every_encoded_picture_comes_out_at_once(codec: str):
    decoder = VideoDecoder(codec)
    lumas = [40, 80, 120, 160, 200]
    for luma, data in zip(lumas, encoded(codec, [picture(64, 48, luma) for luma in lumas]), strict=True):
        frame = decoder.decode(data)
        assert frame is not None
        assert abs(int(luma_of(frame).mean()) - luma) <= 3


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_a_source_may_change_its_size(codec: str):
    decoder = VideoDecoder(codec)
    sizes = [(64, 48), (128, 96), (48, 64)]
    for width, height in sizes:
        frame = decoder.decode(encoded(codec, [picture(width, height, 100)])[0])
        assert frame is not None
        assert (frame.width, frame.height) == (width, height)


@pytest.mark.parametrize("codec", ["vp8", "h264"])
def test_damage_is_a_decode_error_and_a_key_frame_heals_it(codec: str):
    decoder = VideoDecoder(codec)
    key, *_ = encoded(codec, [picture(64, 48, 100)] * 2)
    with pytest.raises(DecodeError):
        decoder.decode(b"\xff" * 3 if codec == "vp8" else b"\x00\x00\x00\x01\x65\xff\xff")
    assert decoder.decode(key) is not None


def test_sound_comes_out_as_loud_as_it_went_in():
    decoder = AudioDecoder()
    sound = np.concatenate([decoder.decode(data) for data in opus(sine(0.5, amplitude=0.3))])
    assert sound.dtype == np.float32
    assert sound.shape[1] == 2
    assert abs(len(sound) / SAMPLE_RATE - 0.5) < 0.021
    level = np.sqrt((sound[4800:-4800] ** 2).mean())
    assert abs(20 * np.log10(level / (0.3 / np.sqrt(2)))) < 0.5


def test_damaged_sound_is_a_decode_error():
    with pytest.raises(DecodeError):
        AudioDecoder().decode(b"\xff\xff\xff")
