"""A plain aiortc subscriber to a VideoRoom: shows that what guests publish arrives, without the product."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Any

from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from egress.rtc import ice
from tests.rig.janus_client import Session
from tests.rig.judge_pictures import who_is_in


class Subscriber:
    """Subscribes to the feeds given and counts decoded frames by (feed, kind); keeps the last of each."""

    def __init__(self, url: str, room: int, feeds: list[int], host_network: str) -> None:
        self._session = Session(url)
        self._room = room
        self._feeds = feeds
        self._network = host_network
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._tasks: list[asyncio.Task[None]] = []
        self.frames: Counter[tuple[str, str]] = Counter()
        self.last: dict[tuple[str, str], Any] = {}
        self._feed_of: dict[str, str] = {}

    @staticmethod
    def read(frame: VideoFrame) -> list[int]:
        """Whose picture a decoded frame is (identities)."""
        return who_is_in(frame)

    async def start(self) -> None:
        await self._session.open()
        handle = await self._session.attach()
        offer = await handle.message(
            {
                "request": "join",
                "ptype": "subscriber",
                "room": self._room,
                "streams": [{"feed": feed} for feed in self._feeds],
            }
        )
        for stream in offer["plugindata"]["data"]["streams"]:
            self._feed_of[str(stream["mid"])] = str(stream["feed_id"])

        @self._peer.on("track")
        def take(track: MediaStreamTrack) -> None:
            self._tasks.append(asyncio.create_task(self._count(track)))

        jsep = offer["jsep"]
        await self._peer.setRemoteDescription(RTCSessionDescription(jsep["sdp"], jsep["type"]))
        for transport in self._peer._RTCPeerConnection__iceTransports:  # type: ignore[attr-defined]
            ice.connection_of(transport.iceGatherer).networks = [self._network]
        await self._peer.setLocalDescription(await self._peer.createAnswer())
        local = self._peer.localDescription
        await handle.message({"request": "start"}, jsep={"type": local.type, "sdp": local.sdp})

    async def close(self) -> None:
        await self._peer.close()
        await self._session.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _count(self, track: MediaStreamTrack) -> None:
        mid = next(t.mid for t in self._peer.getTransceivers() if t.receiver.track is track)
        key = (self._feed_of[str(mid)], track.kind)
        with contextlib.suppress(MediaStreamError):
            while True:
                self.last[key] = await track.recv()
                self.frames[key] += 1
