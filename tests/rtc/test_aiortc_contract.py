"""What egress/rtc takes from below aiortc's and aioice's public face; a new version that changes it fails here."""

from __future__ import annotations

import inspect
from importlib.metadata import version
from typing import Any

import aioice
import aioice.ice
import aiortc
import pytest
from aiortc import RTCCertificate, RTCDtlsTransport, RTCIceGatherer, RTCIceTransport
from aiortc.codecs.h264 import H264PayloadDescriptor
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, RtcpSenderInfo, RtcpSrPacket

from egress.rtc.ice import IceConnection, connection_of, gatherer
from egress.rtc.ice_settings import LOOPBACK
from egress.rtc.transport import MediaTransport


def parameters(function: Any) -> list[str]:
    return list(inspect.signature(function).parameters)


def test_the_versions_are_the_ones_this_was_written_against():
    assert (version("aiortc"), version("aioice")) == ("1.16.0", "0.13.0")
    assert aiortc.__version__ == "1.16.0"


def test_the_dtls_transport_has_the_methods_we_override_and_call():
    assert parameters(RTCDtlsTransport.__init__) == ["self", "transport", "certificates"]
    assert parameters(RTCDtlsTransport._handle_rtp_data) == ["self", "data", "arrival_time_ms"]
    assert parameters(RTCDtlsTransport._handle_rtcp_data) == ["self", "data"]
    assert parameters(RTCDtlsTransport._set_role) == ["self", "role"]
    assert parameters(RTCDtlsTransport.start) == ["self", "remoteParameters"]
    for method in ("_handle_rtp_data", "_handle_rtcp_data", "start", "stop"):
        assert inspect.iscoroutinefunction(getattr(RTCDtlsTransport, method))


def test_our_methods_take_what_aiortc_gives_them():
    for method in ("_handle_rtp_data", "_handle_rtcp_data"):
        assert parameters(getattr(MediaTransport, method)) == parameters(getattr(RTCDtlsTransport, method))


def test_aiortc_calls_our_methods_after_srtp_is_undone():
    source = inspect.getsource(RTCDtlsTransport._recv_next)
    for line in (
        "self._rx_srtp.unprotect_rtcp(data)",
        "await self._handle_rtcp_data(data)",
        "self._rx_srtp.unprotect(data)",
        "await self._handle_rtp_data(data, arrival_time_ms=arrival_time_ms)",
    ):
        assert line in source


async def test_a_new_transport_has_the_parts_we_read():
    ice = RTCIceTransport(RTCIceGatherer(iceServers=[]))
    transport = RTCDtlsTransport(ice, [RTCCertificate.generateCertificate()])
    assert transport.state == "new"
    assert transport._role == "auto"
    assert transport._rx_srtp is None
    assert transport._tx_srtp is None
    assert transport.transport is ice
    assert parameters(ice._send) == ["data"]
    assert next(f.algorithm for f in transport.getLocalParameters().fingerprints) == "sha-256"
    transport._set_role("client")
    assert transport._role == "client"
    assert {"closed", "failed", "connected"} <= {s.name.lower() for s in type(transport._state)}
    await transport.stop()
    await ice.stop()


async def test_the_gatherers_connection_can_be_made_ours():
    made = RTCIceGatherer(iceServers=[])
    assert type(made._connection) is aioice.Connection
    ours = connection_of(made)
    assert isinstance(ours, IceConnection)
    assert ours is made._connection
    assert isinstance(ours.ice_controlling, bool)
    assert ours.on_media is None
    # The class is exchanged, so it may bring nothing that an instance would need room for.
    assert not hasattr(aioice.Connection, "__slots__")


def test_aioices_connection_calls_what_we_override():
    assert parameters(aioice.Connection.data_received) == ["self", "data", "component"]
    assert parameters(aioice.Connection.get_component_candidates) == ["self", "component", "addresses", "timeout"]
    assert inspect.iscoroutinefunction(aioice.Connection.get_component_candidates)
    assert "get_component_candidates" in inspect.getsource(aioice.Connection.gather_candidates)
    assert "receiver.data_received(data, self.local_candidate.component)" in inspect.getsource(aioice.ice.StunProtocol)


async def test_only_the_addresses_of_the_settings_are_gathered():
    made = gatherer(LOOPBACK)
    await made.gather()
    candidates = made.getLocalCandidates()
    assert {c.ip for c in candidates} == {"127.0.0.1"}
    assert {c.component for c in candidates} == {1}
    await made._connection.close()


async def test_media_passes_the_queue_once_asked_and_handshakes_never():
    connection = connection_of(RTCIceGatherer(iceServers=[]))
    taken: list[bytes] = []
    connection.on_media = taken.append
    rtp, rtcp, dtls = b"\x80\x60rtp", b"\x80\xc8rtcp", b"\x16\xfedtls"
    for data in (rtp, rtcp, dtls, b"\x80"):
        connection.data_received(data, 1)
    assert taken == [rtp, rtcp]
    assert connection._queue.qsize() == 2
    connection.on_media = None
    connection.data_received(rtp, 1)
    assert connection._queue.qsize() == 3


@pytest.mark.parametrize("descriptor", [VpxPayloadDescriptor, H264PayloadDescriptor])
def test_payload_descriptors_are_parsed_into_pairs(descriptor: Any):
    assert parameters(descriptor.parse) == ["data"]
    with pytest.raises(ValueError):
        descriptor.parse(b"")


def test_descriptors_tell_where_frames_begin():
    vp8, _ = VpxPayloadDescriptor.parse(b"\x10\x00")
    h264, _ = H264PayloadDescriptor.parse(b"\x65ab")
    assert (vp8.partition_start, vp8.partition_id, h264.first_fragment) == (1, 0, True)


def test_sender_reports_carry_both_times_as_whole_numbers():
    info = RtcpSenderInfo(ntp_timestamp=(5 << 32) + (1 << 31), rtp_timestamp=77, packet_count=1, octet_count=2)
    [parsed] = RtcpPacket.parse(bytes(RtcpSrPacket(ssrc=9, sender_info=info)))
    assert isinstance(parsed, RtcpSrPacket)
    assert parsed.ssrc == 9
    assert parsed.sender_info.ntp_timestamp / (1 << 32) == 5.5
    assert parsed.sender_info.rtp_timestamp == 77


def test_control_packets_become_bytes():
    assert bytes(RtcpRrPacket(ssrc=1))[1] == 201
    assert bytes(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=2))[1] == 205
    assert bytes(RtcpPsfbPacket(fmt=1, ssrc=1, media_ssrc=2))[1] == 206
