"""What the battery looks and listens with: it finds what is wrong in what is shown."""

from __future__ import annotations

import pytest

from egress.rtc.clock import TrackClock
from egress.rtc.track import EncodedFrame
from tests.connectors.shown import beepers, longest_gap, pictures, sizes, voices, wrong
from tests.rig.loops import audio_loop, video_loop

CLOCK = TrackClock(90_000)


def film(identity: int, count: int = 30, size: tuple[int, int] = (320, 180), start: int = 0) -> list[EncodedFrame]:
    """One second, or a part of it, that begins at picture ``start``."""
    group = video_loop(identity, *size, bitrate=300_000).groups[0][:count]
    return [
        EncodedFrame(data, (start + n) * 3000, (start + n) / 30, keyframe=n == 0, clock=CLOCK)
        for n, data in enumerate(group)
    ]


def sound(identity: int | None, hum: bool = True) -> list[EncodedFrame]:
    """Two seconds."""
    packets = audio_loop(identity, **({} if hum else {"hum": 0.0})).packets
    return [EncodedFrame(data, n * 960, n / 50, keyframe=True, clock=CLOCK) for n, data in enumerate(packets * 2)]


def test_pictures_that_follow_each_other_are_right() -> None:
    shown, bad = pictures([*film(2), *film(2, start=30)], "vp8")
    assert not bad
    assert len(shown) == 60
    assert wrong(shown, 2) == []
    assert sizes(shown) == [(320, 180)]


def test_a_picture_of_somebody_else_is_wrong() -> None:
    shown, _ = pictures([*film(2), *film(3, start=30)], "vp8")
    assert len(wrong(shown, 2)) == 30


def test_pictures_made_from_other_pictures_are_wrong() -> None:
    # The second stream without its key frame: it is decoded on top of the first.
    shown, bad = pictures([*film(2, count=15), *film(3, start=15)[16:]], "vp8")
    assert bad or wrong(shown, 2)
    assert len(wrong(shown, 2)) + len(bad) >= 1


def test_a_picture_that_comes_again_later_is_wrong() -> None:
    frames = film(2)
    for frame in frames[15:]:
        frame.rtp_time += 30_000
    shown, _ = pictures(frames, "vp8")
    assert [one.rtp_time for one in wrong(shown, 2)] == [15 * 3000 + 30_000]


def test_what_cannot_be_decoded_is_told() -> None:
    frames = film(2, count=3)
    frames[1].data = b""
    shown, bad = pictures([*frames[:1], EncodedFrame(b"\x01", 3000, 0.03, False), *frames[2:]], "vp8")
    assert len(shown) == 2
    assert len(bad) == 1


def test_another_size_is_seen_as_often_as_it_comes() -> None:
    shown, _ = pictures([*film(2), *film(2, size=(480, 270), start=30), *film(2, start=60)], "vp8")
    assert sizes(shown) == [(320, 180), (480, 270), (320, 180)]


def test_gaps_are_those_of_the_publishers_time() -> None:
    frames = film(2)
    assert longest_gap(frames, 90_000) == pytest.approx(1 / 30)
    assert longest_gap([*frames[:5], *frames[14:]], 90_000) == pytest.approx(10 / 30)
    late = EncodedFrame(b"", 0, frames[-1].arrival + 2.0, True, clock=TrackClock(90_000))
    assert longest_gap([*frames, late], 90_000) == pytest.approx(2.0)
    assert longest_gap([], 90_000) == 0.0


def test_voices_are_known_by_their_hum_and_screens_by_their_beeps() -> None:
    assert voices(sound(3)) == {3}
    assert voices(sound(None)) == set()
    assert voices([]) == set()
    assert beepers(sound(3)) == {3}
    assert (voices(sound(11, hum=False)), beepers(sound(11, hum=False))) == (set(), {11})
