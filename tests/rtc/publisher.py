"""A guest made of aiortc's own RTCPeerConnection that sends encoded pictures and sound to 127.0.0.1."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from fractions import Fraction

import aioice.ice
import av
import numpy as np
import pytest
from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from egress.rtc.peer import PeerReceiver


def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have aioice's own connections gather 127.0.0.1 alone."""
    monkeypatch.setattr(aioice.ice, "get_host_addresses", lambda use_ipv4, use_ipv6: ["127.0.0.1"])


def vp8_pictures(count: int = 30) -> list[bytes]:
    encoder = av.CodecContext.create("libvpx", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 160, 96, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.bit_rate = 400_000
    encoder.gop_size = 10
    encoder.options = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "auto-alt-ref": "0"}
    noise = np.random.default_rng(1)
    packets: list[bytes] = []
    for n in range(count):
        picture = noise.integers(0, 255, (96, 160, 3), np.uint8) // 4 + 4 * n
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
        frame.pts = n
        packets += [bytes(p) for p in encoder.encode(frame)]
    return packets + [bytes(p) for p in encoder.encode(None)]


class Loop(MediaStreamTrack):
    """Sends packets round and round at their pace."""

    def __init__(self, kind: str, packets: list[bytes], interval: float, rate: int) -> None:
        super().__init__()
        self.kind = kind
        self.sent = 0
        self._packets = packets
        self._interval = interval
        self._rate = rate
        self._start: float | None = None

    async def recv(self) -> av.Packet:  # type: ignore[type-arg,override]
        if self._start is None:
            self._start = time.monotonic()
        await asyncio.sleep(max(0.0, self._start + self.sent * self._interval - time.monotonic()))
        packet = av.Packet(self._packets[self.sent % len(self._packets)])
        packet.pts = packet.dts = round(self.sent * self._interval * self._rate)
        packet.time_base = Fraction(1, self._rate)
        self.sent += 1
        return packet


class Publisher:
    def __init__(self) -> None:
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))

    def camera(self, pictures: list[bytes]) -> RTCRtpTransceiver:
        return self.pc.addTransceiver(Loop("video", pictures, 1 / 30, 90_000), direction="sendonly")

    def microphone(self) -> RTCRtpTransceiver:
        # A single byte of Opus: a packet of 20 ms of silence (RFC 6716, 3.1).
        return self.pc.addTransceiver(Loop("audio", [b"\xf8\xff\xfe"], 0.02, 48_000), direction="sendonly")

    async def negotiate(self, receiver: PeerReceiver) -> str:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await receiver.answer(self.pc.localDescription.sdp)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return answer

    async def close(self) -> None:
        await self.pc.close()


async def until(true: Callable[[], object], timeout: float = 10.0) -> None:
    """Wait for something; fails the test when it does not come."""
    async with asyncio.timeout(timeout):
        while not true():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)
