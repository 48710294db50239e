"""Receives a room and drops every frame: ``python -m bench.receive --url … --room … --network … --seconds …``.

What the receive path alone costs. Prints one JSON object: packets, seconds, processor seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from egress.call.connector import Attending, connector
from egress.call.model import TrackAdded, Wants
from egress.rtc.ice_settings import IceSettings
from egress.rtc.receiver import PeerTrack
from egress.rtc.track import EncodedFrame


def _drop(frame: EncodedFrame) -> None:
    """The listener that wants nothing."""


async def _receive(url: str, room: int, network: str, tracks: int, seconds: float) -> dict[str, float]:
    janus = connector("janus")
    address = janus.Address.model_validate({"type": "janus", "url": url, "room": room})
    attendance = janus.attend(address, Attending("bench:receive", IceSettings(networks=[network])))
    found: list[PeerTrack] = []
    complete = asyncio.Event()

    async def follow() -> None:
        async for event in attendance.events():
            if isinstance(event, TrackAdded):
                assert isinstance(event.media, PeerTrack)
                event.media.listen(_drop)
                if not event.type.is_audio:
                    attendance.wants(event.session_id, event.type, Wants(1280, 720, 30))
                found.append(event.media)
                if len(found) == tracks:
                    complete.set()

    def packets() -> int:
        return sum(track.buffer.counts.received for track in found)

    following = asyncio.create_task(follow())
    await asyncio.wait_for(complete.wait(), 20)
    await asyncio.sleep(3)
    began, used, before = time.monotonic(), time.process_time(), packets()
    await asyncio.sleep(seconds)
    result = {
        "seconds": time.monotonic() - began,
        "cpu_seconds": time.process_time() - used,
        "packets": packets() - before,
    }
    await attendance.close()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)
    return result


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--room", type=int, required=True)
    parser.add_argument("--network", required=True)
    parser.add_argument("--tracks", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(_receive(given.url, given.room, given.network, given.tracks, given.seconds))))


if __name__ == "__main__":
    main()
