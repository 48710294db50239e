"""One guest sending to one listener: a WebRTC peer over 127.0.0.1."""

from __future__ import annotations

import asyncio

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from egress.call.loopback.guests import Content
from egress.call.loopback.tracks import Picture, Speaks, Timeline, Voice
from egress.rtc.ice import connection_of
from egress.rtc.ice_settings import LOOPBACK


class Sender:
    """Offers a voice and a picture; media flows once the answer is given."""

    def __init__(self, content: Content, zero: float, speaks: Speaks) -> None:
        timeline = Timeline(zero)
        self.picture = Picture(content, timeline, speaks)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for track in (Voice(content, timeline, speaks), self.picture):
            sender = self._peer.addTrack(track)
            connection_of(sender.transport.transport.iceGatherer).networks = LOOPBACK.networks
        for transceiver in self._peer.getTransceivers():
            transceiver.direction = "sendonly"

    async def offer(self) -> str:
        await self._peer.setLocalDescription(await self._peer.createOffer())
        return str(self._peer.localDescription.sdp)

    async def answer(self, sdp: str) -> None:
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))

    def send_picture(self, wanted: bool) -> None:
        if wanted:
            self.picture.sending.set()
        else:
            self.picture.sending.clear()

    async def close(self) -> None:
        await asyncio.shield(asyncio.create_task(self._peer.close()))
