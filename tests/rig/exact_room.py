"""A loopback room whose guests are exact: a flash and a beep on each whole second of true time, pictures that are
numbered, a hum without end. ``python -m tests.rig.exact_room`` takes the arguments of the room that it is otherwise.
"""

from __future__ import annotations

import asyncio
import gc
import math
import sys
import time
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from egress.call.loopback import room
from egress.call.loopback.cast import CAST, Guest
from egress.rtc.ice import connection_of
from egress.rtc.ice_settings import LOOPBACK
from tests.rig.clocks import DeviceClock, epoch_offset
from tests.rig.exact import Camera, Microphone, Punctuality, exact
from tests.rig.loops import audio_loop, video_loop

SIZE = (320, 180)
_EPOCH = epoch_offset()


class ExactContent:
    """What a guest of the room sends: the loops of the identity that belongs to its place in the cast."""

    def __init__(self, guest: Guest) -> None:
        identity = CAST.index(guest)
        self.pictures = video_loop(identity, *SIZE, bitrate=300_000)
        self.sound = audio_loop(identity)
        self.silence = audio_loop(None)


class ExactSeat(room.Sender):
    """One exact guest sending to one listener."""

    def __init__(self, content: Any, zero: float, speaks: Any) -> None:
        clock = DeviceClock(float(math.floor(time.monotonic() + _EPOCH)))
        rest: tuple[Any, ...] = (clock, _EPOCH, Punctuality(), lambda mark, told: None)
        self.camera = Camera(content.pictures, *rest)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        for track in (Microphone(content.sound, content.silence, *rest), self.camera):
            sender = self._peer.addTransceiver(track, direction="sendonly").sender
            exact(sender, track)
            connection_of(sender.transport.transport.iceGatherer).networks = LOOPBACK.networks

    async def answer(self, sdp: str) -> None:
        await self._peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))

    def send_picture(self, wanted: bool) -> None:
        if wanted:
            self.camera.sending.set()
        else:
            self.camera.sending.clear()


def main() -> None:
    # The room's own code decides everything else; only what guests send is exchanged.
    room.Sender = ExactSeat  # type: ignore[misc]
    room.cached_content = ExactContent  # type: ignore[assignment]
    room.CAMERA_OFF_FOR = 0.0
    given = room._arguments()
    # A collection of everything takes tens of milliseconds, in which nothing would be sent.
    gc.collect()
    gc.freeze()
    asyncio.run(room.main(given.guests, given.port, given.until_stdin_closes))


if __name__ == "__main__":
    sys.exit(main())
