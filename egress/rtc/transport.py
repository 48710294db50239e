"""A DTLS transport whose media goes to us: aiortc's handshake and SRTP keys, none of its receivers.

This is where aiortc's private parts are touched: ``_handle_rtp_data``, ``_handle_rtcp_data``, ``_rx_srtp``,
``_tx_srtp`` and ``_set_role`` of RTCDtlsTransport, ``_connection`` of RTCIceGatherer and ``data_received`` of aioice's
Connection. tests/rtc/test_aiortc_contract.py fails when a new version changes them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceTransport
from aiortc.rtp import RtcpPacket, RtcpSrPacket

from egress.rtc.ice import connection_of
from egress.rtc.packet import NTP_FRACTION

log = logging.getLogger(__name__)


class MediaTransport(RTCDtlsTransport):
    """Hands every RTP packet and every sender report to callbacks, on the event loop, without a task a packet.

    ``on_rtp(data, arrival)`` gets a decrypted packet; ``on_report(ssrc, ntp, rtp_timestamp, now)`` a sender report
    with ``ntp`` in seconds. An exception in one of them is logged and counted: in aiortc it
    would end the whole connection without a word.
    """

    def __init__(
        self,
        transport: RTCIceTransport,
        certificate: RTCCertificate,
        *,
        on_rtp: Callable[[bytes, float], None],
        on_report: Callable[[int, float, int, float], None],
    ) -> None:
        super().__init__(transport, [certificate])
        self._on_rtp = on_rtp
        self._on_report = on_report
        self.faults = 0
        self.packets = 0
        self._sending: set[asyncio.Task[None]] = set()

    def take_datagrams(self) -> None:
        """From now on take media straight from the socket, past aioice's queue. For a connected transport."""
        connection_of(self.transport.iceGatherer).on_media = self._datagram

    def _datagram(self, data: bytes) -> None:
        arrival = time.monotonic()
        self.packets += 1
        try:
            if 192 <= data[1] <= 223:  # RFC 5761, 4: RTCP packet types
                self._rtcp(self._rx_srtp.unprotect_rtcp(data), arrival)
            else:
                self._on_rtp(self._rx_srtp.unprotect(data), arrival)
        except pylibsrtp.Error as error:
            # Replayed and late duplicates are refused here; that is everyday life under retransmission.
            log.debug("a packet was refused by SRTP: %s", error)
        except Exception:
            self.faults += 1
            log.exception("a media packet could not be handled")

    async def _handle_rtp_data(self, data: bytes, arrival_time_ms: int) -> None:
        try:
            self._on_rtp(data, time.monotonic())
        except Exception:
            self.faults += 1
            log.exception("a media packet could not be handled")

    async def _handle_rtcp_data(self, data: bytes) -> None:
        try:
            self._rtcp(data, time.monotonic())
        except Exception:
            self.faults += 1
            log.exception("a control packet could not be handled")

    def _rtcp(self, data: bytes, now: float) -> None:
        try:
            packets = RtcpPacket.parse(data)
        except ValueError as error:
            log.debug("a control packet cannot be read: %s", error)
            return
        for packet in packets:
            if isinstance(packet, RtcpSrPacket):
                info = packet.sender_info
                self._on_report(packet.ssrc, info.ntp_timestamp * NTP_FRACTION, info.rtp_timestamp, now)

    def send_rtcp(self, packets: list[bytes]) -> None:
        """Send control packets as one compound; dropped silently when the transport does not stand."""
        if self.state != "connected" or not packets:
            return
        data = self._tx_srtp.protect_rtcp(b"".join(packets))
        task = asyncio.ensure_future(self._send_datagram(data))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _send_datagram(self, data: bytes) -> None:
        try:
            await self.transport._send(data)
        except (ConnectionError, OSError) as error:
            log.debug("feedback was not sent: %s", error)
