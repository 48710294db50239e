"""An exact guest in a Janus VideoRoom: joins, publishes, and does what people do in calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import Callable
from typing import Any, Literal

import aioice.ice
from aiortc import (
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCRtpTransceiver,
    RTCSessionDescription,
)

from tests.rig import picture
from tests.rig.clocks import DeviceClock
from tests.rig.exact import Camera, ExactTrack, Microphone, Punctuality, exact
from tests.rig.guests import Call, GuestSpec
from tests.rig.janus_client import Handle, Refused, Session
from tests.rig.loops import audio_loop, video_loop

Say = Callable[[str, str, dict[str, Any]], None]
Off = Literal["stop", "remove"]

_frozen: set[aioice.ice.Connection] = set()

SCREEN_BITRATE = 3_000_000
"""Bits a second: screens' colours are near each other, so their key frames must not be coarse."""


class _FreezingProtocol(aioice.ice.StunProtocol):
    """Sockets that fall silent, in both directions, for connections whose network is dead."""

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if self.receiver not in _frozen:
            super().datagram_received(data, addr)

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.receiver not in _frozen:
            await super().send_data(data, addr)

    def send_stun(self, message: Any, addr: tuple[str, int]) -> None:
        if self.receiver not in _frozen:
            super().send_stun(message, addr)


class Publication:
    """One publisher handle and its peer connection."""

    def __init__(self, handle: Handle, room: int, display: str, codec: str) -> None:
        self._handle = handle
        self._room = room
        self._display = display
        self._codec = codec
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._lines: dict[ExactTrack, RTCRtpTransceiver] = {}
        self._negotiating = asyncio.Lock()

    async def publish(self, tracks: list[ExactTrack]) -> int:
        """Join and publish; returns the publisher's id once media flows."""
        for track in tracks:
            line = self.peer.addTransceiver(track, direction="sendonly")
            exact(line.sender, track)
            if track.kind == "video":
                line.setCodecPreferences(_preferred(self._codec))
            self._lines[track] = line
        joined = await self._handle.message(
            {"request": "join", "ptype": "publisher", "room": self._room, "display": self._display}
        )
        await self._negotiate()
        deadline = time.monotonic() + 10
        while self.peer.connectionState != "connected":
            if time.monotonic() > deadline or self.peer.connectionState in ("failed", "closed"):
                raise ConnectionError(f"no media path to Janus: {self.peer.connectionState}")
            await asyncio.sleep(0.01)
        return int(joined["plugindata"]["data"]["id"])

    async def add(self, track: ExactTrack, description: str) -> None:
        """Publish one more stream in the same connection."""
        line = self.peer.addTransceiver(track, direction="sendonly")
        exact(line.sender, track)
        line.setCodecPreferences(_preferred(self._codec))
        self._lines[track] = line
        await self._negotiate(lambda: [{"mid": line.mid, "description": description}])

    async def show(self, track: ExactTrack, on: bool) -> None:
        """Take a track out of the session description, or put it back."""
        self._lines[track].direction = "sendonly" if on else "inactive"
        await self._negotiate()

    async def close(self) -> None:
        _frozen.difference_update(self.connections())
        await self._handle.detach()
        await self.peer.close()

    def connections(self) -> list[aioice.ice.Connection]:
        """The ICE connections below."""
        return [t.iceGatherer._connection for t in self.peer._RTCPeerConnection__iceTransports]  # type: ignore[attr-defined]

    async def _negotiate(self, describe: Callable[[], list[dict[str, Any]]] = list) -> None:
        async with self._negotiating:
            await self.peer.setLocalDescription(await self.peer.createOffer())
            for connection in self.connections():
                for protocol in connection._protocols:
                    protocol.__class__ = _FreezingProtocol
            local = self.peer.localDescription
            offer = {"type": local.type, "sdp": local.sdp}
            answer = await self._handle.message({"request": "configure", "descriptions": describe()}, jsep=offer)
            remote = answer["jsep"]
            await self.peer.setRemoteDescription(RTCSessionDescription(remote["sdp"], remote["type"]))


class JanusGuest:
    """One guest. Every public coroutine is an action that a test can ask for by name."""

    def __init__(self, call: Call, spec: GuestSpec, say: Say) -> None:
        self._call = call
        self._spec = spec
        self._say_all = say
        self._camera_loop = video_loop(spec.identity, spec.width, spec.height, spec.codec, spec.bitrate, spec.detail)
        # Encoding takes long and would make everybody in this process late: all of it happens before the call.
        self._screen_loop = (
            video_loop(spec.identity + picture.CAMERAS, *spec.screen, spec.codec, SCREEN_BITRATE)
            if spec.screen
            else None
        )
        self._sound = audio_loop(spec.identity)
        self._silence = audio_loop(None)
        self._punctual = {"video": Punctuality(), "audio": Punctuality(), "screen": Punctuality()}
        self._key_requests = 0
        self._started = math.floor(time.monotonic() + call.epoch)
        self._session: Session | None = None
        self._main: Publication | None = None
        self._screen: Publication | None = None
        self._camera: Camera | None = None
        self._microphone: Microphone | None = None
        self._screen_camera: Camera | None = None
        self._returning: asyncio.Task[None] | None = None

    async def join(self) -> None:
        """Join the room and publish camera and microphone."""
        spec = self._spec
        tracks: list[ExactTrack] = []
        if spec.audio:
            self._microphone = Microphone(self._sound, self._silence, *self._device("audio"))
            tracks.append(self._microphone)
        if spec.video:
            self._camera = Camera(self._camera_loop, *self._device("video"))
            tracks.append(self._camera)
        session = Session(self._call.url)
        self._session = session
        try:
            await session.open()
            self._main = Publication(await session.attach(), self._call.room, spec.display, spec.codec)
            feed = await self._main.publish(tracks)
        except BaseException:
            await self._drop(destroy=True)
            raise
        self._say("joined", {"feed": feed})
        if spec.comes_back:
            self._returning = asyncio.create_task(self._come_back(session))

    async def leave(self) -> None:
        """Leave in order."""
        await self._stay_away()
        if self._session is not None:
            await self._drop(destroy=True)
            self._say("left", {})

    async def vanish(self) -> None:
        """Be gone without a goodbye: the signalling connection closes, media stops."""
        await self._stay_away()
        await self._drop(destroy=False)
        self._say("vanished", {})

    async def rejoin(self, away: float = 0.0) -> None:
        """Leave, stay away for so many seconds, join again."""
        await self.leave()
        await asyncio.sleep(away)
        await self.join()

    async def camera(self, on: bool, how: Off = "remove") -> None:
        """Turn the camera off or on: ``remove`` by renegotiation, ``stop`` by sending nothing."""
        assert self._camera is not None
        await self._switch(self._camera, on, how)
        self._say("camera", {"on": on})

    async def mute(self, on: bool, how: Literal["silence", "stop", "remove"] = "silence") -> None:
        """Mute or unmute: ``silence`` goes on sending packets without sound, as browsers do."""
        assert self._microphone is not None
        if how == "silence":
            self._microphone.muted = on
        else:
            await self._switch(self._microphone, not on, how)
        self._say("muted" if on else "unmuted", {})

    async def screen(self, on: bool, how: Literal["publisher", "stream"] = "publisher") -> None:
        """Share a screen, or stop: as a publisher of its own with the same user, or as a stream named ``screen``."""
        assert self._session is not None
        assert self._main is not None
        if on:
            if self._screen_loop is None:
                raise ValueError("a guest who shares a screen needs GuestSpec.screen")
            self._screen_camera = Camera(self._screen_loop, *self._device("screen"))
            if how == "stream":
                await self._main.add(self._screen_camera, "screen")
                self._say("screen", {"on": True})
                return
            display = json.dumps(
                {
                    "user_id": self._spec.user_id,
                    "name": self._spec.name or self._spec.user_id,
                    "source": "screen_share",
                }
            )
            self._screen = Publication(await self._session.attach(), self._call.room, display, self._spec.codec)
            feed = await self._screen.publish([self._screen_camera])
            self._say("screen", {"on": True, "feed": feed})
        elif self._screen is not None:
            screen, self._screen = self._screen, None
            await screen.close()
            self._say("screen", {"on": False})
        elif self._screen_camera is not None:
            shared, self._screen_camera = self._screen_camera, None
            await self._switch(shared, False, "remove")
            self._say("screen", {"on": False})

    async def freeze(self, seconds: float) -> None:
        """The network of the guest's media is dead for so long, in both directions."""
        dead = [c for p in (self._main, self._screen) if p is not None for c in p.connections()]
        self._say("frozen", {"seconds": seconds})
        _frozen.update(dead)
        await asyncio.sleep(seconds)
        _frozen.difference_update(dead)
        self._say("thawed", {})

    def summary(self) -> dict[str, Any]:
        """Punctuality, and how many key frames were asked for."""
        self._count_key_requests()
        told: dict[str, Any] = {kind: p.summary() for kind, p in self._punctual.items()}
        told["key_requests"] = self._key_requests
        return told

    def _device(self, kind: str) -> tuple[DeviceClock, float, Punctuality, Callable[[str, dict[str, Any]], None]]:
        spec = self._spec
        clock = DeviceClock(
            started=self._started,
            offset=spec.clock_offset,
            step_after=spec.clock_step_after,
            step=spec.clock_step,
            drift_ppm=spec.drift_ppm,
        )
        note = self._say if kind != "screen" else lambda mark, details: self._say(f"screen_{mark}", details)
        return clock, self._call.epoch, self._punctual[kind], note

    def _say(self, event: str, details: dict[str, Any]) -> None:
        self._say_all(self._spec.user_id, event, details)

    async def _switch(self, track: ExactTrack, on: bool, how: Off) -> None:
        if not on:
            track.sending.clear()
        if how == "remove":
            assert self._main is not None
            await self._main.show(track, on)
        if on:
            track.sending.set()

    async def _come_back(self, session: Session) -> None:
        await session.closed.wait()
        self._say("lost", {})
        await self._drop(destroy=False)
        self._returning = None
        while True:
            try:
                await self.join()
                return
            except (OSError, TimeoutError, Refused):
                await asyncio.sleep(0.3)

    async def _stay_away(self) -> None:
        returning, self._returning = self._returning, None
        if returning is not None:
            returning.cancel()
            await asyncio.gather(returning, return_exceptions=True)

    async def _drop(self, destroy: bool) -> None:
        main, screen, session = self._main, self._screen, self._session
        self._main = self._screen = self._session = None
        for publication in (screen, main):
            if publication is not None:
                with contextlib.suppress(Exception):
                    await (publication.close() if destroy else publication.peer.close())
        if session is not None:
            await session.close(destroy)
        self._count_key_requests()
        self._camera = self._screen_camera = None

    def _count_key_requests(self) -> None:
        for camera in (self._camera, self._screen_camera):
            if camera is not None:
                self._key_requests += camera.key_requests
                camera.key_requests = 0


def _preferred(codec: str) -> list[Any]:
    offered = RTCRtpSender.getCapabilities("video").codecs
    return [c for c in offered if c.mimeType.lower() in (f"video/{codec}", "video/rtx")]
