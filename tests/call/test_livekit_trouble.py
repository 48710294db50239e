"""What LiveKit does to its clients now and then, asked for by its own simulations, and our way through it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from livekit.protocol import rtc

from egress.call.livekit.attendance import LivekitAttendance
from egress.call.model import Connected, Disconnected, Ended, Left, TrackAdded, TrackPaused, TrackRemoved, Wants
from tests.call.listener import Listener
from tests.call.livekit_call import AUDIO, VIDEO, attend, guests_in, session_of
from tests.rig.guests import GuestSpec
from tests.rig.livekit import LivekitServer
from tests.rig.trouble import Spell, Trouble, arm

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAYERS = ((320, 180, 150_000), (640, 360, 400_000), (1280, 720, 1_000_000))


async def simulate(call: Listener, **scenario: Any) -> None:
    assert isinstance(call.attendance, LivekitAttendance)
    await call.attendance._send(rtc.SignalRequest(simulate=rtc.SimulateScenario(**scenario)))


@pytest.mark.parametrize(
    "scenario",
    [{"migration": True}, {"node_failure": True}, {"server_leave": True}],
    ids=lambda scenario: next(iter(scenario)),
)
async def test_we_are_back_and_nobody_seems_to_have_left(
    livekit: LivekitServer, room: str, scenario: dict[str, Any]
) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, VIDEO, 10)
            asked = time.monotonic()
            await simulate(call, **scenario)
            await call.until(lambda: len(call.told(Connected)) >= 2, 10)
            await call.receives(a, VIDEO, 10)
            await call.receives(a, AUDIO, 10)
            print(f"{scenario}: received again {time.monotonic() - asked:.2f} s later")
    assert call.error is None
    assert not call.told(Left, TrackRemoved, Ended), "whose tracks go on under the same names"
    assert len(call.told(TrackAdded)) == 2
    assert len(call.told(Disconnected)) == len(call.told(Connected)) - 1


async def test_signalling_that_is_lost_while_it_resumes_is_resumed_all_the_same(
    livekit: LivekitServer, room: str
) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, VIDEO, 10)
            assert isinstance(call.attendance, LivekitAttendance)
            await simulate(call, disconnect_signal_on_resume=True)
            await asyncio.sleep(0.3)
            signal = call.attendance._signal
            assert signal is not None
            signal._socket.transport.abort()
            # The server hangs up once more, before or after it has let us in again.
            await call.until(lambda: len(call.told(Connected)) >= 2, 10)
            await asyncio.sleep(1.5)
            assert isinstance(call.told(Connected, Disconnected)[-1], Connected)
            await call.receives(a, VIDEO, 60)
    assert call.error is None
    assert not call.told(Left, TrackRemoved, Ended)


async def test_a_token_that_expired_meanwhile_was_renewed_by_the_server(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        token = livekit.token("recorder", room, hidden=True, canPublish=False, valid=3.0)
        async with attend(livekit, room, token=token, api_key=None, api_secret=None) as call:
            a = await session_of(call, "ana")
            await asyncio.sleep(4.0)
            assert isinstance(call.attendance, LivekitAttendance)
            signal = call.attendance._signal
            assert signal is not None
            signal._socket.transport.abort()
            await call.until(lambda: len(call.told(Connected)) == 2)
            await call.receives(a, VIDEO, 10)
            # As a whole new join, too.
            await simulate(call, node_failure=True)
            await call.until(lambda: len(call.told(Connected)) == 3)
            await call.receives(a, VIDEO, 10)
    assert call.error is None


async def test_a_track_that_the_server_pauses_is_told_and_comes_back(livekit: LivekitServer, room: str) -> None:
    specs = [GuestSpec("ana", 0, layers=LAYERS, detail=6), GuestSpec("ben", 1, layers=LAYERS, detail=6)]
    async with guests_in(livekit, room, *specs) as guests:
        await guests.everybody("join")
        async with attend(livekit, room) as call:
            a, b = await session_of(call, "ana"), await session_of(call, "ben")
            for guest in (a, b):
                call.attendance.wants(guest, VIDEO, Wants(1280, 720, 30.0))
                await call.receives(guest, VIDEO, 60)
            await simulate(call, subscriber_bandwidth=60_000)
            await call.hears(TrackPaused, paused=True, timeout=15)
            paused = next(e.session_id for e in call.told(TrackPaused) if e.paused)
            await simulate(call, subscriber_bandwidth=0)
            await call.until(lambda: call.told(TrackPaused)[-1].paused is False, 20)
            await call.receives(paused, VIDEO, 30, 10)


async def test_after_loss_and_jitter_the_received_bit_rate_is_as_high_as_before(
    livekit: LivekitServer, room: str
) -> None:
    specs = [GuestSpec(name, number, layers=LAYERS, detail=6) for number, name in enumerate(("ana", "ben", "cem"))]
    async with guests_in(livekit, room, *specs) as guests:
        await guests.everybody("join")
        trouble = Trouble([])
        disarm = arm(trouble)
        try:
            async with attend(livekit, room) as call:
                for name in ("ana", "ben", "cem"):
                    guest = await session_of(call, name)
                    call.attendance.wants(guest, VIDEO, Wants(1280, 720, 30.0))
                    await call.receives(guest, VIDEO, 30)
                await asyncio.sleep(4.0)

                async def rate(seconds: float) -> float:
                    """Bits of video a second."""
                    before = sum(len(f.data) for key, frames in call.frames.items() if key[1] is VIDEO for f in frames)
                    await asyncio.sleep(seconds)
                    after = sum(len(f.data) for key, frames in call.frames.items() if key[1] is VIDEO for f in frames)
                    return (after - before) * 8 / seconds

                high = await rate(3.0)
                trouble.spells = [Spell(loss=0.05, jitter=0.05)]
                low = await rate(10.0)
                trouble.spells = []
                rates = []
                for _ in range(5):
                    rates.append(await rate(2.0))
                    if rates[-1] >= 0.9 * high:
                        break
                print(f"{high / 1e6:.2f} Mbit/s, {low / 1e6:.2f} in trouble, then {[f'{r / 1e6:.2f}' for r in rates]}")
                assert rates[-1] >= 0.9 * high
                assert not call.told(Disconnected)
        finally:
            disarm()


async def test_a_network_of_ours_that_was_dead_for_long_is_used_again_soon_after(
    livekit: LivekitServer, room: str
) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        trouble = Trouble([])
        disarm = arm(trouble)
        try:
            async with attend(livekit, room) as call:
                a = await session_of(call, "ana")
                await call.receives(a, VIDEO, 30)
                trouble.spells = [Spell(dead=True)]
                await asyncio.sleep(22.0)
                trouble.spells = []
                began = time.monotonic()
                await call.receives(a, VIDEO, 10, 10)
                print(f"received again {time.monotonic() - began:.2f} s later")
        finally:
            disarm()
    assert call.error is None
    assert not call.told(Left, Ended)
