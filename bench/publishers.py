"""Four guests who publish clips to a Janus room: ``python -m bench.publishers CLIPS… --url … --room … --address …``.

A process of its own, so that its work counts as nobody else's. Prints ``ready`` when everybody publishes, and goes
when its standard input is closed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import aioice.ice

from bench.clips import Clip, load
from tests.rig.clocks import DeviceClock, epoch_offset
from tests.rig.exact import ExactTrack, Punctuality
from tests.rig.janus_client import Session
from tests.rig.janus_guest import Publication


class ClipCamera(ExactTrack):
    """Sends a clip's pictures round and round, from a key frame on; who asks for another waits for the next."""

    kind = "video"
    rate = 90_000
    per_second = 30

    def __init__(self, clip: Clip, *rest: Any) -> None:
        super().__init__(*rest)
        self._clip = clip
        self._at = 0

    def _begin(self, index: int) -> None:
        self._next = -(-index // self._clip.key_every) * self._clip.key_every
        self._at = self._next

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        picture = self._clip.pictures[self._at % len(self._clip.pictures)]
        self._at += 1
        return picture, None


class ClipMicrophone(ExactTrack):
    kind = "audio"
    rate = 48_000
    per_second = 50

    def __init__(self, clip: Clip, *rest: Any) -> None:
        super().__init__(*rest)
        self._clip = clip
        self._at = 0

    def _begin(self, index: int) -> None:
        self._at = index

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        at = self._at % len(self._clip.sound)
        self._at += 1
        return self._clip.sound[at], self._clip.levels[at]


async def _publish(clips: list[Path], url: str, room: int) -> None:
    loop = asyncio.get_running_loop()
    epoch = epoch_offset()
    punctuality = Punctuality()
    for number, path in enumerate(clips):
        session = Session(url)
        await session.open()
        clock = DeviceClock(started=math.floor(time.time()) - 10)
        rest = (clock, epoch, punctuality, lambda mark, details: None)
        clip = load(path, number)
        display = json.dumps({"user_id": f"guest-{number}", "name": f"Guest {number + 1}"})
        publication = Publication(await session.attach(), room, display, "vp8")
        await publication.publish([ClipMicrophone(clip, *rest), ClipCamera(clip, *rest)])
    # A collection of everything takes tens of milliseconds, in which nothing would be sent.
    gc.collect()
    gc.freeze()
    gc.disable()
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(punctuality.summary()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--url", required=True)
    parser.add_argument("--room", type=int, required=True)
    parser.add_argument("--address", required=True)
    given = parser.parse_args()
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [given.address]
    asyncio.run(_publish(given.clips, given.url, given.room))


if __name__ == "__main__":
    main()
