"""A loopback room in which everybody talks at once: ``python -m bench.talkers --guests 4``, else like any such room."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection

from bench.talk import LOOP, Talk, talk
from egress.call.loopback import room
from egress.call.loopback.cast import Guest
from egress.call.loopback.sender import Sender
from egress.rtc.ice import connection_of
from egress.rtc.ice_settings import LOOPBACK
from tests.rig.clocks import DeviceClock, epoch_offset
from tests.rig.exact import Punctuality, Speaker, exact
from tests.rig.loops import audio_loop

_EPOCH = epoch_offset()


class Talker(Sender):
    """One who talks to one listener, without a picture."""

    def __init__(self, content: Any, zero: float, speaks: Any) -> None:
        assert isinstance(content, Talk)
        # A device that was started at a multiple of the loop since 1970 is in it where true time is.
        clock = DeviceClock(float(time.time() // LOOP * LOOP))
        microphone = Speaker(content.sound, audio_loop(None), clock, _EPOCH, Punctuality(), lambda mark, told: None)
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        line = self._peer.addTransceiver(microphone, direction="sendonly")
        exact(line.sender, microphone)
        connection_of(line.sender.transport.transport.iceGatherer).networks = LOOPBACK.networks

    def send_picture(self, wanted: bool) -> None:
        pass


class Talkers(room.Room):
    def speaks(self, seat: room.Seat, at: float) -> bool:
        """Nobody waits for their turn."""
        return True


def _content(guest: Guest) -> Any:
    return talk(guest.id)


def main() -> None:
    # The room's own code decides everything else; only what guests send is exchanged.
    room.Room = Talkers  # type: ignore[misc]
    room.Sender = Talker  # type: ignore[attr-defined]
    room.cached_content = _content  # type: ignore[attr-defined]
    room.CAMERA_OFF_FOR = float("inf")
    given = room._arguments()
    # A collection of everything takes tens of milliseconds, in which nothing would be sent.
    gc.collect()
    gc.freeze()
    asyncio.run(room.main(given.guests, given.port, given.until_stdin_closes))


if __name__ == "__main__":
    main()
