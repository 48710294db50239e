"""A plain aiortc subscriber to a LiveKit room: shows that what guests publish arrives, without the product."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from types import TracebackType
from typing import Any, Self

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp
from livekit.protocol import models, rtc

from egress.rtc import ice
from tests.rig.judge_pictures import who_is_in
from tests.rig.livekit import ROOM, LivekitServer
from tests.rig.livekit_client import Signal


class LivekitSubscriber:
    """``async with LivekitSubscriber(server)``: subscribes to all that is published in a room, hidden.

    It counts decoded frames by (identity, source), and keeps the last of each. Sources are the protocol's names in
    small letters: ``camera``, ``screen_share_audio``, …. Without ``media`` it subscribes to nothing and is only told.
    """

    def __init__(
        self,
        server: LivekitServer,
        identity: str = "subscriber",
        room: str = ROOM,
        hidden: bool = True,
        media: bool = True,
        **grants: Any,
    ) -> None:
        token = server.token(identity, room, hidden=hidden, **grants)
        self._signal = Signal(server.url, token, auto_subscribe=media)
        self._network = server.host_network
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._tasks: list[asyncio.Task[None]] = []
        self._offers: asyncio.Queue[rtc.SessionDescription] = asyncio.Queue()
        self._candidates: asyncio.Queue[str] = asyncio.Queue()
        self._connected = asyncio.Event()
        self._tracks: dict[str, tuple[str, str]] = {}
        self.participants: dict[str, models.ParticipantInfo] = {}
        """By identity: what was told last of each that is there."""
        self.speakers: list[set[str]] = []
        """Each change of who speaks, by sid."""
        self.frames: Counter[tuple[str, str]] = Counter()
        self.last: dict[tuple[str, str], Any] = {}
        self.told: list[tuple[str, bytes]] = []
        """Topic and payload of what the room was told as data."""

    def seen(self, identity: str, source: str = "camera") -> list[int]:
        """Whose picture came last (identities of the rig)."""
        return who_is_in(self.last[identity, source])

    def size(self, identity: str, source: str = "camera") -> tuple[int, int] | None:
        """Width and height of the picture that came last."""
        frame = self.last.get((identity, source))
        return None if frame is None else (frame.width, frame.height)

    async def __aenter__(self) -> Self:
        @self._peer.on("track")
        def take(track: MediaStreamTrack) -> None:
            self._tasks.append(asyncio.create_task(self._count(track)))

        @self._peer.on("datachannel")
        def open_(channel: RTCDataChannel) -> None:
            channel.on("message", self._hear)

        @self._peer.on("connectionstatechange")
        def look() -> None:
            if self._peer.connectionState == "connected":
                self._connected.set()

        self._signal.on_message = self._take
        joined = await self._signal.open()
        self._learn(joined.other_participants)
        self._tasks.append(asyncio.create_task(self._answer()))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._signal.close()
        await self._peer.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def settings(self, identity: str, source: str = "camera", **wanted: Any) -> None:
        """Ask for other layers: ``disabled``, ``quality``, ``width`` and ``height``, ``fps``."""
        sid = next(sid for sid, key in self._tracks.items() if key == (identity, source))
        settings = rtc.UpdateTrackSettings(track_sids=[sid], **wanted)
        await self._signal.send(rtc.SignalRequest(track_setting=settings))

    def _take(self, message: rtc.SignalResponse) -> None:
        match message.WhichOneof("message"):
            case "offer":
                self._offers.put_nowait(message.offer)
            case "trickle" if message.trickle.target == rtc.SUBSCRIBER:
                self._candidates.put_nowait(message.trickle.candidateInit)
            case "update":
                self._learn(message.update.participants)
            case "speakers_changed":
                before = self.speakers[-1] if self.speakers else set()
                told = {speaker.sid: speaker.active for speaker in message.speakers_changed.speakers}
                silent = {sid for sid, active in told.items() if not active}
                self.speakers.append((before | set(told)) - silent)

    def _hear(self, data: bytes) -> None:
        packet = models.DataPacket.FromString(data)
        if packet.HasField("user"):
            self.told.append((packet.user.topic, packet.user.payload))

    def _learn(self, participants: Any) -> None:
        for participant in participants:
            if participant.state == models.ParticipantInfo.DISCONNECTED:
                self.participants.pop(participant.identity, None)
                continue
            self.participants[participant.identity] = participant
            for track in participant.tracks:
                source = models.TrackSource.Name(track.source).lower()
                self._tracks[track.sid] = (participant.identity, source)

    async def _answer(self) -> None:
        adding = None
        while True:
            offer = await self._offers.get()
            await self._peer.setRemoteDescription(RTCSessionDescription(offer.sdp, offer.type))
            for transport in self._peer._RTCPeerConnection__iceTransports:  # type: ignore[attr-defined]
                ice.connection_of(transport.iceGatherer).networks = [self._network]
            await self._peer.setLocalDescription(await self._peer.createAnswer())
            local = self._peer.localDescription
            answer = rtc.SessionDescription(type=local.type, sdp=local.sdp, id=offer.id)
            await self._signal.send(rtc.SignalRequest(answer=answer))
            if adding is None:
                adding = asyncio.create_task(self._add_candidates())
                self._tasks.append(adding)
            # aiortc starts no receivers for an offer that comes while it connects.
            await self._connected.wait()

    async def _add_candidates(self) -> None:
        while True:
            told = json.loads(await self._candidates.get())["candidate"]
            candidate = candidate_from_sdp(told.removeprefix("candidate:"))
            if candidate.protocol == "udp":
                candidate.sdpMLineIndex = 0
                await self._peer.addIceCandidate(candidate)

    async def _count(self, track: MediaStreamTrack) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                key = self._tracks[track.id]
                self.last[key] = frame
                self.frames[key] += 1
