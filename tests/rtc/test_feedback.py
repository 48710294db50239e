"""The bytes of what we tell senders, and the counts in reports."""

from __future__ import annotations

import struct

from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, unpack_remb_fci

from egress.rtc import feedback
from egress.rtc.feedback import CAPACITY, Reception


def test_a_nack_names_every_lost_packet_across_the_wrap():
    lost = [65_534, 65_535, 0, 3, 40]
    [parsed] = RtcpPacket.parse(feedback.nack(1, 2, lost))
    assert isinstance(parsed, RtcpRtpfbPacket)
    assert (parsed.fmt, parsed.ssrc, parsed.media_ssrc) == (1, 1, 2)
    assert sorted(parsed.lost) == sorted(lost)


def test_a_picture_loss_is_twelve_bytes():
    assert feedback.picture_loss(1, 2) == struct.pack("!BBHII", 0x81, 206, 2, 1, 2)


def test_the_estimate_is_constant_and_names_all_streams():
    [parsed] = RtcpPacket.parse(feedback.estimate(7, [11, 12, 13]))
    assert isinstance(parsed, RtcpPsfbPacket)
    bitrate, ssrcs = unpack_remb_fci(parsed.fci)
    assert abs(bitrate - CAPACITY) < CAPACITY / 1000
    assert ssrcs == [11, 12, 13]


def test_a_report_speaks_about_its_stream_and_sender():
    reception = Reception(42)
    for seq in range(100, 110):
        reception.on_packet(seq)
    [parsed] = RtcpPacket.parse(feedback.receiver_report(7, reception, 50.0))
    assert isinstance(parsed, RtcpRrPacket)
    [report] = parsed.reports
    assert (parsed.ssrc, report.ssrc, report.highest_sequence) == (7, 42, 109)
    assert (report.packets_lost, report.fraction_lost, report.lsr, report.dlsr) == (0, 0, 0, 0)


def test_loss_is_told_in_all_and_since_the_last_report():
    reception = Reception(1)
    for seq in (1, 2, 4, 5, 6, 7, 8, 10):
        reception.on_packet(seq)
    first = reception.report(1.0)
    assert (first.packets_lost, first.fraction_lost) == (2, 256 * 2 // 10)
    for seq in range(11, 21):
        reception.on_packet(seq)
    second = reception.report(2.0)
    assert (second.packets_lost, second.fraction_lost) == (2, 0)


def test_repetitions_never_make_loss_negative():
    reception = Reception(1)
    for seq in (1, 1, 1, 2, 2):
        reception.on_packet(seq)
    report = reception.report(1.0)
    assert (report.packets_lost, report.fraction_lost) == (0, 0)


def test_a_report_tells_when_the_senders_report_came():
    reception = Reception(1)
    reception.on_packet(5)
    reception.last_report = (0xABCD1234, 10.0)
    report = reception.report(10.5)
    assert (report.lsr, report.dlsr) == (0xABCD1234, 32768)


def test_a_report_on_a_stream_that_only_began_is_valid():
    assert len(feedback.receiver_report(1, Reception(2), 0.0)) == 32
