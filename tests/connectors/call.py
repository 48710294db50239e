"""One call in which seven guests act at the same time, attended from its beginning to after a crash of its server.

Everything is kept; :mod:`tests.connectors.test_call` asserts. Nothing here does, so that what goes wrong in one part
is told by the test of that part.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import dataclass, field

from egress.call.connector import Abilities, connector
from egress.call.model import QualityChanged, TrackType, Wants
from tests.connectors.attended import LARGEST, Attended, Received
from tests.connectors.site import Room, Site
from tests.rig.guests import GuestSpec

ANA, BEN, CEM, DIA, EVA, FAY, GUS = EVERYBODY = tuple(f"guest-{number}" for number in range(1, 8))
"""Ana does nothing at all: what others do must not be noticed in what comes of her."""
IDENTITY = {guest: number for number, guest in enumerate(EVERYBODY)}

AUDIO, VIDEO = TrackType.AUDIO, TrackType.VIDEO
SMALL, LARGE = (320, 180), (480, 270)
SCREEN = (640, 360)
LAYERS = ((320, 180, 150_000), (640, 360, 300_000), (1280, 720, 900_000))
TILES = ((320, 180), (1280, 720), (640, 360), (320, 180))
"""How large Fay is shown, one after the other."""
AWAY = 1.5
"""Seconds for which the server is gone."""
BACK = 10.0
"""Seconds in which everybody is received again once it is there."""
ATTEMPTS = 3
LATE_LIMIT = 0.15
"""Seconds by which guests may send late (99th percentile) before a call is made anew: the machine was too busy."""


def specs(site: Site, *only: str) -> list[GuestSpec]:
    """The guests, or some of them; who can send layers does so where they can be chosen."""
    abilities = connector(site.type).abilities

    def guest(who: str, name: str, **more: object) -> GuestSpec:
        small = {"width": SMALL[0], "height": SMALL[1], "bitrate": 300_000}
        return GuestSpec(who, IDENTITY[who], name, **{**small, **more})

    everybody = [
        guest(ANA, "Ana", roles=("host",)),
        guest(BEN, "Ben"),
        guest(CEM, "Cem", codec="h264", screen=SCREEN if abilities.screen_share else None),
        guest(DIA, "Dia", other_sizes=(LARGE,)),
        guest(EVA, "Eva"),
        guest(FAY, "Fay", layers=LAYERS if abilities.layers else ()),
        guest(GUS, "Gus"),
    ]
    return [spec for spec in everybody if spec.user_id in (only or EVERYBODY)]


@dataclass(slots=True)
class Call:
    """What came of it. Times are those of ``time.monotonic()``."""

    attended: Attended
    asked: dict[str, float] = field(default_factory=dict)
    """When each step of the script began."""
    done: dict[str, float] = field(default_factory=dict)
    """When the server had taken it."""
    last_packets: dict[str, list[float | None]] = field(default_factory=dict)
    """When Gus's newest packet had come, seen twice in each step in which he should not be received."""
    began: float = 0.0
    """When it was attended; those who were there had come some time before."""
    first: dict[str, float] = field(default_factory=dict)
    """Seconds until who was there from the beginning was received."""
    crashed: float = 0.0
    server_back: float = 0.0
    back: dict[str, float] = field(default_factory=dict)
    """Seconds after the server's return at which each guest was received again."""

    @property
    def abilities(self) -> Abilities:
        return self.attended.abilities

    async def step(self, name: str, action: Awaitable[None]) -> None:
        self.asked[name] = time.monotonic()
        await action
        self.done[name] = time.monotonic()

    def track(self, guest: str, type_: TrackType = VIDEO, number: int = 0) -> Received:
        """A guest's first track of that type, or a later one."""
        return self.attended.tracks(guest, type_)[number]


async def make(site: Site) -> Call:
    """The call, made anew when the guests were not punctual."""
    for _ in range(ATTEMPTS):
        call, void = await _make(site)
        if void is None:
            return call
        print(f"a call on {site.type} proves nothing: {void}")
    raise AssertionError(f"the machine is too busy: {void}")


async def _make(site: Site) -> tuple[Call, str | None]:
    async with site.room(specs(site)) as room:
        await asyncio.gather(*(room.join(guest) for guest in EVERYBODY if guest != EVA))
        call = Call(Attended(site, room.address, _at_first))
        call.began = time.monotonic()
        async with call.attended:
            call.first = await call.attended.flows((ANA, BEN, CEM, DIA, FAY), call.began)
            await asyncio.gather(
                _ben(call, room), _cem(call, room), _dia(call, room), _eva(call, room), _fay(call), _gus(call)
            )
            if call.abilities.connection_quality:
                await call.attended.until(lambda: call.attended.events(QualityChanged))
            # Nobody wants to see Gus when the server crashes, nor when it is back.
            call.attended.show(call.track(GUS), None)
            call.crashed = time.monotonic()
            await room.restart(AWAY)
            call.server_back = time.monotonic()
            call.back = await call.attended.flows([who for who in EVERYBODY if who != GUS], call.server_back, BACK)
            if await call.attended.until(lambda: call.track(GUS, number=-1).added > call.crashed):
                await _gus_again(call)
    return call, room.void(LATE_LIMIT)


def _at_first(user: str, type_: TrackType) -> Wants | None:
    """Nobody wants to see Gus."""
    return None if user == GUS and type_ is VIDEO else LARGEST


async def _ben(call: Call, room: Room) -> None:
    """Mutes his voice, then his camera, then takes the camera back altogether."""
    await asyncio.sleep(1.5)
    await call.step("ben muted", room.mute(BEN, "voice", True))
    await asyncio.sleep(2.5)
    await call.step("ben unmuted", room.mute(BEN, "voice", False))
    await asyncio.sleep(0.5)
    await call.step("ben's camera off", room.mute(BEN, "camera", True))
    await asyncio.sleep(1.5)
    await call.step("ben's camera on", room.mute(BEN, "camera", False))
    await asyncio.sleep(2.0)
    if call.abilities.renegotiated_tracks:
        await call.step("ben's camera removed", room.publish(BEN, False))
        await asyncio.sleep(1.5)
        await call.step("ben's camera published", room.publish(BEN, True))
        await asyncio.sleep(2.5)


async def _cem(call: Call, room: Room) -> None:
    """Shares his screen and is called otherwise; something is said of the room."""
    await asyncio.sleep(1.0)
    if call.abilities.screen_share:
        await call.step("cem shares", room.screen(CEM, True))
        await asyncio.sleep(4.0)
        await call.step("cem shared", room.screen(CEM, False))
        await asyncio.sleep(1.5)
    if call.abilities.names_change:
        await call.step("cem renamed", room.rename(CEM, "Cem B."))
    if call.abilities.room_metadata:
        await call.step("room described", room.describe("about the weather"))
    await asyncio.sleep(1.0)


async def _dia(call: Call, room: Room) -> None:
    """Has another camera, and the first one again; goes, and comes again as the same user."""
    await asyncio.sleep(1.0)
    await call.step("dia's large camera", room.resize(DIA, *LARGE))
    await asyncio.sleep(2.0)
    await call.step("dia's small camera", room.resize(DIA, *SMALL))
    await asyncio.sleep(2.0)
    await call.step("dia left", room.leave(DIA))
    await asyncio.sleep(1.0)
    await call.step("dia came again", room.join(DIA))
    await asyncio.sleep(3.0)


async def _eva(call: Call, room: Room) -> None:
    """Comes late, and later her network dies for a while."""
    await asyncio.sleep(1.0)
    await call.step("eva came", room.join(EVA))
    await asyncio.sleep(3.0)
    await call.step("eva frozen", room.freeze(EVA, 3.0))
    await asyncio.sleep(4.0)


async def _fay(call: Call) -> None:
    """Is shown in tiles of several sizes."""
    await asyncio.sleep(1.0)
    if call.abilities.layers:
        for number, (width, height) in enumerate(TILES):
            call.asked[f"fay's tile {number}"] = time.monotonic()
            call.attended.attendance.wants(call.track(FAY).session_id, VIDEO, Wants(width, height, 30))
            await asyncio.sleep(2.5)
        call.asked["fay's tile is gone"] = time.monotonic()


async def _gus(call: Call) -> None:
    """Has published since before he was shown; is shown, hidden, shown again; then nobody wants what is listened to."""
    gus = call.track(GUS)
    call.asked["gus unshown"] = time.monotonic()
    await _unreceived(call, "gus unshown", gus, 1.0)
    for name, wish in (("gus shown", LARGEST), ("gus hidden", None), ("gus shown again", LARGEST)):
        call.asked[name] = time.monotonic()
        call.attended.show(gus, wish)
        await (_unreceived(call, name, gus, 1.0) if wish is None else asyncio.sleep(1.5))
    for name, wish in (("gus unwanted", None), ("gus wanted again", LARGEST)):
        call.asked[name] = time.monotonic()
        call.attended.attendance.wants(gus.session_id, VIDEO, wish)
        await (_unreceived(call, name, gus, 1.0) if wish is None else asyncio.sleep(1.5))
    call.asked["gus over"] = time.monotonic()


async def _gus_again(call: Call) -> None:
    """Is not shown in what came of him after the crash either, and then is."""
    gus = call.track(GUS, number=-1)
    await _unreceived(call, "gus unshown again", gus, 0.5)
    call.asked["gus shown at last"] = time.monotonic()
    call.attended.show(gus, LARGEST)
    call.back |= await call.attended.flows([GUS], call.asked["gus shown at last"], BACK)


async def _unreceived(call: Call, name: str, track: Received, seconds: float) -> None:
    """Note the newest packet's time, when what was under way has come, and again so many seconds later."""
    await asyncio.sleep(1.0)
    before = track.media.last_packet
    await asyncio.sleep(seconds)
    call.last_packets[name] = [before, track.media.last_packet]
