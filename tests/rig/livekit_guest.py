"""An exact guest in a LiveKit room: joins, publishes, and does what people do in calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass
from typing import Literal

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from livekit.protocol import models, rtc

from tests.rig import layers
from tests.rig.exact import Camera, ExactTrack, exact
from tests.rig.freezing import cut_off, freezable
from tests.rig.guest import Guest, Say, preferred
from tests.rig.guests import Call, GuestSpec
from tests.rig.livekit_client import Refused, Signal
from tests.rig.livekit_token import token

_QUALITIES = (models.LOW, models.MEDIUM, models.HIGH)


@dataclass(slots=True)
class _Published:
    line: RTCRtpTransceiver
    sid: str


class Publisher:
    """The peer connection with which a participant publishes."""

    def __init__(self, signal: Signal, sid: str, codec: str) -> None:
        self._signal = signal
        self._sid = sid
        self._codec = codec
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._published: dict[ExactTrack, _Published] = {}
        self._layers: dict[RTCRtpTransceiver, int] = {}
        self._negotiating = asyncio.Lock()
        self._offers = 0
        self._candidates: asyncio.Queue[str] = asyncio.Queue()
        self._adding: asyncio.Task[None] | None = None
        signal.on_message = self._take

    async def publish(self, wanted: list[tuple[rtc.AddTrackRequest, list[ExactTrack]]]) -> None:
        """Publish tracks, each as its request describes it; several cameras for one request are its layers.

        Returns when the server has told everybody, which it does when the first packets have come.
        """
        sids: set[str] = set()
        for request, tracks in wanted:
            line = self.peer.addTransceiver(tracks[0], direction="sendonly")
            if len(tracks) > 1:
                layers.layered(line, [track for track in tracks if isinstance(track, Camera)])
                self._layers[line] = len(tracks)
            else:
                exact(line.sender, tracks[0])
            if tracks[0].kind == "video":
                line.setCodecPreferences(preferred(self._codec, rtx=len(tracks) == 1))
            request.cid = tracks[0].id
            answer = await self._signal.ask(
                rtc.SignalRequest(add_track=request),
                lambda message, cid=request.cid: message.track_published.cid == cid,  # type: ignore[misc]
            )
            sid = answer.track_published.track.sid
            sids.add(sid)
            for track in tracks:
                self._published[track] = _Published(line, sid)
        seen = self._signal.expect(
            lambda message: any(sids <= {t.sid for t in p.tracks} for p in self._updates(message))
        )
        await self._negotiate()
        deadline = time.monotonic() + 10
        while self.peer.connectionState != "connected":
            given_up = self._signal.closed.is_set() or self.peer.connectionState in ("failed", "closed")
            if given_up or time.monotonic() > deadline:
                raise ConnectionError(f"no media path to LiveKit: {self.peer.connectionState}")
            await asyncio.sleep(0.01)
        await asyncio.wait_for(seen, 10)

    async def unpublish(self, track: ExactTrack) -> None:
        """Take a track back; returns when the server has told everybody."""
        gone = self._published.pop(track)
        told = self._signal.expect(
            lambda message: any(gone.sid not in {t.sid for t in p.tracks} for p in self._updates(message))
        )
        gone.line.direction = "inactive"
        await self._negotiate()
        await gone.line.sender.stop()
        await asyncio.wait_for(told, 10)

    async def mute(self, track: ExactTrack, muted: bool) -> None:
        """Tell that a track is muted, or is no longer."""
        request = rtc.MuteTrackRequest(sid=self._published[track].sid, muted=muted)
        await self._signal.send(rtc.SignalRequest(mute=request))

    async def close(self, goodbye: bool) -> None:
        if self._adding is not None:
            self._adding.cancel()
            await asyncio.gather(self._adding, return_exceptions=True)
        await (self.peer.close() if goodbye else cut_off(self.peer))

    async def _negotiate(self) -> None:
        async with self._negotiating:
            await self.peer.setLocalDescription(await self.peer.createOffer())
            freezable(self.peer)
            self._offers += 1
            number = self._offers
            sdp = layers.described(self.peer.localDescription.sdp, self._layers)
            answer = await self._signal.ask(
                rtc.SignalRequest(offer=rtc.SessionDescription(type="offer", sdp=sdp, id=number)),
                lambda message: message.HasField("answer") and message.answer.id in (0, number),
            )
            await self.peer.setRemoteDescription(RTCSessionDescription(answer.answer.sdp, answer.answer.type))
            if self._adding is None:
                self._adding = asyncio.create_task(self._add_candidates())

    def _updates(self, message: rtc.SignalResponse) -> list[models.ParticipantInfo]:
        """What a message tells of this participant itself."""
        return [participant for participant in message.update.participants if participant.sid == self._sid]

    def _take(self, message: rtc.SignalResponse) -> None:
        if message.HasField("trickle") and message.trickle.target == rtc.PUBLISHER:
            self._candidates.put_nowait(message.trickle.candidateInit)

    async def _add_candidates(self) -> None:
        """Hand on what the server trickles: it may come before its answer does."""
        while True:
            told = json.loads(await self._candidates.get())["candidate"]
            candidate = candidate_from_sdp(told.removeprefix("candidate:"))
            if candidate.protocol == "udp":
                candidate.sdpMLineIndex = 0
                await self.peer.addIceCandidate(candidate)


class LivekitGuest(Guest):
    """A guest on LiveKit. Every public coroutine is an action that a test can ask for by name."""

    AGAIN = (OSError, TimeoutError, Refused)

    def __init__(self, call: Call, spec: GuestSpec, say: Say) -> None:
        super().__init__(call, spec, say)
        self._signal: Signal | None = None
        self._publisher: Publisher | None = None
        self._screen: list[ExactTrack] = []

    async def join(self) -> None:
        spec = self._spec
        tracks = self._devices()
        signal = Signal(self._call.url, self._token())
        self._signal = signal
        try:
            joined = await signal.open()
            self._publisher = Publisher(signal, joined.participant.sid, spec.codec)
            wanted = []
            if self._microphone is not None:
                wanted.append((self._sound(models.MICROPHONE), [t for t in tracks if t is self._microphone]))
            if self._cameras:
                wanted.append((self._picture(), [t for t in tracks if t in self._cameras]))
            if wanted:
                await self._publisher.publish(wanted)
        except BaseException:
            await self._drop(goodbye=True)
            raise
        self._say("joined", {"sid": joined.participant.sid})
        if spec.comes_back:
            self._returning = asyncio.create_task(self._come_back_unless_sent_away(signal))

    async def leave(self) -> None:
        await self._stay_away()
        if self._signal is not None:
            await self._drop(goodbye=True)
            self._say("left", {})

    async def vanish(self) -> None:
        await self._stay_away()
        await self._drop(goodbye=False)
        self._say("vanished", {})

    async def camera(self, on: bool, how: Literal["remove", "mute", "stop"] = "remove") -> None:
        """Turn the camera off or on: ``remove`` unpublishes, ``mute`` tells so and sends nothing, ``stop`` only sends
        nothing. ``on`` after ``remove`` publishes a new track.
        """
        if how == "remove" and on:
            self._cameras = self._new_cameras()
            await self._publishing.publish([(self._picture(), list(self._cameras))])
        else:
            await self._switch(list(self._cameras), on, how)
        self._say("camera", {"on": on})

    async def mute(self, on: bool, how: Literal["silence", "mute", "remove", "stop"] = "silence") -> None:
        """Mute or unmute: ``silence`` goes on sending packets without sound, ``mute`` tells so and sends nothing,
        ``remove`` unpublishes, ``stop`` only sends nothing."""
        assert self._microphone is not None
        if how == "silence":
            self._microphone.muted = on
        elif how == "remove" and not on:
            self._microphone = self._new_microphone()
            await self._publishing.publish([(self._sound(models.MICROPHONE), [self._microphone])])
        else:
            await self._switch([self._microphone], not on, how)
        self._say("muted" if on else "unmuted", {})

    async def screen(self, on: bool, sound: bool = False) -> None:
        """Share a screen, or stop. ``sound`` beeps as identity + 8 would, in a track of its own."""
        if on:
            picture, *sounds = self._screen = self._new_screen(sound)
            assert self._spec.screen is not None
            width, height = self._spec.screen
            shown = rtc.AddTrackRequest(
                name="screen",
                type=models.VIDEO,
                source=models.SCREEN_SHARE,
                width=width,
                height=height,
                layers=[models.VideoLayer(quality=models.HIGH, width=width, height=height)],
            )
            wanted = [(shown, [picture])]
            if sounds:
                wanted.append((self._sound(models.SCREEN_SHARE_AUDIO), sounds))
            await self._publishing.publish(wanted)
        else:
            for track in self._screen:
                await self._switch([track], False, "remove")
            self._screen = []
        self._say("screen", {"on": on})

    @property
    def _publishing(self) -> Publisher:
        assert self._publisher is not None
        return self._publisher

    def _token(self) -> str:
        call, spec = self._call, self._spec
        return token(
            call.api_key,
            call.api_secret,
            spec.user_id,
            str(call.room),
            name=spec.name or spec.user_id,
            metadata=spec.livekit_metadata,
            attributes=spec.attributes,
            canPublish=True,
            # Without anything to subscribe to there is no second connection to answer.
            canSubscribe=False,
            canUpdateOwnMetadata=True,
        )

    def _picture(self) -> rtc.AddTrackRequest:
        spec = self._spec
        sizes = sorted(spec.layers) or [(spec.width, spec.height, spec.bitrate)]
        qualities = _QUALITIES[: len(sizes)] if spec.layers else (models.HIGH,)
        return rtc.AddTrackRequest(
            name="camera",
            type=models.VIDEO,
            source=models.CAMERA,
            width=sizes[-1][0],
            height=sizes[-1][1],
            layers=[
                models.VideoLayer(quality=quality, width=width, height=height, bitrate=bitrate)
                for quality, (width, height, bitrate) in zip(qualities, sizes, strict=True)
            ],
        )

    def _sound(self, source: models.TrackSource.ValueType) -> rtc.AddTrackRequest:
        return rtc.AddTrackRequest(
            name="microphone" if source == models.MICROPHONE else "screen_audio",
            type=models.AUDIO,
            source=source,
            disable_dtx=not self._spec.dtx,
            disable_red=True,
        )

    def _peers(self) -> list[RTCPeerConnection]:
        return [] if self._publisher is None else [self._publisher.peer]

    async def _switch(self, tracks: list[ExactTrack], on: bool, how: str) -> None:
        if not on:
            for track in tracks:
                track.sending.clear()
        if how == "mute":
            await self._publishing.mute(tracks[0], not on)
        elif how == "remove":
            await self._publishing.unpublish(tracks[0])
        if on:
            for track in tracks:
                track.sending.set()

    async def _come_back_unless_sent_away(self, signal: Signal) -> None:
        """A browser does not return when a moderator removed it or the room was closed."""
        await signal.closed.wait()
        farewell = signal.farewell
        if farewell is not None and farewell.action == rtc.LeaveRequest.DISCONNECT:
            self._say("sent_away", {"reason": models.DisconnectReason.Name(farewell.reason)})
            await self._drop(goodbye=False)
            return
        await self._come_back(signal.closed)

    async def _drop(self, goodbye: bool) -> None:
        publisher, signal = self._publisher, self._signal
        self._publisher = self._signal = None
        if signal is not None:
            await signal.close(goodbye)
        if publisher is not None:
            with contextlib.suppress(Exception):
                await publisher.close(goodbye)
        self._count_key_requests()
        self._cameras, self._screen_camera, self._screen = [], None, []
        self._microphone = None
