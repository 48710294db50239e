"""The rig's guests, exact and in real browsers, meet on a real LiveKit."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest
from livekit.protocol import models

from tests.rig import livekit, picture
from tests.rig.guests import Guests, GuestSpec
from tests.rig.livekit import DEPARTURE_TIMEOUT, ROOM, ApiError, LivekitServer
from tests.rig.livekit_client import Refused, Signal
from tests.rig.livekit_subscriber import LivekitSubscriber
from tests.rig.required import require, unless

pytestmark = unless(livekit.why_not())

LAYERS = ((320, 180, 100_000), (640, 360, 300_000), (1280, 720, 900_000))


@pytest.fixture
async def server() -> AsyncIterator[LivekitServer]:
    async with LivekitServer() as started:
        yield started


async def test_its_api_makes_changes_and_closes_rooms(server: LivekitServer) -> None:
    assert await server.rooms() == []
    assert await server.participants("standup") == []
    made = await server.create_room("standup", metadata="first")
    assert (made.name, made.departure_timeout) == ("standup", DEPARTURE_TIMEOUT)
    await server.update_room_metadata("standup", "second")
    [listed] = await server.rooms()
    assert (listed.sid, listed.metadata) == (made.sid, "second")
    with pytest.raises(ApiError, match="not_found"):
        await server.remove_participant("standup", "nobody")
    with pytest.raises(TimeoutError, match="1 publishers expected"):
        await server.until_participants(1, "standup", timeout=0.2)
    await server.delete_room("standup")
    assert await server.rooms() == []


async def test_a_restart_forgets_the_rooms(server: LivekitServer) -> None:
    await server.create_room("standup")
    before = server.pid
    away = time.monotonic()
    await server.restart(away=0.3)
    assert time.monotonic() - away >= 0.3
    assert server.pid != before
    assert await server.rooms() == []


async def test_nothing_of_it_is_left_behind() -> None:
    async with LivekitServer() as server:
        pid, network = server.pid, server.host_address
        assert network in _addresses()
    assert network not in _addresses()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


async def test_two_servers_run_side_by_side() -> None:
    async with LivekitServer() as one, LivekitServer() as other:
        await one.create_room("standup")
        assert await asyncio.gather(one.rooms(), other.rooms()) == [await one.rooms(), []]


def test_what_cannot_be_had_is_left_out_at_home_and_fails_under_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    require(None)
    with pytest.raises(pytest.skip.Exception, match="no root"):
        require("no root")
    assert unless("no root").args == (True,)
    monkeypatch.setenv("CI", "true")
    require(None)
    with pytest.raises(pytest.fail.Exception, match="no root"):
        require("no root")
    assert unless("no root").args == (False,)


async def test_three_exact_guests_are_seen_and_heard_through_livekit(server: LivekitServer) -> None:
    specs = [
        GuestSpec("ana", 0, name="Ána", roles=("host",), attributes={"table": "4"}),
        GuestSpec("ben", 1, codec="h264", clock_offset=3600),
        GuestSpec("cyd", 2, metadata="anything"),
    ]
    async with Guests(server.call(specs)) as guests:
        await guests.everybody("join")
        there = {p.identity: p for p in await server.participants(ROOM)}
        assert (there["ana"].name, dict(there["ana"].attributes)) == ("Ána", {"table": "4"})
        assert json.loads(there["ana"].metadata) == {"roles": ["host"]}
        assert (there["cyd"].name, there["cyd"].metadata) == ("cyd", "anything")
        assert sources(there["ben"]) == {"camera", "microphone"}
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: len(subscriber.frames) == 6 and min(subscriber.frames.values()) > 60)
            seen = {who: subscriber.seen(who) for who in ("ana", "ben", "cyd")}
            assert seen == {"ana": [0], "ben": [1], "cyd": [2]}
        await guests.do("ana", "leave")
        assert {p.identity for p in await server.until_participants(2, ROOM)} == {"ben", "cyd"}
    told = await guests.close()
    assert told["guests"]["ana"]["key_requests"] >= 1
    flashes = guests.marks("ana", "flash")
    assert len(flashes) >= 2
    assert flashes == pytest.approx([round(t) for t in flashes], abs=1e-6)


@pytest.mark.parametrize("what", ["camera", "microphone"])
async def test_tracks_are_muted_stopped_and_unpublished(server: LivekitServer, what: str) -> None:
    async with Guests(server.call([GuestSpec("ana", 0)])) as guests:

        async def switch(on: bool, how: str) -> None:
            if what == "camera":
                await guests.do("ana", "camera", on=on, how=how)
            else:
                await guests.do("ana", "mute", on=not on, how=how)

        async def muted() -> bool:
            [ana] = await server.participants(ROOM, hidden=False)
            [track] = [t for t in ana.tracks if models.TrackSource.Name(t.source).lower() == what]
            return track.muted

        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            for how in ("mute", "stop"):
                await switch(False, how)
                await asyncio.sleep(1)
                assert await muted() is (how == "mute")
                before = subscriber.frames["ana", what]
                await asyncio.sleep(0.6)
                # The server itself fills up a microphone that says it is muted.
                if (what, how) != ("microphone", "mute"):
                    assert subscriber.frames["ana", what] == before
                await switch(True, how)
                await asyncio.sleep(1)
                assert not await muted()
                assert subscriber.frames["ana", what] > before + 10
        await switch(False, "remove")
        [ana] = await server.participants(ROOM, hidden=False)
        assert sources(ana) == {"camera", "microphone"} - {what}
        await switch(True, "remove")
        [ana] = await server.participants(ROOM, hidden=False)
        assert sources(ana) == {"camera", "microphone"}
        async with LivekitSubscriber(server) as subscriber:
            await asyncio.sleep(1)
            assert subscriber.frames["ana", what] > 10


async def test_a_screen_is_shared_with_its_sound(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0, screen=(1280, 720))])) as guests:
        await guests.do("ana", "join")
        await guests.do("ana", "screen", on=True, sound=True)
        [ana] = await server.participants(ROOM)
        assert sources(ana) == {"camera", "microphone", "screen_share", "screen_share_audio"}
        async with LivekitSubscriber(server) as subscriber:
            await asyncio.sleep(2)
            assert subscriber.seen("ana", "screen_share") == [picture.CAMERAS]
            assert subscriber.last["ana", "screen_share"].width == 1280
            assert subscriber.frames["ana", "screen_share_audio"] > 30
        await guests.do("ana", "screen", on=False)
        [ana] = await server.participants(ROOM, hidden=False)
        assert sources(ana) == {"camera", "microphone"}


async def test_a_camera_changes_its_size_in_mid_call(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0, other_sizes=((960, 540),))])) as guests:
        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: subscriber.size("ana") == (640, 360))
            await guests.do("ana", "resize", width=960, height=540)
            await until(lambda: subscriber.size("ana") == (960, 540))
            assert subscriber.seen("ana") == [0]
            with pytest.raises(RuntimeError, match=r"needs it in GuestSpec\.other_sizes"):
                await guests.do("ana", "resize", width=320, height=180)


async def test_layers_of_one_picture_are_chosen_by_who_subscribes(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 3, layers=LAYERS)])) as guests:
        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: subscriber.size("ana") == (1280, 720))
            for wanted, size in (
                ({"quality": models.LOW}, (320, 180)),
                ({"width": 500, "height": 280}, (640, 360)),
                ({"quality": models.HIGH}, (1280, 720)),
            ):
                await subscriber.settings("ana", **wanted)
                await until(lambda size=size: subscriber.size("ana") == size)
                await asyncio.sleep(0.3)
                assert subscriber.seen("ana") == [3]
            await subscriber.settings("ana", disabled=True)
            await asyncio.sleep(0.6)
            before = subscriber.frames["ana", "camera"]
            await asyncio.sleep(0.5)
            assert subscriber.frames["ana", "camera"] == before
        [ana] = await server.participants(ROOM, hidden=False)
        [camera] = [track for track in ana.tracks if track.source == models.CAMERA]
        assert [(layer.rid, layer.width, layer.height) for layer in camera.layers] == [
            ("q", 320, 180),
            ("h", 640, 360),
            ("f", 1280, 720),
        ]


async def test_with_discontinuous_sound_silence_costs_next_to_nothing(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0, dtx=True, video=False)])) as guests:
        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: subscriber.frames["ana", "microphone"] > 10)
            await guests.do("ana", "mute", on=True)
            await asyncio.sleep(0.5)
            before = subscriber.frames["ana", "microphone"]
            await asyncio.sleep(2)
            assert 2 <= subscriber.frames["ana", "microphone"] - before <= 10
            await guests.do("ana", "mute", on=False)
            await until(lambda: subscriber.frames["ana", "microphone"] > before + 40)


async def test_who_speaks_is_told(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec(who, n, video=False) for n, who in enumerate(("ana", "ben"))])) as guests:
        await guests.everybody("join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: len(subscriber.frames) == 2)
            sid = subscriber.participants["ana"].sid
            await guests.do("ana", "speak", on=True)
            await until(lambda: subscriber.speakers[-1:] == [{sid}])
            await guests.do("ana", "speak", on=False)
            await until(lambda: subscriber.speakers[-1] == set())
            assert subscriber.speakers == [{sid}, set()]


async def test_a_network_dies_for_a_while(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0)])) as guests:
        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: len(subscriber.frames) == 2)
            freezing = asyncio.create_task(guests.do("ana", "freeze", seconds=2))
            await asyncio.sleep(0.8)
            before = dict(subscriber.frames)
            await asyncio.sleep(0.6)
            assert subscriber.frames == before
            await freezing
            await until(lambda: subscriber.frames["ana", "microphone"] > before["ana", "microphone"] + 20)
        # aiortc's own receiver does not get over so many lost pictures; whoever comes now sees them again.
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: subscriber.frames["ana", "camera"] > 10)


async def test_guests_come_back_when_livekit_does(server: LivekitServer) -> None:
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1, comes_back=False)]
    async with Guests(server.call(specs)) as guests:
        await guests.everybody("join")
        await server.restart(away=0.5)
        [ana] = await server.until_participants(1, ROOM)
        assert ana.identity == "ana"
        await guests.do("ana", "vanish")
        await asyncio.sleep(0.5)
        # Nobody told the server.
        assert [p.sid for p in await server.participants(ROOM)] == [ana.sid]
        await guests.do("ana", "rejoin")
        [again] = await server.until_participants(1, ROOM)
        assert again.sid != ana.sid
    assert story(guests, "ana") == ["joined", "lost", "joined", "vanished", "joined", "left"]
    assert story(guests, "ben") == ["joined", "left"]


async def test_guests_who_were_sent_away_stay_away(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0), GuestSpec("ben", 1)])) as guests:
        await guests.everybody("join")
        await server.remove_participant(ROOM, "ana")
        await server.until_participants(1, ROOM)
        await server.delete_room(ROOM)
        await until(lambda: story(guests, "ben")[-1] == "sent_away")
        await asyncio.sleep(1)
        assert await server.rooms() == []
    reasons = {e["guest"]: e["reason"] for e in guests.events if e["event"] == "sent_away"}
    assert reasons == {"ana": "PARTICIPANT_REMOVED", "ben": "ROOM_DELETED"}


async def test_a_guest_that_cannot_join_says_why(server: LivekitServer) -> None:
    stranger = replace(server.call([GuestSpec("ana", 0)]), api_secret="not-the-secret-of-this-server-0123456789")
    async with Guests(stranger) as guests:
        with pytest.raises(RuntimeError, match="401"):
            await guests.do("ana", "join")
    expired = Signal(server.url, server.token("ana", ROOM, valid=-90))
    with pytest.raises(Refused, match="401"):
        await expired.open()
    await expired.close()


async def test_what_the_api_changes_of_a_participant_is_told(server: LivekitServer) -> None:
    async with Guests(server.call([GuestSpec("ana", 0, video=False)])) as guests:
        await guests.do("ana", "join")
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: "ana" in subscriber.participants)
            await server.update_participant(ROOM, "ana", display="Ana B.", metadata="{}", attributes={"hand": "up"})
            await until(lambda: subscriber.participants["ana"].name == "Ana B.")
            told = subscriber.participants["ana"]
            assert (told.metadata, dict(told.attributes)) == ("{}", {"hand": "up"})
            [microphone] = told.tracks
            await server.mute_track(ROOM, "ana", microphone.sid)
            await until(lambda: subscriber.participants["ana"].tracks[0].muted)


async def test_the_hidden_are_told_by_the_api_alone(server: LivekitServer) -> None:
    async with (
        Guests(server.call([GuestSpec("ana", 0, video=False)])) as guests,
        LivekitSubscriber(server, "seen", hidden=False) as seen,
    ):
        await guests.do("ana", "join")
        async with LivekitSubscriber(server, "unseen"):
            assert {p.identity for p in await server.participants(ROOM)} == {"ana", "seen", "unseen"}
            assert {p.identity for p in await server.participants(ROOM, hidden=False)} == {"ana", "seen"}
            assert "unseen" not in seen.participants


async def test_twenty_guests_of_720p_are_cheap(server: LivekitServer) -> None:
    specs = [GuestSpec(f"guest-{n}", n % picture.CAMERAS, width=1280, height=720) for n in range(20)]
    async with Guests(server.call(specs)) as guests:
        await guests.everybody("join")
        assert all(len(p.tracks) == 2 for p in await server.until_participants(20, ROOM))
        await asyncio.sleep(5)
    told = await guests.close()
    print(f"20 guests of 720p took {told['cores']} cores")
    sent = [one["video"]["frames"] for one in told["guests"].values()]
    assert min(sent) >= 4 * picture.FPS
    # To encode that many pictures would take ten times as much.
    assert told["cpu"] < 0.6 * told["wall"]


async def until(fulfilled: Callable[[], bool], timeout: float = 10) -> None:
    deadline = time.monotonic() + timeout
    while not fulfilled():
        assert time.monotonic() < deadline, "it did not come to pass"
        await asyncio.sleep(0.05)


def sources(participant: models.ParticipantInfo) -> set[str]:
    return {models.TrackSource.Name(track.source).lower() for track in participant.tracks}


def story(guests: Guests, who: str) -> list[str]:
    return [e["event"] for e in guests.events if e["guest"] == who and e["event"] not in ("flash", "beep", "done")]


def _addresses() -> str:
    return subprocess.check_output(["ip", "addr"], text=True)
