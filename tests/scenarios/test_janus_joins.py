"""Two hundred joins in a row, with a second offer at a bad moment of each: media every time."""

from __future__ import annotations

import asyncio
import random
import time

import pytest

from egress.call.janus.client import Event, Session
from egress.rtc.ice_settings import IceSettings
from egress.rtc.peer import PeerReceiver
from egress.rtc.receiver import PeerTrack
from tests.rig.guests import Call, Guests, GuestSpec
from tests.rig.janus import JanusServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

JOINS = 200
AT_ONCE = 4
PATIENCE = 5.0


async def test_two_hundred_joins_with_offers_at_bad_moments_all_bring_media(janus: JanusServer) -> None:
    assert janus.ws_url is not None
    room = await janus.create_room()
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1)]
    call = Call(url=janus.ws_url, room=room, host_address=janus.host_address, guests=specs)
    ice = IceSettings(networks=[janus.host_network])
    took: list[float] = []
    async with Guests(call) as guests:
        await guests.everybody("join")
        feeds = [publisher["id"] for publisher in await janus.until_participants(2, room)]
        session = Session(janus.ws_url)
        await session.open()
        joins = iter(range(JOINS))

        async def one_after_the_other() -> None:
            for number in joins:
                took.append(await _join(session, room, feeds, ice, number))

        await asyncio.gather(*(one_after_the_other() for _ in range(AT_ONCE)))
        await session.close()
    took.sort()
    print(f"first media of all four tracks: median {took[100] * 1000:.0f} ms, last {took[-1] * 1000:.0f} ms")
    assert len(took) == JOINS
    assert took[-1] < PATIENCE


async def _join(session: Session, room: int, feeds: list[int], ice: IceSettings, number: int) -> float:
    """Subscribe to one guest, and to the other a moment later; returns the seconds until all four tracks bring."""
    began = time.monotonic()
    seen: dict[str, asyncio.Event] = {}
    complete = asyncio.Event()

    def on_track(mid: str, track: PeerTrack) -> None:
        seen[mid] = asyncio.Event()
        track.listen(lambda _frame: seen[mid].set())
        if len(seen) == 4:
            complete.set()

    handle = await session.attach()
    peer = PeerReceiver(ice, sender_clock=False, on_track=on_track)

    async def negotiate(event: Event) -> None:
        assert event.offer is not None
        answer = await peer.answer(event.offer)
        await handle.request({"request": "start"}, answer)

    late: asyncio.Queue[Event] = asyncio.Queue()
    handle.on_event = lambda event: late.put_nowait(event) if event.offer else None
    try:
        first, second = feeds if number % 2 else reversed(feeds)
        join = {"request": "join", "ptype": "subscriber", "room": room, "streams": [{"feed": first}]}
        await negotiate(await handle.request(join))
        # The bad moment: anything between "the answer has just left" and "the connection stands".
        await asyncio.sleep(random.Random(number).uniform(0, 0.06))
        updated = await handle.request({"request": "subscribe", "streams": [{"feed": second}]})
        # Janus may keep the second offer back until the first is through; then it comes as an event.
        await negotiate(updated if updated.offer else await asyncio.wait_for(late.get(), PATIENCE))
        async with asyncio.timeout(PATIENCE):
            await complete.wait()
            await asyncio.gather(*(event.wait() for event in seen.values()))
    except TimeoutError:
        raise AssertionError(
            f"join {number}: no media on {[mid for mid, event in seen.items() if not event.is_set()] or 'a track'}"
        ) from None
    finally:
        await peer.close()
        await handle.detach()
    return time.monotonic() - began
