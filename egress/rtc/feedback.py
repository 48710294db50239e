"""What we tell senders (RFC 3550, RFC 4585, draft-alvestrand-rmcat-remb): reports, losses, one constant REMB."""

from __future__ import annotations

from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    pack_remb_fci,
)

CAPACITY = 100_000_000
"""Bits per second that we say we can take. An estimate would be taken by an SFU for that of the whole connection, and
starve every track at the first loss; a recorder sits in a data centre and is not the bottleneck."""


def nack(sender: int, media: int, lost: list[int]) -> bytes:
    """Ask for packets again (generic NACK)."""
    packet = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=sender, media_ssrc=media)
    packet.lost = sorted(lost)
    return bytes(packet)


def picture_loss(sender: int, media: int) -> bytes:
    """Ask for a key frame (PLI)."""
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=sender, media_ssrc=media))


def estimate(sender: int, ssrcs: list[int]) -> bytes:
    """The constant REMB, naming every video stream."""
    return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=sender, media_ssrc=0, fci=pack_remb_fci(CAPACITY, ssrcs)))


class Reception:
    """Counts of one stream for receiver reports (RFC 3550, 6.4.1)."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self.base: int | None = None
        self.received = 0
        self.highest = 0
        self.last_report: tuple[int, float] | None = None
        """Middle 32 bits of the NTP time of the last sender report, and when it came."""
        self._expected_before = 0
        self._received_before = 0

    def on_packet(self, extended_seq: int) -> None:
        if self.base is None:
            self.base = self.highest = extended_seq
        self.received += 1
        self.highest = max(self.highest, extended_seq)

    def report(self, now: float) -> RtcpReceiverInfo:
        expected = self.highest - (self.base or 0) + 1
        lost = max(0, expected - self.received)
        expected_interval = expected - self._expected_before
        lost_interval = expected_interval - (self.received - self._received_before)
        self._expected_before, self._received_before = expected, self.received
        fraction = min(255, (lost_interval << 8) // expected_interval) if expected_interval > 0 < lost_interval else 0
        middle, since = self.last_report or (0, now)
        return RtcpReceiverInfo(
            ssrc=self.ssrc,
            fraction_lost=fraction,
            packets_lost=min(lost, (1 << 23) - 1),
            highest_sequence=self.highest & 0xFFFFFFFF,
            jitter=0,
            lsr=middle,
            dlsr=min(int((now - since) * 65536), 0xFFFFFFFF) if self.last_report else 0,
        )


def receiver_report(sender: int, reception: Reception, now: float) -> bytes:
    """A report on one stream.

    Every compound begins with one (RFC 3550, 6.1), on the stream of which the rest speaks: Janus has nothing else by
    which to tell whose feedback it is, because we send no stream that it could know us by.
    """
    return bytes(RtcpRrPacket(ssrc=sender, reports=[reception.report(now)]))
