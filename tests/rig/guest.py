"""What exact guests do alike, whatever the SFU: their devices, how they come back, what they tell."""

from __future__ import annotations

import abc
import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from aiortc import RTCPeerConnection, RTCRtpSender

from tests.rig import picture, sound
from tests.rig.clocks import DeviceClock
from tests.rig.exact import Camera, ExactTrack, Microphone, Note, Punctuality, Speaker
from tests.rig.freezing import freeze
from tests.rig.guests import Call, GuestSpec
from tests.rig.loops import audio_loop, spoken_loop, video_loop

Say = Callable[[str, str, dict[str, Any]], None]

SCREEN_BITRATE = 3_000_000
"""Bits a second: screens' colours are near each other, so their key frames must not be coarse."""


class Guest(abc.ABC):
    """One guest. Every public coroutine is an action that a test can ask for by name."""

    AGAIN: tuple[type[Exception], ...] = (OSError, TimeoutError)
    """What a server that is away, or not yet ready, makes of a try to join."""

    def __init__(self, call: Call, spec: GuestSpec, say: Say) -> None:
        self._call = call
        self._spec = spec
        self._say_all = say
        # Encoding takes long and would make everybody in this process late: all of it happens before the call.
        self._camera_loops = {
            size: video_loop(spec.identity, *size, spec.codec, spec.bitrate, spec.detail)
            for size in (() if spec.layers else ((spec.width, spec.height), *spec.other_sizes))
        }
        self._layer_loops = [
            video_loop(spec.identity, width, height, spec.codec, bitrate, spec.detail)
            for width, height, bitrate in sorted(spec.layers)
        ]
        self._screen_loop = (
            video_loop(spec.identity + picture.CAMERAS, *spec.screen, spec.codec, SCREEN_BITRATE)
            if spec.screen
            else None
        )
        self._voice = spoken_loop(spec.says) if spec.says else audio_loop(spec.identity)
        self._speech = audio_loop(spec.identity, hum=sound.SPEECH_AMPLITUDE)
        self._screen_voice = audio_loop(spec.identity + picture.CAMERAS, hum=0.0)
        self._silence = audio_loop(None)
        kinds = ("video", "audio", "screen", "screen_audio")
        self._punctual = {kind: Punctuality() for kind in kinds}
        self._key_requests = 0
        self.started = math.floor(time.monotonic() + call.epoch)
        """True time at which the guest's device was started, a whole second; may be exchanged before the first join."""
        self._cameras: list[Camera] = []
        """One, or one for each layer, the smallest first."""
        self._microphone: Microphone | None = None
        self._screen_camera: Camera | None = None
        self._returning: asyncio.Task[None] | None = None

    @abc.abstractmethod
    async def join(self) -> None:
        """Join the room and publish camera and microphone."""

    @abc.abstractmethod
    async def leave(self) -> None:
        """Leave in order."""

    @abc.abstractmethod
    async def vanish(self) -> None:
        """Be gone without a goodbye: the signalling connection closes, media stops."""

    async def rejoin(self, away: float = 0.0) -> None:
        """Leave, stay away for so many seconds, join again."""
        await self.leave()
        await asyncio.sleep(away)
        await self.join()

    async def resize(self, width: int, height: int) -> None:
        """Send pictures of another size from the next key frame on: another camera, or a phone that was turned."""
        if (width, height) not in self._camera_loops:
            raise ValueError(f"a guest who sends {width}x{height} needs it in GuestSpec.other_sizes")
        if self._layer_loops:
            raise ValueError("a guest who sends layers keeps to their sizes")
        [camera] = self._cameras
        camera.change(self._camera_loops[width, height])
        self._say("resized", {"width": width, "height": height})

    async def speak(self, on: bool) -> None:
        """Be so loud that everybody's client shows a speaker, or no longer; a new microphone is quiet."""
        assert self._microphone is not None
        self._microphone.change(self._speech if on else self._voice)
        self._say("speaking" if on else "quiet", {})

    async def freeze(self, seconds: float) -> None:
        """The network of the guest's media is dead for so long, in both directions; signalling is not."""
        self._say("frozen", {"seconds": seconds})
        await freeze(self._peers, seconds)
        self._say("thawed", {})

    def summary(self) -> dict[str, Any]:
        """Punctuality, and how many key frames were asked for."""
        self._count_key_requests()
        told: dict[str, Any] = {kind: p.summary() for kind, p in self._punctual.items()}
        told["key_requests"] = self._key_requests
        return told

    @abc.abstractmethod
    def _peers(self) -> list[RTCPeerConnection]:
        """The peer connections that stand."""

    @abc.abstractmethod
    async def _drop(self, goodbye: bool) -> None:
        """Close whatever is open, with a word to the server or without."""

    def _devices(self) -> list[ExactTrack]:
        """The guest's microphone and cameras, made anew: those that it has."""
        spec = self._spec
        tracks: list[ExactTrack] = []
        if spec.audio:
            self._microphone = self._new_microphone()
            tracks.append(self._microphone)
        if spec.video:
            self._cameras = self._new_cameras()
            tracks.extend(self._cameras)
        return tracks

    def _new_microphone(self) -> Microphone:
        kind = Speaker if self._spec.says else Microphone
        return kind(self._voice, self._silence, *self._device("audio"), dtx=self._spec.dtx)

    def _new_cameras(self) -> list[Camera]:
        if not self._layer_loops:
            return [Camera(self._camera_loops[self._spec.width, self._spec.height], *self._device("video"))]
        # One flash a second is told, that of the full size.
        told = self._device("video")
        untold = (*told[:3], lambda mark, details: None)
        *lower, full = self._layer_loops
        return [*(Camera(loop, *untold) for loop in lower), Camera(full, *told)]

    def _new_screen(self, with_sound: bool) -> list[ExactTrack]:
        if self._screen_loop is None:
            raise ValueError("a guest who shares a screen needs GuestSpec.screen")
        self._screen_camera = Camera(self._screen_loop, *self._device("screen"))
        if not with_sound:
            return [self._screen_camera]
        return [self._screen_camera, Microphone(self._screen_voice, self._silence, *self._device("screen_audio"))]

    def _device(self, kind: str) -> tuple[DeviceClock, float, Punctuality, Note]:
        spec = self._spec
        clock = DeviceClock(
            started=self.started,
            offset=spec.clock_offset,
            step_after=spec.clock_step_after,
            step=spec.clock_step,
            drift_ppm=spec.drift_ppm,
        )
        screen = kind.startswith("screen")
        note = self._say if not screen else lambda mark, details: self._say(f"screen_{mark}", details)
        return clock, self._call.epoch, self._punctual[kind], note

    def _say(self, event: str, details: dict[str, Any]) -> None:
        self._say_all(self._spec.user_id, event, details)

    async def _come_back(self, lost: asyncio.Event) -> None:
        """Join again when the connection is lost, however long that takes."""
        await lost.wait()
        self._say("lost", {})
        await self._drop(goodbye=False)
        while True:
            try:
                await self.join()
                return
            except self.AGAIN:
                await asyncio.sleep(0.3)

    async def _stay_away(self) -> None:
        returning, self._returning = self._returning, None
        if returning is not None:
            returning.cancel()
            await asyncio.gather(returning, return_exceptions=True)

    def _count_key_requests(self) -> None:
        for camera in (*self._cameras, self._screen_camera):
            if camera is not None:
                self._key_requests += camera.key_requests
                camera.key_requests = 0


def preferred(codec: str, rtx: bool = True) -> list[Any]:
    """The codecs of aiortc's that a guest with this one offers."""
    offered = RTCRtpSender.getCapabilities("video").codecs
    wanted = (f"video/{codec}", "video/rtx") if rtx else (f"video/{codec}",)
    return [c for c in offered if c.mimeType.lower() in wanted]
