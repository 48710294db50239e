"""Looks into rooms of a real Janus: one session for many of them, seen by nobody, never left behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from egress.call.connector import ConnectorError, connector, watcher
from egress.call.janus.watcher import JanusWatcher
from tests.call.janus_publisher import Publisher
from tests.rig.janus import NOTIFY, PLAIN, STRANGERS, JanusServer, why_not
from tests.rig.required import unless

pytestmark = [
    unless(why_not()),
    pytest.mark.asyncio(loop_scope="module"),
]


@pytest.fixture(params=["http", "ws"])
def url(request: pytest.FixtureRequest, janus: JanusServer) -> str:
    found = janus.http_url if request.param == "http" else janus.ws_url
    if found is None:
        pytest.skip("this Janus has no WebSocket transport")
    return found


def address(url: str, room: Any = PLAIN) -> Any:
    return connector("janus").Address(type="janus", url=url, room=room)


async def test_many_looks_take_one_session(janus: JanusServer, url: str) -> None:
    assert await janus.sessions() == {}
    looking = JanusWatcher()
    assert await looking.watch(address(url)) == []
    first = await janus.sessions()
    for _ in range(5):
        assert await looking.watch(address(url)) == []
        assert await looking.watch(address(url, NOTIFY)) == []
    await asyncio.gather(*(looking.watch(address(url)) for _ in range(20)))
    during = await janus.sessions()
    await looking.close()
    assert during == first
    assert [len(handles) for handles in during.values()] == [1]
    assert await janus.sessions() == {}, "none is left behind"


async def test_who_is_there_is_seen_and_sees_nobody(janus: JanusServer, url: str) -> None:
    host = await Publisher(janus, "Host", NOTIFY).enter()
    host.events.clear()
    looking = watcher("janus")
    for _ in range(5):
        assert [p.name for p in await looking.watch(address(url, NOTIFY))] == ["Host"]
    listed = await janus.participants(NOTIFY)
    rooms = {room["room"]: room["num_participants"] for room in (await janus.ask({"request": "list"}))["list"]}
    await asyncio.sleep(0.3)
    told = [event for event in host.events if "videoroom" in event]
    await looking.close()
    await host.leave()
    assert [p["id"] for p in listed] == [host.feed]
    assert rooms[NOTIFY] == 1
    assert told == [], "neither a join nor a leave was told"


async def test_a_room_that_is_not_there_costs_the_others_nothing(janus: JanusServer, url: str) -> None:
    looking = JanusWatcher()
    assert await looking.watch(address(url)) == []
    before = await janus.sessions()
    with pytest.raises(ConnectorError) as refused:
        await looking.watch(address(url, STRANGERS))
    assert refused.value.code == "room_not_found"
    assert await looking.watch(address(url)) == []
    assert await janus.sessions() == before
    await looking.close()


async def test_a_session_that_nobody_uses_is_closed(janus: JanusServer, url: str) -> None:
    looking = JanusWatcher(idle=0.4)
    await looking.watch(address(url))
    assert len(await janus.sessions()) == 1
    await asyncio.sleep(1.2)
    assert await janus.sessions() == {}
    assert await looking.watch(address(url)) == []
    await looking.close()


async def test_a_janus_that_restarts_is_asked_anew(janus: JanusServer, url: str) -> None:
    looking = JanusWatcher()
    assert await looking.watch(address(url)) == []
    await janus.kill()
    with pytest.raises(OSError):
        await looking.watch(address(url))
    await janus.start()
    assert await looking.watch(address(url)) == []
    await janus.kill()
    await janus.start()
    assert await looking.watch(address(url)) == [], "that it was away in between is no matter"
    await looking.close()


async def test_a_janus_that_is_not_there_is_an_error(janus: JanusServer) -> None:
    looking = JanusWatcher()
    for _ in range(2):
        with pytest.raises(OSError):
            await looking.watch(address("http://127.0.0.1:9/janus"))
    await looking.close()
