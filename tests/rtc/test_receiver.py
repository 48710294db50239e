"""One received track: repetition, redundancy, key frames, and who listens."""

from __future__ import annotations

import pytest

from egress.rtc.clock import ParticipantClock
from egress.rtc.packet import RtpPacket
from egress.rtc.receiver import PeerTrack
from egress.rtc.sdp import Section
from egress.rtc.track import EncodedFrame, TrackCounts
from tests.rtc.packets import VideoStream, vp8

VIDEO = Section("v", "video", {96: "vp8", 97: "rtx"}, {96: 90_000, 97: 90_000}, {97: 96}, {}, [1], {2: 1})
AUDIO = Section("a", "audio", {63: "red", 111: "opus"}, {63: 48_000, 111: 48_000}, {}, {}, [1])


class Track:
    def __init__(self, section: Section, *, listening: bool = True) -> None:
        self.woken = 0
        self.track = PeerTrack(section, 1.0, self._wake)
        self.frames: list[EncodedFrame] = []
        self.end = self.track.listen(self.frames.append) if listening else lambda: None

    def _wake(self) -> None:
        self.woken += 1

    def take(self, payload: bytes, seq: int, timestamp: int, arrival: float, **given: object) -> None:
        packet = RtpPacket(
            **{"payload_type": 111, "marker": False, "ssrc": 1, **given},
            seq=seq & 0xFFFF,
            timestamp=timestamp & 0xFFFFFFFF,
            payload=payload,
            arrival=arrival,
        )  # type: ignore[arg-type]
        self.track.on_packet(packet)

    @property
    def data(self) -> list[bytes]:
        return [frame.data for frame in self.frames]


def red(*old: tuple[int, bytes], primary: bytes) -> bytes:
    heads = b"".join(((1 << 31) | 111 << 24 | age << 10 | len(data)).to_bytes(4, "big") for age, data in old)
    return heads + bytes([111]) + b"".join(data for _, data in old) + primary


def test_a_lost_packet_comes_back_out_of_the_next_ones_redundancy():
    track = Track(AUDIO)
    track.take(red(primary=b"a"), 1, 0, 0.0, payload_type=63)
    track.take(red((1920, b"b"), (960, b"c"), primary=b"d"), 4, 2880, 0.06, payload_type=63)
    assert track.data == [b"a", b"b", b"c", b"d"]
    assert [f.rtp_time for f in track.frames] == [0, 960, 1920, 2880]
    assert track.track.codec == "opus"


def test_redundancy_from_before_the_first_packet_is_not_played():
    track = Track(AUDIO)
    track.take(red((1920, b"x"), (960, b"y"), primary=b"a"), 3, 2880, 0.0, payload_type=63)
    track.take(red((960, b"a"), primary=b"b"), 4, 3840, 0.02, payload_type=63)
    assert track.data[-2:] == [b"a", b"b"]
    times = [f.rtp_time for f in track.frames]
    assert times == sorted(times)


def test_damaged_redundancy_costs_its_packet_alone():
    track = Track(AUDIO)
    track.take(red(primary=b"a"), 1, 0, 0.0, payload_type=63)
    track.take(b"\xef\x00", 2, 960, 0.02, payload_type=63)
    track.take(red((960, b"b"), primary=b"c"), 3, 1920, 0.04, payload_type=63)
    assert track.data == [b"a", b"b", b"c"]
    assert track.track.bad_packets == 1


def test_a_repetition_on_its_own_stream_fills_the_hole():
    track, stream = Track(VIDEO), VideoStream(seq=65_534)
    for n in range(4):
        stream.picture(1, keyframe=n == 0, arrival=n * 0.03)
    for n in (0, 1, 3):
        [packet] = stream.sent[n]
        track.track.on_packet(packet)
    assert len(track.frames) == 2
    [lost] = stream.sent[2]
    track.take(lost.seq.to_bytes(2, "big") + lost.payload, 7, lost.timestamp, 0.2, payload_type=97, ssrc=2, marker=True)
    assert track.data == [stream.data(n) for n in range(4)]
    track.take(b"", 8, lost.timestamp, 0.2, payload_type=97, ssrc=2)
    track.take(b"\x00", 9, lost.timestamp, 0.2, payload_type=97, ssrc=2)
    assert track.track.ssrc == 1


def test_a_repetition_before_anything_else_is_ignored():
    track = Track(VIDEO)
    track.take(b"\x00\x01" + vp8(0, 0, True), 7, 0, 0.0, payload_type=97, ssrc=2)
    assert (track.frames, track.track.ssrc) == ([], None)


def test_a_key_frame_is_asked_for_at_first_and_after_loss_until_one_comes():
    track, stream = Track(VIDEO), VideoStream()
    assert track.track.keyframes.wanted and track.woken
    for n in range(6):
        stream.picture(1, keyframe=n in (0, 5), arrival=n * 0.03)
    track.track.on_packet(stream.sent[0][0])
    assert not track.track.keyframes.wanted
    for n in (2, 3):
        track.track.on_packet(stream.sent[n][0])
    assert not track.track.keyframes.wanted
    track.track.deliver(0.06 + track.track.buffer.settings.hold)
    assert track.track.keyframes.wanted
    stream.sent[5][0].arrival = 2.0
    track.track.on_packet(stream.sent[5][0])
    assert not track.track.keyframes.wanted
    assert track.data == [stream.data(0), stream.data(5)]


def test_without_a_listener_nothing_is_kept_or_asked_for():
    track, stream = Track(VIDEO, listening=False), VideoStream()
    stream.picture(1, keyframe=True)
    stream.picture(1, arrival=0.03)
    for packets in stream.sent:
        track.track.on_packet(packets[0])
    assert track.track.last_packet == 0.03
    assert track.track.timed
    assert track.track.buffer.next_event() is None
    assert not track.track.keyframes.wanted


def test_listening_again_begins_with_a_key_frame_and_asks_for_nothing_between():
    track, stream = Track(VIDEO), VideoStream()
    for n in range(700):
        stream.picture(1, keyframe=n in (0, 699), arrival=n * 0.03)
    track.track.on_packet(stream.sent[0][0])
    track.end()
    for n in range(1, 650):
        track.track.on_packet(stream.sent[n][0])
    again: list[EncodedFrame] = []
    track.track.listen(again.append)
    for n in range(650, 700):
        track.track.on_packet(stream.sent[n][0])
    assert [f.data for f in again] == [stream.data(699)]
    assert track.track.buffer.wants_again(1e9) == []


@pytest.mark.parametrize("before", [0, 3000, 90_000])
def test_time_stamps_are_counted_alike_by_clock_and_frames_across_a_wrap_nobody_listened_to(before: int):
    track, stream = Track(VIDEO, listening=False), VideoStream(timestamp=(1 << 32) - before - 1)
    for n in range(60):
        stream.picture(1, keyframe=True, arrival=1000 + n / 30)
    for packets in stream.sent[:50]:
        track.track.on_packet(packets[0])
    track.track.listen(track.frames.append)
    for packets in stream.sent[50:]:
        track.track.on_packet(packets[0])
    assert len(track.frames) == 10
    for frame in track.frames:
        assert abs(track.track.clock.time_of(frame.rtp_time) - frame.arrival) < 0.01


def test_a_new_source_behind_the_same_track_is_a_new_stream_on_the_clock():
    for new in ({"ssrc": 9}, {"seq": 30_000}):
        track, stream = Track(VIDEO), VideoStream()
        stream.picture(1, keyframe=True, arrival=100.0)
        track.track.on_packet(stream.sent[0][0])
        track.take(
            vp8(7, 0, True),
            new.get("seq", 500),
            3_000_000_000,
            100.5,
            payload_type=96,
            ssrc=new.get("ssrc", 1),
            marker=True,
        )
        assert len(track.frames) == 2
        assert abs(track.track.clock.time_of(track.frames[1].rtp_time) - 100.5) < 0.01


def test_packets_are_counted_over_every_source_behind_the_track():
    track, stream = Track(VIDEO), VideoStream()
    assert track.track.keyframes.due(0.0)
    for n in range(3):
        stream.picture(2, keyframe=n == 0, arrival=n * 0.03)
        for packet in stream.sent[n]:
            track.track.on_packet(packet)
    # Of the second source the packet between these two is lost, and with it what builds on it.
    for seq in (7, 9):
        track.take(vp8(7, 0, seq == 7), seq, 3_000_000_000 + seq, 1.0, payload_type=96, ssrc=9, marker=True)
    track.track.deliver(10.0)
    assert track.track.counts == TrackCounts(packets=8, lost=1, frames=4, frames_dropped=2, keyframes_asked=1, bytes=37)


def test_payload_types_that_were_not_agreed_on_are_ignored():
    track = Track(AUDIO)
    track.take(b"x", 1, 0, 0.0, payload_type=100)
    assert (track.track.ssrc, track.frames) == (None, [])


def test_frames_that_tell_their_capture_time_are_aligned_by_it_whatever_the_way_takes():
    # Given sound that takes 20 ms and pictures that take 100 ms, captured on a clock an hour ahead
    sound, pictures = Track(AUDIO), Track(VIDEO)
    group = ParticipantClock()
    sound.track.clock.join(group)
    pictures.track.clock.join(group)
    ahead = 3600.0
    for n in range(100):
        at = n * 0.02
        ntp = round((ahead + at) * (1 << 32))
        sound.take(b"s", n, n * 960 + 5, at + 0.02, capture_ntp=ntp)
        pictures.take(vp8(n, 0, True), n, n * 1800 + 77, at + 0.1, payload_type=96, marker=True, capture_ntp=ntp)
    # Then what was captured together happened together, by the least delay
    heard = sound.track.clock.time_of(sound.frames[50].rtp_time)
    seen = pictures.track.clock.time_of(pictures.frames[50].rtp_time)
    assert heard == pytest.approx(1.02, abs=0.002)
    assert seen == pytest.approx(heard, abs=0.002)


def test_what_begins_anew_begins_with_a_key_frame():
    track, stream = Track(VIDEO), VideoStream()
    for n in range(5):
        stream.picture(1, keyframe=n in (0, 3), arrival=n * 0.03)
    for n, sent in enumerate(stream.sent):
        if n == 1:
            track.track.begin_anew()
        for packet in sent:
            track.track.on_packet(packet)
    assert track.data == [stream.data(n) for n in (0, 3, 4)]
    assert track.woken == 2
