"""The rig's guests, exact and in real browsers, meet on a real Janus."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator

import pytest

from tests.rig import chromium, janus, janus_client, picture
from tests.rig.chromium import Chromium
from tests.rig.guests import Call, Guests, GuestSpec
from tests.rig.janus import NOTIFY, PLAIN, PVTID, RED, JanusServer
from tests.rig.janus_client import Refused, Session
from tests.rig.namespace import ip
from tests.rig.required import unless
from tests.rig.subscriber import Subscriber

pytestmark = unless(janus.why_not())
needs_chromium = unless(chromium.why_not())


@pytest.fixture
async def server() -> AsyncIterator[JanusServer]:
    async with JanusServer() as started:
        yield started


def call(server: JanusServer, *guests: GuestSpec, room: int = PLAIN) -> Call:
    assert server.ws_url is not None
    return Call(server.ws_url, room, server.host_address, list(guests))


async def subscribed(server: JanusServer, count: int) -> Subscriber:
    assert server.ws_url is not None
    feeds = [p["id"] for p in await server.until_participants(count)]
    subscriber = Subscriber(server.ws_url, PLAIN, feeds, server.host_network)
    await subscriber.start()
    return subscriber


async def test_three_exact_guests_are_seen_and_heard_through_janus(server: JanusServer) -> None:
    specs = [
        GuestSpec("ana", 0, roles=("host",)),
        GuestSpec("ben", 1, codec="h264", clock_offset=3600, screen=(640, 360)),
        GuestSpec("cyd", 2, drift_ppm=100, plain_display=True),
    ]
    async with Guests(call(server, *specs)) as guests:
        await guests.everybody("join")
        subscriber = await subscribed(server, 3)
        await asyncio.sleep(3)
        displays = {p["display"] for p in await server.participants()}
        assert "cyd" in displays
        assert {"user_id": "ana", "name": "ana", "roles": ["host"]} in [
            json.loads(d) for d in displays if d.startswith("{")
        ]
        assert len(subscriber.frames) == 6
        for (_, kind), count in subscriber.frames.items():
            assert count > (60 if kind == "video" else 100)
        seen = {who for key, frame in subscriber.last.items() if key[1] == "video" for who in subscriber.read(frame)}
        assert seen == {0, 1, 2}
        await subscriber.close()
        await guests.do("ben", "screen", on=True)
        await server.until_participants(4)
        await guests.do("ben", "screen", on=False)
        await guests.do("ana", "leave")
        await server.until_participants(2)
    assert guests.void() is None
    told = await guests.close()
    assert told["guests"]["ana"]["key_requests"] >= 1
    flashes = guests.marks("ana", "flash")
    assert len(flashes) >= 2
    assert flashes == pytest.approx([round(t) for t in flashes], abs=1e-6)
    assert [e["event"] for e in guests.events if e["guest"] == "ana"][-1] != "lost"


async def test_a_guest_sends_layers_and_is_renamed(server: JanusServer) -> None:
    layers = ((320, 180, 100_000), (640, 360, 300_000), (1280, 720, 900_000))
    async with Guests(call(server, GuestSpec("ana", 0, layers=layers))) as guests:
        await guests.do("ana", "join")
        [publishing] = await server.publishers()
        assert [stream.get("simulcast", False) for stream in publishing["streams"]] == [False, True]
        await asyncio.sleep(1.0)
        await guests.do("ana", "camera", on=False, how="stop")
        await guests.do("ana", "camera", on=True, how="stop")
        await guests.do("ana", "rename", name="Ana B.")
        [listed] = await server.participants()
        assert json.loads(listed["display"])["name"] == "Ana B."
    # Thirty pictures of each layer.
    assert (await guests.close())["guests"]["ana"]["video"]["frames"] > 2 * picture.FPS


async def test_cameras_screens_and_networks_go_off_and_on(server: JanusServer) -> None:
    async with Guests(call(server, GuestSpec("ana", 0, screen=(640, 360)))) as guests:
        await guests.do("ana", "join")
        subscriber = await subscribed(server, 1)
        [feed] = {key[0] for key in subscriber.frames} or {str((await server.participants())[0]["id"])}
        await asyncio.sleep(1)
        for action, off, how in (("camera", False, "remove"), ("camera", False, "stop"), ("mute", True, "stop")):
            kind = "video" if action == "camera" else "audio"
            await guests.do("ana", action, on=off, how=how)
            await asyncio.sleep(0.4)
            before = subscriber.frames[feed, kind]
            await asyncio.sleep(0.5)
            assert subscriber.frames[feed, kind] == before
            await guests.do("ana", action, on=not off, how=how)
            await asyncio.sleep(0.8)
            assert subscriber.frames[feed, kind] > before + 10
        freezing = asyncio.create_task(guests.do("ana", "freeze", seconds=1.2))
        await asyncio.sleep(0.6)
        before = subscriber.frames[feed, "video"]
        await asyncio.sleep(0.4)
        assert subscriber.frames[feed, "video"] == before
        await freezing
        await asyncio.sleep(1.2)
        assert subscriber.frames[feed, "video"] > before
        await guests.do("ana", "screen", on=True, how="stream")
        [publisher] = await server.publishers()
        assert [s.get("description") for s in publisher["streams"] if s["type"] == "video"] == [None, "screen"]
        await guests.do("ana", "screen", on=False)
        await subscriber.close()


async def test_a_session_that_keeps_itself_alive_ends_when_it_is_closed(
    server: JanusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(janus_client, "KEEPALIVE", 0.02)
    assert server.ws_url is not None
    session = janus_client.Session(server.ws_url)
    await session.open()
    await asyncio.sleep(0.2)
    await asyncio.wait_for(session.close(), 5)
    assert await server.sessions() == {}


async def test_guests_come_back_when_janus_does(server: JanusServer) -> None:
    async with Guests(call(server, GuestSpec("ana", 0), GuestSpec("ben", 1, comes_back=False))) as guests:
        await guests.everybody("join")
        await server.until_participants(2)
        await server.restart(away=0.5)
        await server.until_participants(1)
        assert [p["display"] for p in await server.participants()] == [guests.call.guests[0].display]
        await guests.do("ana", "vanish")
        await server.until_participants(0)
        await guests.do("ana", "rejoin")
        await server.until_participants(1)
    events = [e["event"] for e in guests.events if e["guest"] == "ana"]
    assert [e for e in events if e not in ("flash", "beep", "done")] == [
        "joined",
        "lost",
        "joined",
        "vanished",
        "joined",
        "left",
    ]


async def test_a_guest_that_cannot_join_says_why(server: JanusServer) -> None:
    async with Guests(call(server, GuestSpec("ana", 0), room=janus.STRANGERS)) as guests:
        with pytest.raises(RuntimeError, match="No such room"):
            await guests.do("ana", "join")


async def test_rooms_have_the_habits_they_were_made_for(server: JanusServer) -> None:
    listed = {r["room"]: r for r in (await server.ask({"request": "list"}))["list"]}
    assert set(listed) >= {PLAIN, RED, PVTID, NOTIFY}
    assert listed[PVTID]["require_pvtid"] is True
    assert listed[PLAIN]["max_publishers"] == 100
    made = await server.create_room(room=77, description="made now")
    assert made == 77
    assert await server.participants(77) == []
    async with Guests(call(server, GuestSpec("ana", 0), room=PVTID)) as guests:
        await guests.do("ana", "join")
        assert server.ws_url is not None
        session = Session(server.ws_url)
        await session.open()
        handle = await session.attach()
        [publisher] = await server.participants(PVTID)
        with pytest.raises(Refused, match=r"[Uu]nauthorized"):
            await handle.message(
                {"request": "join", "ptype": "subscriber", "room": PVTID, "streams": [{"feed": publisher["id"]}]}
            )
        await session.close()


def addresses() -> str:
    return subprocess.check_output(["ip", "addr"], text=True)


async def test_a_timeline_is_followed(server: JanusServer) -> None:
    timeline = [
        {"at": 0.6, "guest": "ben", "do": "join"},
        {"at": 0.1, "guest": "ana", "do": "join"},
        {"at": 1.2, "guest": "ana", "do": "leave"},
    ]
    assert server.ws_url is not None
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1, video=False)]
    async with Guests(Call(server.ws_url, PLAIN, server.host_address, specs, timeline)) as guests:
        await asyncio.sleep(1.6)
        [left] = await server.publishers()
        assert [stream["type"] for stream in left["streams"]] == ["audio"]
    told = [(e["guest"], e["event"], e["at"]) for e in guests.events if e["event"] in ("joined", "left")]
    assert [t[:2] for t in told] == [("ana", "joined"), ("ben", "joined"), ("ana", "left"), ("ben", "left")]
    assert told[1][2] - told[0][2] == pytest.approx(0.5, abs=0.2)


async def test_what_a_killed_run_left_is_taken_away() -> None:
    gone = "wf-sfu-250-4194305-1"  # above the highest process id there can be
    ip("netns", "add", gone)
    ip("link", "add", "wfs250", "type", "veth", "peer", "name", "wfp250")
    try:
        async with JanusServer():
            assert gone not in ip("netns", "list").stdout
            assert "wfs250" not in ip("link").stdout
    finally:
        ip("link", "del", "wfs250", check=False)
        ip("netns", "del", gone, check=False)


async def test_nothing_is_left_behind() -> None:
    async with JanusServer() as server:
        pid, network = server.pid, server.host_address
        assert network in addresses()
    assert network not in addresses()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@needs_chromium
async def test_two_browsers_are_seen_through_janus(server: JanusServer) -> None:
    assert server.ws_url is not None
    async with Chromium(server.ws_url, PLAIN, server.host_address) as browser:
        ana = await browser.guest("ana", 0, name="Ána")
        ben = await browser.guest("ben", 5)
        subscriber = await subscribed(server, 2)
        await asyncio.sleep(3)
        seen = {who for key, frame in subscriber.last.items() if key[1] == "video" for who in subscriber.read(frame)}
        assert seen == {0, 5}
        assert all(count > 30 for count in subscriber.frames.values())
        assert len(subscriber.frames) == 4
        await ben.screen(True)
        assert len(await server.until_participants(3)) == 3
        await ben.screen(False)
        await server.until_participants(2)
        for how in ("stop", "remove"):
            await ana.camera(False, how)
            await asyncio.sleep(0.4)
            before = (await ana.sent())["video"]["frames"]
            await asyncio.sleep(0.5)
            assert (await ana.sent())["video"]["frames"] == before
            await ana.camera(True, how)
            await asyncio.sleep(0.8)
            assert (await ana.sent())["video"]["frames"] > before
        await ana.mute(True)
        await ana.rejoin()
        await ana.leave()
        [left] = await server.until_participants(1)
        assert json.loads(left["display"]) == {"user_id": "ben", "name": "ben"}
        await subscriber.close()
        assert ana.errors == ben.errors == []
    assert picture.rgb(0) != picture.rgb(5)
