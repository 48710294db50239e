"""A track that goes on while what it is received by comes and goes."""

from __future__ import annotations

from typing import Any, cast

from egress.call.livekit.track import LivekitTrack
from egress.rtc.clock import ParticipantClock
from egress.rtc.receiver import PeerTrack
from tests.media.fakes import FakeTrack


class Source(FakeTrack):
    def join(self, group: ParticipantClock) -> None:
        self.joined = group


def source(last_packet: float | None = None) -> Any:
    made = Source("video", "vp8")
    made.last_packet = last_packet
    return made


def attached(track: LivekitTrack, to: Any) -> None:
    track.attach(cast(PeerTrack, to))


def test_listeners_follow_from_source_to_source() -> None:
    calls: list[bool] = []
    track = LivekitTrack("video", "vp8", lambda: calls.append(track.needed))
    heard: list[bytes] = []
    first, second = source(), source()
    attached(track, first)
    end = track.listen(lambda frame: heard.append(frame.data))
    first.feed(b"1", 1.0)
    attached(track, second)
    first.feed(b"x", 2.0)
    second.feed(b"2", 2.0)
    track.detach()
    second.feed(b"x", 3.0)
    attached(track, first)
    first.feed(b"3", 3.0)
    end()
    end()
    first.feed(b"x", 4.0)
    assert heard == [b"1", b"2", b"3"]
    assert calls == [True, False]


def test_a_source_that_comes_later_joins_the_participants_clock() -> None:
    track = LivekitTrack("video", "vp8", lambda: None)
    group = ParticipantClock()
    track.join(group)
    late = source()
    attached(track, late)
    assert late.joined is group


def test_when_the_last_packet_came_is_known_while_nothing_receives() -> None:
    track = LivekitTrack("video", "vp8", lambda: None)
    assert track.last_packet is None
    attached(track, source(12.5))
    track.detach()
    assert track.last_packet == 12.5
    attached(track, source())
    assert track.last_packet == 12.5
    attached(track, source(14.0))
    assert track.last_packet == 14.0
