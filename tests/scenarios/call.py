"""A recorded call as a scenario: guests act by a script while the product records, and what came of it is judged."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.guests import LATE_LIMIT, Call, Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.judge import Judged, judge
from tests.rig.livekit import LivekitServer
from tests.rig.product import Product, moment

ATTEMPTS = 3
"""How often a call is made anew when the machine was too busy for the guests to be punctual."""


@dataclass(slots=True)
class Recorded:
    """A finished recording with everything that is known about it. Times are seconds of the recording."""

    product: Product
    events: list[dict[str, Any]]
    parts: list[Path]
    judged: Judged
    marks: dict[str, float] = field(default_factory=dict)
    """When each step of the script was done."""
    message_to_picture: float = 0.0
    """From when the start message was taken to the first picture's time."""
    stop_to_ready: float = 0.0
    """From when the stop message was carried out to the last file's being ready."""
    manifest: dict[str, Any] = field(default_factory=dict)
    """What lies beside the files."""

    def reception(self, user_id: str, track: str) -> dict[str, Any]:
        """What the manifest tells of a participant's track, at the last attendant."""
        told = [who for who in self.manifest["attendants"][-1]["participants"] if who["user_id"] == user_id]
        (found,) = [one for who in told for one in who["tracks"] if one["type"] == track]
        return dict(found)


class Script:
    """What a scenario may do while it is recorded."""

    def __init__(self, product: Product, guests: Guests, start: float) -> None:
        self.product = product
        self.guests = guests
        self.start = start
        self.marks: dict[str, float] = {}

    @property
    def now(self) -> float:
        return time.time() - self.start

    async def at(self, second: float) -> None:
        """Wait until that second of the recording."""
        await asyncio.sleep(max(0.0, second - self.now))

    async def do(self, name: str, guest: str, action: str, **options: Any) -> None:
        """Let a guest act; ``name`` is under which the moments before and after are kept."""
        self.marks[f"{name} asked"] = self.now
        await self.guests.do(guest, action, **options)
        self.marks[name] = self.now


async def record(
    folder: Path,
    specs: list[GuestSpec],
    script: Callable[[Script], Awaitable[None]],
    *,
    absent: frozenset[str] = frozenset(),
    recording: dict[str, Any] | None = None,
    room: int | str | None = None,
    connector: dict[str, Any] | None = None,
    settings: dict[str, str] | None = None,
    late: float = LATE_LIMIT,
    sfu: JanusServer | LivekitServer,
) -> Recorded:
    """Record a call on an SFU from a message on the queue; tried again if the guests were not punctual.

    ``room`` is one of the SFU's own for tests if it is not given; ``connector`` is said of it besides where it is.
    ``late`` is how late guests may send, in seconds: as much as what is asserted of their media can bear.
    """
    address = sfu.connector(room) | (connector or {})
    for attempt in range(1, ATTEMPTS + 1):
        done, void = await _record_once(
            folder / f"take{attempt}",
            sfu.call(specs, room),
            script,
            absent,
            recording or {},
            address,
            settings or {},
            sfu.host_network,
            late,
        )
        if void is None:
            return done
        print(f"take {attempt} proves nothing: {void}")
    raise AssertionError(f"the machine is too busy: {void}")


async def _record_once(
    folder: Path,
    call: Call,
    script: Callable[[Script], Awaitable[None]],
    absent: frozenset[str],
    recording: dict[str, Any],
    address: dict[str, Any],
    settings: dict[str, str],
    network: str,
    late: float,
) -> tuple[Recorded, str | None]:
    async with Product(folder, [network], **settings) as product, Guests(call) as guests:
        await asyncio.gather(*(guests.do(s.user_id, "join") for s in call.guests if s.user_id not in absent))
        await asyncio.sleep(1.0)
        code, said = await product.send(
            {"type": "start_recording", "call_cid": "default:call", "connector": address, "recording": recording}
        )
        assert code == 0, said
        started = await product.event("call.recording_started")
        acting = Script(product, guests, moment(started["created_at"]))
        await script(acting)
        code, said = await product.send({"type": "stop_recording", "call_cid": "default:call"})
        assert code == 0, said
        stopped = moment((await product.event("call.recording_stopped"))["created_at"])
        ready_at = await _all_ready(product)
        (egress,) = await product.egresses()
        manifest = await manifest_beside(product.files()[0])
        await guests.close()
        void = guests.void(late)
    ready = product.events("call.recording_ready")
    start = moment(ready[0]["call_recording"]["start_time"])
    shift = acting.start - start
    parts = product.files()
    done = Recorded(
        product,
        product.events(),
        parts,
        judge(*parts),
        {name: at + shift for name, at in acting.marks.items()},
        start - moment(egress["created_at"]),
        ready_at - stopped,
        manifest,
    )
    print(done.judged.summary())
    return done, void


async def manifest_beside(first: Path) -> dict[str, Any]:
    """The manifest beside a recording's first file, once it is there."""
    path = first.with_suffix(".manifest.json")
    async with asyncio.timeout(10):
        while not path.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


async def _all_ready(product: Product) -> float:
    """Wait until every part that was stopped is ready; returns when the last one was told."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        stopped = product.events("call.recording_stopped")[-1]
        ready = product.events("call.recording_ready")
        if ready and moment(ready[-1]["call_recording"]["end_time"]) > moment(stopped["created_at"]) - 1.0:
            return moment(ready[-1]["created_at"])
        await asyncio.sleep(0.02)
    raise AssertionError(f"the last part was not ready: {product.events()}\n{product.log}")
