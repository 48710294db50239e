"""Encoders of programs."""

from __future__ import annotations

import itertools
from fractions import Fraction

import av
import numpy as np
import pytest

from egress.media.bitrates import CAPS, bitrate_cap
from egress.media.decode import SAMPLE_RATE
from egress.media.encode import AAC_FRAME, AacEncoder, EncodeError, VideoEncoder
from egress.protocol.encoding import AudioEncoding, Quality, VideoEncoding
from tests.media.fakes import picture, sine

FAST = VideoEncoding(preset="ultrafast")


def test_pictures_keep_their_tick_numbers_and_key_frames_come_when_told():
    encoder = VideoEncoder(64, 48, FAST)
    packets = []
    ticks = [n for n in range(60) if n not in (20, 21)]
    for n in ticks:
        packets += encoder.encode(picture(64, 48, 40 + n), n, keyframe=n == 32)
    packets += encoder.flush()
    assert sorted(p.pts for p in packets) == ticks
    assert [p.dts for p in packets] == sorted(p.dts for p in packets)
    assert all(p.time_base == Fraction(1, 30) for p in packets)
    keys = [p.pts for p in packets if p.is_keyframe]
    assert 0 in keys and 32 in keys
    position = [p.pts for p in packets].index(32)
    assert all(p.pts < 32 for p in packets[:position]), "nothing from before a cut comes after it"
    assert all(p.pts > 32 for p in packets[position + 1 :])


def test_the_stream_is_h264_high_in_limited_range():
    context = VideoEncoder(1280, 720, VideoEncoding()).stream.codec_context
    assert (context.name, context.pix_fmt) == ("libx264", "yuv420p")
    assert context.color_range == 1
    assert context.gop_size == 60
    assert context.thread_count == 1
    sps = context.extradata.index(b"\x00\x00\x00\x01\x67")  # type: ignore[union-attr]
    assert context.extradata[sps + 5] == 100, "profile_idc of High"  # type: ignore[index]


@pytest.mark.parametrize("quality", [q for q in Quality if q.size[0]])
def test_every_quality_opens(quality: Quality):
    width, height = quality.size
    assert width % 2 == height % 2 == 0
    encoder = VideoEncoder(width, height, FAST)
    assert encoder.flush() == []


def test_a_size_x264_cannot_take_is_an_encode_error():
    with pytest.raises(EncodeError):
        VideoEncoder(63, 47, FAST)


def test_sound_is_whole_frames_with_one_of_priming():
    encoder = AacEncoder(AudioEncoding())
    sound = sine(1.0)
    packets = []
    for start in range(0, len(sound), 1600):
        packets += encoder.encode(sound[start : start + 1600])
    packets += encoder.flush()
    times = [p.pts for p in packets]
    assert times[0] == -AAC_FRAME
    assert all(b - a == AAC_FRAME for a, b in itertools.pairwise(times))
    assert times[-1] + AAC_FRAME >= SAMPLE_RATE


def test_encoded_sound_is_the_sound_it_was_made_of():
    encoder = AacEncoder(AudioEncoding())
    sound = sine(1.0, 440, 0.3)
    packets = encoder.encode(sound) + encoder.flush()
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.stream.codec_context.extradata
    decoded = np.concatenate([f.to_ndarray()[0] for p in [*packets, None] for f in decoder.decode(p)])  # type: ignore[attr-defined]
    played = decoded[AAC_FRAME : AAC_FRAME + SAMPLE_RATE]
    middle = slice(4800, 43200)
    assert np.abs(played[middle] - sound[middle, 0]).max() < 0.02


def test_no_sound_at_all_flushes_without_an_error():
    assert len(AacEncoder(AudioEncoding()).flush()) <= 2


def test_caps_follow_the_shorter_side_and_the_rate():
    assert {q: bitrate_cap(*q.size, 30) for q in (Quality.P360, Quality.P720, Quality.PORTRAIT_720X1280)} == {
        Quality.P360: CAPS[360],
        Quality.P720: CAPS[720],
        Quality.PORTRAIT_720X1280: CAPS[720],
    }
    assert bitrate_cap(1280, 720, 60) == round(1.8 * CAPS[720])
    assert bitrate_cap(1280, 720, 15) == CAPS[720]
    assert bitrate_cap(7680, 4320, 30) == CAPS[2160]
