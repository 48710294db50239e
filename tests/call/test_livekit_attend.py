"""The connector against a real LiveKit, with exact guests."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
from livekit.protocol import models, rtc

from egress.call.connector import Attending
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.attendance import LivekitAttendance
from egress.call.livekit.track import LivekitTrack
from egress.call.model import (
    Connected,
    Disconnected,
    Ended,
    Left,
    TrackAdded,
    TrackMuted,
    TrackRemoved,
    TrackType,
)
from egress.rtc.ice_settings import IceSettings
from tests.call.livekit_call import AUDIO, VIDEO, attend, guests_in, session_of
from tests.rig.guests import GuestSpec
from tests.rig.livekit import LivekitServer
from tests.rtc.publisher import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def until_room(
    livekit: LivekitServer, name: str, true: Callable[[models.Room | None], bool], timeout: float = 5.0
) -> None:
    """Wait until it is true of the room, or of None when there is none."""
    async with asyncio.timeout(timeout):
        while not true(next((found for found in await livekit.rooms() if found.name == name), None)):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_the_first_picture_is_there_soon_after_the_join(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0), GuestSpec("ben", 1)) as guests:
        await guests.everybody("join")
        took = []
        for _ in range(5):
            async with attend(livekit, room) as call:
                await call.hears(Connected)
                joined = call.began + call.times[0]
                for name in ("ana", "ben"):
                    await call.receives(await session_of(call, name), VIDEO)
                took.append(max(frames[0].arrival for key, frames in call.frames.items() if key[1] is VIDEO) - joined)
    print(f"first pictures of both after {[f'{seconds:.2f}' for seconds in sorted(took)]} s")
    assert sorted(took)[1] <= 0.6, "whatever else the machine does now and then"


async def test_what_nobody_listens_to_is_not_received(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        attending = Attending("default:test", IceSettings(networks=[livekit.host_network]))
        key = {"api_key": livekit.api_key, "api_secret": livekit.api_secret}
        attendance = LivekitAttendance(LivekitAddress(url=livekit.url, room=room, **key), attending)
        tracks: dict[TrackType, LivekitTrack] = {}

        async def listen() -> None:
            async for event in attendance.events():
                if isinstance(event, TrackAdded):
                    assert isinstance(event.media, LivekitTrack)
                    tracks[event.type] = event.media

        listening = asyncio.create_task(listen())
        await asyncio.sleep(1.5)
        assert set(tracks) == {AUDIO, VIDEO}
        assert all(track.source is None for track in tracks.values()), "nothing is subscribed to that nobody wants"
        frames: list[Any] = []
        end = tracks[VIDEO].listen(frames.append)
        await until(lambda: len(frames) >= 10)
        assert frames[0].keyframe
        assert tracks[AUDIO].source is None
        end()
        await asyncio.sleep(1.0)
        last = tracks[VIDEO].last_packet
        await asyncio.sleep(1.0)
        assert tracks[VIDEO].last_packet == last, "what nobody wants any more is not sent any more"
        # When somebody wants it again, it is there at once: it was only disabled.
        seen = len(frames)
        tracks[VIDEO].listen(frames.append)
        await until(lambda: len(frames) >= seen + 10, 2.0)
        assert frames[seen].keyframe
        await attendance.close()
        await listening


async def test_signalling_that_is_lost_is_resumed_and_no_frame_is(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, VIDEO, 30)
            assert isinstance(call.attendance, LivekitAttendance)
            signal = call.attendance._signal
            assert signal is not None
            signal._socket.transport.abort()
            await call.until(lambda: len(call.told(Connected)) == 2)
            await call.receives(a, VIDEO, 60)
            await call.receives(a, AUDIO, 60)
            times = {type_: [frame.rtp_time for frame in call.frames[a, type_]] for type_ in (VIDEO, AUDIO)}
            # What changes afterwards is told as before.
            await guests.do("ana", "mute", on=True, how="mute")
            await call.hears(TrackMuted, session_id=a, type=AUDIO, muted=True)
            assert len(call.told(TrackAdded)) == 2
            assert not call.told(Left, TrackRemoved)
            for type_, step in ((VIDEO, 3000), (AUDIO, 960)):
                assert {after - before for before, after in itertools.pairwise(times[type_])} == {step}


async def test_an_administrator_who_puts_us_out_ends_it(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            await call.hears(Connected)
            (we,) = [p for p in await livekit.participants(room) if p.permission.hidden]
            assert we.identity.startswith("wallflower-")
            assert we.permission.recorder
            assert not (we.permission.can_publish or we.permission.can_publish_data)
            await livekit.remove_participant(room, we.identity)
            ended = await call.hears(Ended)
    assert (ended.code, ended.reason) == ("removed", "removed by an administrator")


@pytest.mark.parametrize("token", [None, "the old token"])
async def test_whoever_is_moved_to_another_room_joins_that_one_again(token: str | None) -> None:
    opens = {"api_key": "key", "api_secret": "secret"} if token is None else {"token": token}
    address = LivekitAddress(url="ws://127.0.0.1:1", room="here", **opens)
    attendance = LivekitAttendance(address, Attending("default:test", IceSettings()))
    attendance._moved(rtc.RoomMovedResponse(room=models.Room(name="there"), token="the new token"))
    assert attendance._address.room == "there"
    if token is not None:
        assert attendance._address.token is not None
        assert attendance._address.token.get_secret_value() == "the new token"
    await attendance.close()


async def test_a_room_that_is_deleted_is_over(livekit: LivekitServer, room: str) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0, comes_back=False)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            await session_of(call, "ana")
            await livekit.delete_room(room)
            ended = await call.hears(Ended)
    assert (ended.code, ended.reason) == ("", "the room was deleted")


async def test_a_room_that_closed_when_empty_is_not_held_open_and_joined_again_with_the_next_guest(
    livekit: LivekitServer, room: str
) -> None:
    async with guests_in(livekit, room, GuestSpec("ana", 0)) as guests:
        await guests.do("ana", "join")
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, VIDEO, 10)
            await guests.do("ana", "leave")
            await call.hears(Left, session_id=a)
            await until_room(livekit, room, lambda found: found is None, 20)
            await asyncio.sleep(1.5)
            assert room not in {found.name for found in await livekit.rooms()}, "we do not make it again"
            await guests.do("ana", "join")
            again = await session_of(call, "ana", 2)
            await call.receives(again, VIDEO, 10)
    assert not call.told(Disconnected, Ended), "everybody had gone, which is known"


async def test_without_a_recording_the_sign_of_recording_stays_dark(livekit: LivekitServer, room: str) -> None:
    async with attend(livekit, room, recording=False) as call:
        await call.hears(Connected)
        (we,) = [p for p in await livekit.participants(room) if p.permission.hidden]
        assert not we.permission.recorder
        (found,) = [one for one in await livekit.rooms() if one.name == room]
        assert not found.active_recording
    async with attend(livekit, room) as call:
        await call.hears(Connected)
        await until_room(livekit, room, lambda found: found is not None and found.active_recording)
    # Who leaves is gone at once, and so is the sign.
    await until_room(livekit, room, lambda found: found is None or not found.active_recording, 2.0)
    assert not await livekit.participants(room)
