"""An exact guest in a Janus VideoRoom: joins, publishes, and does what people do in calls."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription

from tests.rig import layers
from tests.rig.exact import Camera, ExactTrack, exact
from tests.rig.freezing import freezable
from tests.rig.guest import Guest, Say, preferred
from tests.rig.guests import Call, GuestSpec
from tests.rig.janus_client import Handle, Refused, Session

Off = Literal["stop", "remove"]


class Publication:
    """One publisher handle and its peer connection."""

    def __init__(self, handle: Handle, room: int, display: str, codec: str) -> None:
        self._handle = handle
        self._room = room
        self._display = display
        self._codec = codec
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self._lines: dict[ExactTrack, RTCRtpTransceiver] = {}
        self._layers: dict[RTCRtpTransceiver, int] = {}
        self._negotiating = asyncio.Lock()

    async def publish(self, tracks: list[ExactTrack]) -> int:
        """Join and publish, several cameras as layers of one picture; returns the publisher's id once media flows."""
        cameras = [track for track in tracks if isinstance(track, Camera)]
        for track in tracks:
            if track in cameras[1:]:
                continue
            line = self.peer.addTransceiver(track, direction="sendonly")
            if track.kind == "video":
                line.setCodecPreferences(preferred(self._codec, rtx=len(cameras) == 1))
            if track.kind == "video" and len(cameras) > 1:
                layers.layered(line, cameras)
                self._layers[line] = len(cameras)
            else:
                exact(line.sender, track)
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
        line.setCodecPreferences(preferred(self._codec))
        self._lines[track] = line
        await self._negotiate(lambda: [{"mid": line.mid, "description": description}])

    async def show(self, track: ExactTrack, on: bool) -> None:
        """Take a track out of the session description, or put it back."""
        self._lines[track].direction = "sendonly" if on else "inactive"
        await self._negotiate()

    async def rename(self, display: str) -> None:
        """Be shown as somebody else from now on."""
        await self._handle.message({"request": "configure", "display": display})

    async def close(self) -> None:
        await self._handle.detach()
        await self.peer.close()

    async def _negotiate(self, describe: Callable[[], list[dict[str, Any]]] = list) -> None:
        async with self._negotiating:
            await self.peer.setLocalDescription(await self.peer.createOffer())
            freezable(self.peer)
            local = self.peer.localDescription
            offer = {"type": local.type, "sdp": layers.described(local.sdp, self._layers), "rid_order": "lmh"}
            answer = await self._handle.message({"request": "configure", "descriptions": describe()}, jsep=offer)
            remote = answer["jsep"]
            await self.peer.setRemoteDescription(RTCSessionDescription(remote["sdp"], remote["type"]))


class JanusGuest(Guest):
    """A guest on Janus. Every public coroutine is an action that a test can ask for by name."""

    AGAIN = (OSError, TimeoutError, Refused)

    def __init__(self, call: Call, spec: GuestSpec, say: Say) -> None:
        super().__init__(call, spec, say)
        self._session: Session | None = None
        self._main: Publication | None = None
        self._screen: Publication | None = None

    async def join(self) -> None:
        tracks = self._devices()
        session = Session(self._call.url)
        self._session = session
        try:
            await session.open()
            self._main = Publication(await session.attach(), self._room, self._spec.display, self._spec.codec)
            feed = await self._main.publish(tracks)
        except BaseException:
            await self._drop(goodbye=True)
            raise
        self._say("joined", {"feed": feed})
        if self._spec.comes_back:
            self._returning = asyncio.create_task(self._come_back(session.closed))

    async def leave(self) -> None:
        await self._stay_away()
        if self._session is not None:
            await self._drop(goodbye=True)
            self._say("left", {})

    async def vanish(self) -> None:
        await self._stay_away()
        await self._drop(goodbye=False)
        self._say("vanished", {})

    async def camera(self, on: bool, how: Off = "remove") -> None:
        """Turn the camera off or on: ``remove`` by renegotiation, ``stop`` by sending nothing."""
        await self._switch(list(self._cameras), on, how)
        self._say("camera", {"on": on})

    async def mute(self, on: bool, how: Literal["silence", "stop", "remove"] = "silence") -> None:
        """Mute or unmute: ``silence`` goes on sending packets without sound, as browsers do."""
        assert self._microphone is not None
        if how == "silence":
            self._microphone.muted = on
        else:
            await self._switch([self._microphone], not on, how)
        self._say("muted" if on else "unmuted", {})

    async def screen(self, on: bool, how: Literal["publisher", "stream"] = "publisher", sound: bool = False) -> None:
        """Share a screen, or stop: as a publisher of its own with the same user, or as a stream named ``screen``.

        ``sound``, of a screen that is a publisher of its own, beeps as identity + 8 would.
        """
        assert self._session is not None
        assert self._main is not None
        if on:
            tracks = self._new_screen(sound)
            if how == "stream":
                await self._main.add(tracks[0], "screen")
                self._say("screen", {"on": True})
                return
            display = json.dumps(
                {
                    "user_id": self._spec.user_id,
                    "name": self._spec.name or self._spec.user_id,
                    "source": "screen_share",
                }
            )
            self._screen = Publication(await self._session.attach(), self._room, display, self._spec.codec)
            feed = await self._screen.publish(tracks)
            self._say("screen", {"on": True, "feed": feed})
        elif self._screen is not None:
            screen, self._screen = self._screen, None
            await screen.close()
            self._say("screen", {"on": False})
        elif self._screen_camera is not None:
            shared, self._screen_camera = self._screen_camera, None
            await self._switch([shared], False, "remove")
            self._say("screen", {"on": False})

    async def rename(self, name: str) -> None:
        """Be called otherwise from now on."""
        assert self._main is not None
        await self._main.rename(replace(self._spec, name=name).display)
        self._say("renamed", {"name": name})

    @property
    def _room(self) -> int:
        return int(self._call.room)

    def _peers(self) -> list[RTCPeerConnection]:
        return [publication.peer for publication in (self._main, self._screen) if publication is not None]

    async def _switch(self, tracks: Sequence[ExactTrack], on: bool, how: Off) -> None:
        if not on:
            for track in tracks:
                track.sending.clear()
        if how == "remove":
            assert self._main is not None
            await self._main.show(tracks[0], on)
        if on:
            for track in tracks:
                track.sending.set()

    async def _drop(self, goodbye: bool) -> None:
        main, screen, session = self._main, self._screen, self._session
        self._main = self._screen = self._session = None
        for publication in (screen, main):
            if publication is not None:
                with contextlib.suppress(Exception):
                    await (publication.close() if goodbye else publication.peer.close())
        if session is not None:
            await session.close(goodbye)
        self._count_key_requests()
        self._cameras, self._screen_camera = [], None
