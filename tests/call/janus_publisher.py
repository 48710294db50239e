"""A guest of a VideoRoom for tests of the connector: cheap media, camera and streams switched by renegotiation."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from egress.call.loopback.cache import cached_content
from egress.call.loopback.cast import CAST
from egress.call.loopback.guests import Content
from egress.call.loopback.tracks import Picture, Timeline, Voice
from egress.rtc.ice import connection_of
from tests.rig.janus import PLAIN, JanusServer
from tests.rig.janus_client import Session


@functools.cache
def shown() -> Content:
    return cached_content(CAST[0])


class Publisher:
    """``events`` is everything the room has told this guest."""

    def __init__(self, janus: JanusServer, display: str | None, room: int = PLAIN, **join: Any) -> None:
        self._janus = janus
        self._join = {"request": "join", "ptype": "publisher", "room": room, **join}
        if display is not None:
            self._join["display"] = display
        self._session = Session(janus.ws_url)
        self.events: list[dict[str, Any]] = []
        self.feed: int = 0
        self.peer: RTCPeerConnection | None = None

    @property
    def session_id(self) -> str:
        return str(self.feed)

    async def enter(self) -> Publisher:
        """Join without publishing."""
        await self._session.open()
        self._handle = await self._session.attach()
        self._handle.on_event = lambda message: self.events.append(message.get("plugindata", {}).get("data", message))
        joined = await self._handle.message(self._join)
        self.feed = joined["plugindata"]["data"]["id"]
        return self

    async def publish(
        self, *, audio: bool = True, video: bool = True, descriptions: dict[str, str] | None = None
    ) -> None:
        """Publish and wait until the room lists it."""
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        timeline = Timeline(time.monotonic())
        for track in [
            *([Voice(shown(), timeline, lambda at: True)] if audio else []),
            *([Picture(shown(), timeline, lambda at: True)] if video else []),
        ]:
            self._add(track)
        await self._negotiate("publish", descriptions)
        async with asyncio.timeout(10):
            await self._listed()

    async def _listed(self) -> None:
        listed: list[dict[str, Any]] = []
        while {"id": self.feed, "publisher": True} not in listed:
            await asyncio.sleep(0.02)
            found = await self._janus.participants(self.room)
            listed = [{"id": p["id"], "publisher": p.get("publisher")} for p in found]

    @property
    def room(self) -> int:
        return int(self._join["room"])

    async def add_video(self, description: str) -> None:
        assert self.peer is not None
        self._add(Picture(shown(), Timeline(time.monotonic()), lambda at: True))
        mid = str(len(self.peer.getTransceivers()) - 1)
        await self._negotiate("configure", {mid: description})

    async def switch(self, index: int, on: bool) -> None:
        """Switch a stream on or off by renegotiation, as a browser does with ``removeTrack``."""
        assert self.peer is not None
        self.peer.getTransceivers()[index].direction = "sendonly" if on else "inactive"
        await self._negotiate("configure", None)

    async def ask(self, **request: Any) -> dict[str, Any]:
        answer = await self._handle.message(request)
        data: dict[str, Any] = answer["plugindata"]["data"]
        return data

    async def leave(self) -> None:
        await self._session.close()
        if self.peer is not None:
            await self.peer.close()

    def _add(self, track: Voice | Picture) -> None:
        assert self.peer is not None
        sender = self.peer.addTrack(track)
        connection_of(sender.transport.transport.iceGatherer).networks = [f"{self._janus.host_address}/32"]

    async def _negotiate(self, request: str, descriptions: dict[str, str] | None) -> None:
        assert self.peer is not None
        await self.peer.setLocalDescription(await self.peer.createOffer())
        body: dict[str, Any] = {"request": request}
        if descriptions:
            body["descriptions"] = [{"mid": mid, "description": text} for mid, text in descriptions.items()]
        answer = await self._handle.message(body, {"type": "offer", "sdp": self.peer.localDescription.sdp})
        await self.peer.setRemoteDescription(RTCSessionDescription(**answer["jsep"]))
