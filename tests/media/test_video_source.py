"""Pictures on their way to tiles: shown when their time has come, decoded only then."""

from __future__ import annotations

import pytest

from egress.media.video_source import AHEAD, MAX_WAITING, VideoSource
from tests.media.fakes import FakeTrack, encoded, luma_of, picture

LUMAS = [40, 70, 100, 130, 160]


@pytest.fixture(scope="module")
def packets() -> list[bytes]:
    return encoded("vp8", [picture(64, 48, luma) for luma in LUMAS])


class Watched:
    def __init__(self) -> None:
        self.track = FakeTrack("video", "vp8", shift=1000.0)
        self.damages = 0
        self.source = VideoSource(self.track, self._damage)
        self.source.start()

    def _damage(self) -> None:
        self.damages += 1

    def luma(self, until: float) -> int | None:
        shown = self.source.advance(until)
        return None if shown is None else int(luma_of(shown.frame).mean())


def test_a_picture_is_shown_from_its_time_on_and_not_before(packets: list[bytes]):
    watched = Watched()
    for n, data in enumerate(packets):
        watched.track.feed(data, 2000 + n * 0.1, keyframe=n == 0)
    assert watched.luma(1999.99) is None
    assert watched.source.decoded == 0
    for n, luma in enumerate(LUMAS):
        shown = watched.luma(2000 + n * 0.1 + 0.05)
        assert shown is not None
        assert abs(shown - luma) <= 3
    assert watched.source.decoded == len(LUMAS)


def test_a_picture_has_one_serial_until_the_next_one(packets: list[bytes]):
    watched = Watched()
    watched.track.feed(packets[0], 2000.0, rotation=90)
    watched.track.feed(packets[1], 2000.1, keyframe=False)
    first, again, second = (watched.source.advance(t) for t in (2000.0, 2000.05, 2000.1))
    assert first is not None and again is not None and second is not None
    assert first.serial == again.serial != second.serial
    assert (first.rotation, second.rotation) == (90, 0)
    assert first.time == pytest.approx(2000.0)


def test_nothing_is_decoded_before_a_key_frame(packets: list[bytes]):
    watched = Watched()
    for n in (1, 2):
        watched.track.feed(packets[n], 2000.0 + n, keyframe=False)
    assert watched.luma(2010) is None
    assert (watched.source.decoded, watched.source.decode_errors) == (0, 0)
    assert not watched.source.received
    watched.track.feed(packets[0], 2011.0)
    assert watched.source.received
    assert watched.luma(2011) is not None


def test_a_frame_that_cannot_be_decoded_asks_for_a_key_frame_and_keeps_the_last_picture(packets: list[bytes]):
    watched = Watched()
    watched.track.feed(packets[0], 2000.0)
    watched.track.feed(b"\xff", 2000.1, keyframe=False)
    watched.track.feed(packets[2], 2000.2, keyframe=False)
    shown = watched.luma(2000.3)
    assert shown is not None
    assert abs(shown - LUMAS[0]) <= 3
    assert (watched.damages, watched.source.decode_errors, watched.source.decoded) == (1, 1, 1)
    watched.track.feed(packets[0], 2000.4)
    watched.track.feed(packets[1], 2000.5, keyframe=False)
    assert abs((watched.luma(2000.5) or 0) - LUMAS[1]) <= 3


def test_what_waits_is_bounded_and_begins_anew_with_a_key_frame(packets: list[bytes]):
    watched = Watched()
    for n in range(MAX_WAITING + 50):
        watched.track.feed(packets[1], 2000.0 + n / 60, keyframe=n == 0)
    assert len(watched.source._waiting) == MAX_WAITING
    assert watched.source.overflowed == 50
    assert watched.track.keyframes_asked >= 1
    watched.source._waiting.clear()
    watched.track.feed(packets[1], 2100.0, keyframe=False)
    assert len(watched.source._waiting) == 0
    watched.track.feed(packets[0], 2100.1)
    assert len(watched.source._waiting) == 1


def test_a_tile_that_returns_does_not_show_what_it_showed_before(packets: list[bytes]):
    watched = Watched()
    watched.track.feed(packets[0], 2000.0)
    assert watched.luma(2000) is not None
    watched.source.stop()
    watched.source.stop()
    assert not watched.track.listened
    assert watched.luma(2001) is not None, "while the tile fades out, the last picture stays"
    watched.source.start()
    watched.source.start()
    assert watched.source.listening
    assert watched.luma(2010) is None
    watched.track.feed(packets[1], 2010.1, keyframe=False)
    assert watched.luma(2010.2) is None
    watched.track.feed(packets[0], 2010.3)
    assert watched.luma(2010.4) is not None


@pytest.mark.parametrize(("codec", "size"), [("vp8", 8), ("h264", 2)])
def test_the_blank_pictures_that_a_server_ends_a_track_with_are_not_shown(codec: str, size: int):
    watched = Watched()
    watched.track.codec = codec
    watched.track.feed(encoded(codec, [picture(64, 48, 100)])[0], 2000.0)
    watched.track.feed(encoded(codec, [picture(size, size, 16)])[0], 2000.1)
    assert abs((watched.luma(2000.2) or 0) - 100) <= 3
    assert watched.source.size == (64, 48)
    assert (watched.source.decoded, watched.source.decode_errors) == (1, 0)


def test_the_codec_may_change_in_mid_stream(packets: list[bytes]):
    watched = Watched()
    watched.track.feed(packets[0], 2000.0)
    assert watched.luma(2000) is not None
    watched.track.codec = "h264"
    watched.track.feed(encoded("h264", [picture(96, 64, 200)])[0], 2001.0)
    assert abs((watched.luma(2001) or 0) - 200) <= 3


def test_frames_of_an_older_line_of_time_stamps_do_not_stop_what_follows(packets: list[bytes]):
    watched = Watched()
    watched.track.feed(packets[0], 2000.0)
    watched.track.clock.shift += 3600.0  # the sender's time stamps began anew; the clock follows the new ones
    watched.track.feed(packets[1], 2000.1, keyframe=False)
    assert abs((watched.luma(2000.1 + AHEAD) or 0) - LUMAS[1]) <= 3
