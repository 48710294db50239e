"""A loopback room whose guests are exact: a flash and a beep on each whole second of true time, pictures that are
numbered, a hum without end. ``python -m tests.rig.exact_room`` takes the arguments of the room that it is otherwise.

It takes some commands more: ``seat`` brings in a certain guest of the cast, as a
:class:`~tests.rig.guests.GuestSpec` describes them; ``resize`` and ``freeze`` are those of
:class:`tests.rig.guest.Guest`.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from egress.call.loopback import room
from egress.call.loopback.cast import CAST, Guest
from egress.call.loopback.wire import Message
from egress.rtc.ice import connection_of
from egress.rtc.ice_settings import LOOPBACK
from tests.rig.clocks import DeviceClock, epoch_offset
from tests.rig.exact import Camera, Microphone, Punctuality, exact
from tests.rig.freezing import freezable, freeze
from tests.rig.guest import preferred
from tests.rig.guests import GuestSpec, spec_of
from tests.rig.loops import audio_loop, video_loop

SIZE = (320, 180)
BITRATE = 300_000
_EPOCH = epoch_offset()


class ExactContent:
    """What a guest of the room sends: by default the loops of the identity that belongs to its place in the cast."""

    def __init__(self, guest: Guest, spec: GuestSpec | None = None) -> None:
        if spec is None:
            spec = GuestSpec(guest.id, CAST.index(guest), width=SIZE[0], height=SIZE[1], bitrate=BITRATE)
        self.codec = spec.codec
        self.sizes = {
            size: video_loop(spec.identity, *size, spec.codec, spec.bitrate)
            for size in ((spec.width, spec.height), *spec.other_sizes)
        }
        self.pictures = self.sizes[spec.width, spec.height]
        self.sound = audio_loop(spec.identity)
        self.silence = audio_loop(None)
        self.muted = False


class ExactSeat(room.Sender):
    """One exact guest sending to one listener."""

    def __init__(self, content: Any, zero: float, speaks: Any) -> None:
        clock = DeviceClock(float(math.floor(time.monotonic() + _EPOCH)))
        rest: tuple[Any, ...] = (clock, _EPOCH, Punctuality(), lambda mark, told: None)
        self.camera = Camera(content.pictures, *rest)
        self.microphone = Microphone(content.sound, content.silence, *rest)
        self.microphone.muted = content.muted
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for track in (self.microphone, self.camera):
            line = self._peer.addTransceiver(track, direction="sendonly")
            exact(line.sender, track)
            if track is self.camera:
                line.setCodecPreferences(preferred(content.codec))
            connection_of(line.sender.transport.transport.iceGatherer).networks = LOOPBACK.networks

    async def offer(self) -> str:
        sdp = await super().offer()
        freezable(self._peer)
        return sdp

    async def answer(self, sdp: str) -> None:
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))

    def send_picture(self, wanted: bool) -> None:
        if wanted:
            self.camera.sending.set()
        else:
            self.camera.sending.clear()

    async def freeze(self, seconds: float) -> None:
        await freeze(lambda: [self._peer], seconds)


class ExactRoom(room.Room):
    """A room whose guests do what exact guests can."""

    def __init__(self) -> None:
        super().__init__()
        self._seated: set[str] = set()

    def speaks(self, seat: room.Seat, at: float) -> bool:
        """Who was seated is said to speak for as long as the hum is heard; the others take turns as ever."""
        if seat.guest.id in self._seated:
            return not seat.muted["audio"]
        return super().speaks(seat, at)

    def mute(self, id_: str, track: str, muted: bool) -> None:
        super().mute(id_, track, muted)
        if track == "audio":
            self._content(id_).muted = muted
            for sender in self._sending(id_):
                sender.microphone.muted = muted

    async def seat(self, spec: GuestSpec) -> room.Seat:
        """Have that guest of the cast come in whose id the user is, with the name, roles and media of the spec."""
        [cast] = [guest for guest in CAST if guest.id == spec.user_id]
        guest = replace(cast, name=spec.name or cast.name, roles=spec.roles or cast.roles)
        self._seated.add(guest.id)
        content: Any = await asyncio.to_thread(ExactContent, guest, spec)
        seat = self.seats[guest.id] = room.Seat(guest, content)
        await asyncio.gather(*(listener.invite(seat) for listener in tuple(self.listeners) if listener.attending))
        return seat

    def resize(self, id_: str, width: int, height: int) -> None:
        content = self._content(id_)
        content.pictures = content.sizes[width, height]
        for sender in self._sending(id_):
            sender.camera.change(content.pictures)

    async def freeze(self, id_: str, seconds: float) -> None:
        await asyncio.gather(*(sender.freeze(seconds) for sender in self._sending(id_)))

    def _content(self, id_: str) -> ExactContent:
        content = self.seats[id_].content
        assert isinstance(content, ExactContent)
        return content

    def _sending(self, id_: str) -> Iterator[ExactSeat]:
        for listener in self.listeners:
            if isinstance(sender := listener._senders.get(id_), ExactSeat):
                yield sender


async def _seat(listener: room.Listener, message: Message) -> Message:
    return {"guest": (await _room_of(listener).seat(spec_of(message["spec"]))).described()}


async def _resize(listener: room.Listener, message: Message) -> Message:
    _room_of(listener).resize(message["guest"], int(message["width"]), int(message["height"]))
    return {}


async def _freeze(listener: room.Listener, message: Message) -> Message:
    await _room_of(listener).freeze(message["guest"], float(message["seconds"]))
    return {}


def _room_of(listener: room.Listener) -> ExactRoom:
    found = listener._room
    assert isinstance(found, ExactRoom)
    return found


def main() -> None:
    # The room's own code decides everything else; only what guests send is exchanged.
    room.Room = ExactRoom  # type: ignore[misc]
    room.Sender = ExactSeat  # type: ignore[misc]
    room.cached_content = ExactContent  # type: ignore[assignment]
    room.CAMERA_OFF_FOR = 0.0
    room._OPERATIONS.update(seat=_seat, resize=_resize, freeze=_freeze)
    given = room._arguments()
    # A collection of everything takes tens of milliseconds, in which nothing would be sent.
    gc.collect()
    gc.freeze()
    asyncio.run(room.main(given.guests, given.port, given.until_stdin_closes))


if __name__ == "__main__":
    sys.exit(main())
