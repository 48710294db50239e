"""Packets in order and frames together: what is waited for, what is asked for again, what is given up."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from egress.rtc.buffer import MAX_HOLE, MAX_JUMP, BufferSettings, FrameBuffer, settings_for
from egress.rtc.packet import RtpPacket
from egress.rtc.payload import Fragment, fragment
from egress.rtc.track import EncodedFrame
from tests.rtc.packets import VideoStream, packet, put, texts, vp8

HOLD = 0.5
VIDEO = BufferSettings(hold=HOLD, capacity=200)
AUDIO = BufferSettings(hold=HOLD, capacity=50, first_nack=0.025)


def video() -> FrameBuffer:
    return FrameBuffer("video", VIDEO)


def audio() -> FrameBuffer:
    return FrameBuffer("audio", AUDIO)


def sound(seq: int, arrival: float, *, ticks: int | None = None) -> RtpPacket:
    """Packet ``seq`` of 20 ms; ``ticks`` is its number in time where some were not sent."""
    return packet(seq, 960 * (seq if ticks is None else ticks), b"sound %d" % seq, arrival)


def test_a_marked_picture_leaves_with_its_last_packet():
    stream, buffer = VideoStream(), video()
    stream.picture(3, keyframe=True)
    put(buffer, "vp8", *stream.sent[0][:2])
    assert buffer.pop(0.0) == []
    put(buffer, "vp8", stream.sent[0][2])
    [frame] = buffer.pop(0.0)
    assert (frame.data, frame.keyframe, frame.rtp_time) == (stream.data(0), True, 5000)
    assert buffer.next_event() is None


def test_a_slow_screen_share_is_never_a_picture_late():
    stream, buffer = VideoStream(step=180_000), video()
    for n in range(4):
        stream.picture(2, keyframe=n == 0, arrival=2.0 * n)
        put(buffer, "vp8", *stream.sent[n])
        assert texts(buffer.pop(2.0 * n)) == [stream.data(n)]


def test_a_sender_without_markers_is_told_apart_by_time_stamps():
    stream, buffer = VideoStream(marked=False), video()
    for n in range(3):
        stream.picture(2, keyframe=n == 0)
        put(buffer, "vp8", *stream.sent[n])
    assert texts(buffer.pop(0.0)) == [stream.data(0), stream.data(1)]


def test_the_last_word_before_silence_leaves_at_once():
    buffer = audio()
    for n in range(3):
        put(buffer, "opus", sound(n, n * 0.02))
        assert texts(buffer.pop(n * 0.02)) == [b"sound %d" % n]
    # Discontinuous transmission: the next packet follows in number, four seconds later in time.
    put(buffer, "opus", sound(3, 4.0, ticks=200))
    [frame] = buffer.pop(4.0)
    assert frame.rtp_time == 960 * 200
    assert buffer.wants_again(4.0) == []


def test_a_lost_sound_holds_back_what_follows_only_to_the_deadline():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0), sound(2, 0.04), sound(3, 0.06))
    assert texts(buffer.pop(0.06)) == [b"sound 0"]
    assert buffer.pop(0.04 + HOLD - 0.01) == []
    assert texts(buffer.pop(0.04 + HOLD)) == [b"sound 2", b"sound 3"]
    assert buffer.counts.lost == 1
    assert buffer.next_event() is None


def test_one_loss_does_not_make_later_sound_wait():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0), sound(2, 0.04))
    buffer.pop(0.04 + HOLD)
    for n in range(3, 30):
        put(buffer, "opus", sound(n, 1 + n * 0.02))
        assert texts(buffer.pop(1 + n * 0.02)) == [b"sound %d" % n]


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_what_is_missing_is_asked_for_by_timer_until_it_comes_or_is_overdue(kind: str):
    buffer = FrameBuffer(kind, AUDIO if kind == "audio" else VIDEO)  # type: ignore[arg-type]
    codec = "opus" if kind == "audio" else "vp8"
    put(buffer, codec, packet(10, 0, vp8(0, 0, True), 0.0, marker=True))
    put(buffer, codec, packet(13, 9000, vp8(3, 0, False), 0.1, marker=True))
    asked = {}
    now = 0.1
    while (event := buffer.next_event()) is not None:
        now = max(event, now)
        for seq in buffer.wants_again(now):
            asked.setdefault(seq, []).append(now)
        buffer.pop(now)
    assert set(asked) == {11, 12}
    for times in asked.values():
        assert times[0] == pytest.approx(0.1 + buffer.settings.first_nack)
        assert 3 <= len(times) <= buffer.settings.max_retries
        gaps = [b - a for a, b in itertools.pairwise(times)]
        assert min(gaps) >= buffer.settings.retry_min - 1e-9
        assert times[-1] < 0.1 + HOLD
    assert now == pytest.approx(0.1 + HOLD)


def test_reordering_within_the_first_moment_asks_for_nothing():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0), sound(2, 0.02))
    assert buffer.wants_again(0.02 + AUDIO.first_nack - 0.001) == []
    put(buffer, "opus", sound(1, 0.03))
    assert texts(buffer.pop(0.03)) == [b"sound 0", b"sound 1", b"sound 2"]
    assert buffer.wants_again(10.0) == []
    assert buffer.counts.repaired == 0


def test_a_repeated_packet_repairs_the_stream_and_is_counted():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0), sound(2, 0.04))
    assert buffer.wants_again(0.1) == [1]
    put(buffer, "opus", sound(1, 0.15))
    assert texts(buffer.pop(0.15)) == [b"sound 0", b"sound 1", b"sound 2"]
    assert (buffer.counts.repaired, buffer.counts.lost) == (1, 0)


def test_no_packet_is_asked_for_more_often_than_the_cap():
    buffer = FrameBuffer("audio", replace(AUDIO, hold=60.0))
    put(buffer, "opus", sound(0, 0.0), sound(2, 0.04))
    asked = sum(len(buffer.wants_again(n * 0.01)) for n in range(5000))
    assert asked == AUDIO.max_retries


def test_redundancy_fills_a_hole_without_a_question():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0))
    put(buffer, "opus", sound(1, 0.04), repair=True)
    put(buffer, "opus", sound(2, 0.04))
    assert texts(buffer.pop(0.04)) == [b"sound 0", b"sound 1", b"sound 2"]
    assert buffer.wants_again(1.0) == []
    assert buffer.counts.received == 2


def test_redundancy_of_what_is_there_changes_nothing():
    buffer = audio()
    for n in range(5):
        if n:
            put(buffer, "opus", sound(n - 1, n * 0.02), repair=True)
        put(buffer, "opus", sound(n, n * 0.02))
        assert texts(buffer.pop(n * 0.02)) == [b"sound %d" % n]
    assert (buffer.counts.duplicates, buffer.counts.late) == (0, 0)


def test_after_a_lost_packet_pictures_wait_for_a_key_frame():
    stream, buffer = VideoStream(), video()
    for n in range(6):
        stream.picture(3, keyframe=n in (0, 4))
    lost = stream.sent[1][1]
    put(buffer, "vp8", *(p for picture in stream.sent[:4] for p in picture if p is not lost))
    assert texts(buffer.pop(0.0)) == [stream.data(0)]
    assert not buffer.needs_keyframe
    assert buffer.pop(HOLD) == []
    assert buffer.needs_keyframe
    put(buffer, "vp8", *stream.sent[4], *stream.sent[5])
    assert texts(buffer.pop(HOLD)) == [stream.data(4), stream.data(5)]
    assert not buffer.needs_keyframe


def test_a_picture_lost_whole_breaks_the_chain_too():
    stream, buffer = VideoStream(), video()
    for n in range(4):
        stream.picture(1, keyframe=n == 0)
    put(buffer, "vp8", *stream.sent[0], *stream.sent[2], *stream.sent[3])
    assert texts(buffer.pop(HOLD)) == [stream.data(0)]
    assert buffer.needs_keyframe


def test_a_key_frame_does_not_wait_for_useless_packets_before_it():
    stream, buffer = VideoStream(), video()
    for n in range(6):
        stream.picture(2, keyframe=n in (0, 5), arrival=0.1 * n)
    put(buffer, "vp8", *stream.sent[0], stream.sent[1][1], *stream.sent[2])
    assert texts(buffer.pop(0.2)) == [stream.data(0)]
    assert buffer.pop(0.1 + HOLD) == []  # picture 1 is given up
    put(buffer, "vp8", stream.sent[3][0], stream.sent[4][1], *stream.sent[5])
    assert texts(buffer.pop(0.1 + HOLD + 0.01)) == [stream.data(5)]
    assert buffer.next_event() is None


def test_a_key_frame_that_lost_its_first_slices_is_not_passed_off_as_one():
    stream, buffer = VideoStream("h264"), video()
    stream.picture(4, keyframe=True)
    stream.picture(4, keyframe=True)
    stream.picture(2)
    put(buffer, "h264", *stream.sent[0])
    put(buffer, "h264", *stream.sent[1][1:], *stream.sent[2])
    assert texts(buffer.pop(HOLD)) == [stream.data(0)]
    assert buffer.needs_keyframe


def test_a_stream_joined_in_the_middle_of_a_key_frame_waits_for_a_whole_one():
    stream, buffer = VideoStream("h264"), video()
    for n in range(3):
        stream.picture(3, keyframe=n != 1)
    put(buffer, "h264", *stream.sent[0][1:], *stream.sent[1], *stream.sent[2])
    assert texts(buffer.pop(0.0)) == [stream.data(2)]


def test_numbers_and_time_stamps_wrap_without_a_trace():
    stream, buffer = VideoStream(seq=65_530, timestamp=(1 << 32) - 9000), video()
    frames = []
    for n in range(10):
        stream.picture(2, keyframe=n == 0)
        put(buffer, "vp8", *stream.sent[n])
        frames += buffer.pop(0.0)
    assert texts(frames) == [stream.data(n) for n in range(10)]
    assert [f.rtp_time for f in frames] == [(1 << 32) - 9000 + 3000 * n for n in range(10)]


def test_a_hole_at_the_wrap_is_asked_for_by_its_sixteen_bits():
    buffer = audio()
    put(buffer, "opus", packet(65_534, 0, b"a", 0.0), packet(1, 2880, b"b", 0.0))
    assert buffer.wants_again(1.0) == [65_535, 0]


def test_time_stamps_are_counted_as_the_listener_counts_them():
    buffer = audio()
    buffer.add(sound(1, 0.0), Fragment(b"x", True, True), near=1 << 32)
    [frame] = buffer.pop(0.0)
    assert frame.rtp_time == (1 << 32) + 960


def test_a_jump_in_the_numbers_is_a_new_stream():
    stream, buffer = VideoStream(), video()
    stream.picture(2, keyframe=True)
    put(buffer, "vp8", *stream.sent[0])
    buffer.pop(0.0)
    stream.seq += MAX_JUMP + 10
    stream.timestamp = 77
    stream.picture(2)
    stream.picture(2, keyframe=True)
    begun = [buffer.add(p, fragment("vp8", p.payload)) for p in stream.sent[1] + stream.sent[2]]
    assert begun == [True, False, False, False]
    [frame] = buffer.pop(0.0)
    assert (frame.data, frame.rtp_time) == (stream.data(2), 3077)
    assert buffer.wants_again(10.0) == []


def test_an_outage_is_not_asked_for_packet_by_packet():
    buffer = audio()
    put(buffer, "opus", sound(0, 0.0), sound(MAX_HOLE + 100, 10.0))
    assert texts(buffer.pop(10.0)) == [b"sound 0", b"sound %d" % (MAX_HOLE + 100)] or not buffer.wants_again(11.0)
    assert buffer.wants_again(11.0) == []
    assert buffer.counts.lost == MAX_HOLE + 99


def test_padding_between_pictures_is_counted_and_shown_to_nobody():
    stream, buffer = VideoStream(), video()
    for n in range(3):
        stream.picture(2, keyframe=n == 0, padding=3)
        put(buffer, "vp8", *stream.sent[n])
    assert texts(buffer.pop(0.0)) == [stream.data(n) for n in range(3)]
    assert buffer.counts.received == 15
    assert buffer.next_event() is None


def test_padding_inside_a_delta_picture_does_not_make_it_a_key_frame():
    stream, buffer = VideoStream(marked=False), video()
    stream.picture(1, keyframe=True, padding=1)
    stream.picture(1, padding=1)
    stream.picture(1)
    put(buffer, "vp8", *(p for picture in stream.sent for p in picture))
    assert [f.keyframe for f in buffer.pop(0.0)] == [True, False]


def test_listening_anew_asks_for_nothing_of_the_time_between():
    stream, buffer = VideoStream(), video()
    stream.picture(2, keyframe=True)
    put(buffer, "vp8", *stream.sent[0])
    buffer.skip_all()
    stream.seq += 1000  # sent while nobody listened
    stream.picture(2)
    stream.picture(2, keyframe=True)
    put(buffer, "vp8", *stream.sent[1], *stream.sent[2])
    assert texts(buffer.pop(0.0)) == [stream.data(2)]
    assert buffer.wants_again(10.0) == []


def test_orientation_stays_until_it_is_told_anew():
    stream, buffer = VideoStream(), video()
    for n in range(4):
        stream.picture(2, keyframe=n == 0)
    stream.sent[0][1].rotation = 90
    stream.sent[2][1].rotation = 0
    put(buffer, "vp8", *(p for picture in stream.sent for p in picture))
    assert [f.rotation for f in buffer.pop(0.0)] == [90, 90, 0, 0]


@pytest.mark.parametrize("marked", [True, False])
def test_a_picture_without_end_is_dropped_before_it_fills_the_memory(marked: bool):
    buffer = video()
    for seq in range(5 * VIDEO.capacity):
        put(buffer, "vp8", packet(seq, 0 if not marked else seq * 3000 * (seq % 2), vp8(0, seq % 200, False), 0.0))
        buffer.pop(0.0)
        assert len(buffer._slots) <= VIDEO.capacity
        assert len(buffer._missing) <= MAX_HOLE
    assert buffer.needs_keyframe


def test_every_second_packet_missing_in_a_long_stall_is_survived():
    buffer = FrameBuffer("video", replace(VIDEO, capacity=4096))
    put(buffer, "vp8", *(packet(2 * n, 3000 * n, vp8(n, 0, n == 0), 0.0) for n in range(2000)))
    assert len(buffer.pop(10.0)) <= 1
    assert buffer.next_event() is None


@pytest.mark.parametrize(("delay", "hold"), [(1.0, 0.75), (0.2, 0.1), (10.0, 9.75)])
def test_what_is_missing_is_waited_for_as_long_as_it_is_of_use(delay: float, hold: float):
    assert settings_for("video", delay).hold == pytest.approx(hold)
    assert settings_for("audio", delay).hold == pytest.approx(hold)


# A model: what was sent, what the wire did to it, and what may come out.

PICTURES = st.lists(
    st.tuples(st.integers(1, 4), st.booleans(), st.sampled_from([0, 0, 0, 1, 2])), min_size=1, max_size=25
)


def streamed(
    pictures: list[tuple[int, bool, int]], codec: str, marked: bool, start: int = 65_500
) -> tuple[VideoStream, list[RtpPacket]]:
    stream = VideoStream(codec, seq=start, timestamp=(1 << 32) - 30_000, marked=marked)
    for n, (parts, keyframe, padding) in enumerate(pictures):
        stream.picture(parts, keyframe=keyframe or n == 0, arrival=n / 30, padding=padding)
    return stream, [p for picture in stream.sent for p in picture]


def played(buffer: FrameBuffer, codec: str, packets: list[RtpPacket]) -> list[EncodedFrame]:
    """What leaves the buffer as packets come, and when its timer runs."""
    frames: list[EncodedFrame] = []
    for one in sorted(packets, key=lambda p: p.arrival):
        while (event := buffer.next_event()) is not None and event < one.arrival:
            buffer.wants_again(event)
            frames += buffer.pop(event)
        put(buffer, codec, one)
        frames += buffer.pop(one.arrival)
    while (event := buffer.next_event()) is not None:
        buffer.wants_again(event)
        frames += buffer.pop(event)
    return frames


@settings(max_examples=150, deadline=None)
@given(PICTURES, st.data(), st.sampled_from(["vp8", "h264"]), st.booleans())
def test_any_reordering_within_the_hold_and_any_repetition_gives_every_picture_in_order(pictures, data, codec, marked):
    stream, packets = streamed(pictures, codec, marked)
    wire = [packets[0]]
    for one in packets[1:]:
        wire.append(replace(one, arrival=one.arrival + data.draw(st.floats(0, HOLD * 0.95))))
        if data.draw(st.integers(0, 5)) == 0:
            wire.append(replace(one, arrival=one.arrival + data.draw(st.floats(0, 2))))
    frames = played(video(), codec, wire)
    expected = [stream.data(n) for n in range(len(pictures))]
    assert texts(frames) == (expected if marked else expected[:-1])
    assert [f.rtp_time for f in frames] == [(1 << 32) - 30_000 + 3000 * n for n in range(len(frames))]


@settings(max_examples=250, deadline=None)
@given(PICTURES, st.data(), st.sampled_from(["vp8", "h264"]), st.booleans())
def test_any_loss_gives_whole_pictures_in_order_and_no_delta_after_a_gap(pictures, data, codec, marked):
    stream, packets = streamed(pictures, codec, marked)
    wire = []
    for one in packets:
        if data.draw(st.integers(0, 7)) == 0:
            continue
        wire.append(replace(one, arrival=one.arrival + data.draw(st.floats(0, HOLD * 0.5))))
        if data.draw(st.integers(0, 9)) == 0:
            wire.append(replace(one, arrival=one.arrival + data.draw(st.floats(0, 2))))
    buffer = video()
    frames = played(buffer, codec, wire)
    known = {stream.data(n): n for n in range(len(pictures))}
    assert all(f.data in known for f in frames), "a picture was put together wrongly"
    order = [known[f.data] for f in frames]
    assert order == sorted(set(order))
    for before, (index, frame) in zip([None, *order], zip(order, frames, strict=True), strict=False):
        assert frame.keyframe == stream.keys[index]
        assert frame.keyframe or before == index - 1, "a delta picture came after a gap"
    # A key frame that arrived whole, first packet of the stream or marked before, is never held back for good.
    if codec == "vp8" and marked:
        arrived = {p.seq for p in wire}
        whole = [n for n, sent in enumerate(stream.sent) if all(p.seq in arrived for p in sent if p.payload)]
        last_key = max((n for n in whole if stream.keys[n]), default=None)
        if last_key is not None and not reordered_start(wire):
            assert last_key in order


def reordered_start(wire: list[RtpPacket]) -> bool:
    """Whether packets from before the first one to arrive came after it (they count as late)."""
    first = min(wire, key=lambda p: p.arrival)
    return any((p.seq - first.seq) & 0xFFFF > 0x8000 for p in wire)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.data())
def test_any_loss_of_sound_gives_the_rest_in_order(count, data):
    sent = [sound(n, n * 0.02) for n in range(count)]
    wire = [sent[0]]
    lost = 0
    for one in sent[1:]:
        if data.draw(st.integers(0, 5)) == 0:
            lost += 1
        else:
            wire.append(replace(one, arrival=one.arrival + data.draw(st.floats(0, HOLD * 0.9))))
    buffer = audio()
    assert texts(played(buffer, "opus", wire)) == [p.payload for p in sorted(wire, key=lambda p: p.timestamp)]
    tail = count - 1 - max(p.timestamp // 960 for p in wire)
    assert buffer.counts.lost == lost - tail
