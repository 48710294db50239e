"""The connector against a real Janus."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from egress.call.connector import Attending, ConnectorError, connector
from egress.call.janus.attendance import JanusAttendance
from egress.call.model import (
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    TrackAdded,
    TrackRemoved,
    TrackType,
    Updated,
)
from egress.rtc.ice_settings import IceSettings
from tests.call.janus_publisher import Publisher
from tests.call.listener import Listener
from tests.rig.janus import PLAIN, PVTID, STRANGERS, JanusServer, why_not
from tests.rig.required import unless

pytestmark = [
    unless(why_not()),
    pytest.mark.asyncio(loop_scope="module"),
]

AUDIO, VIDEO, SCREEN = TrackType.AUDIO, TrackType.VIDEO, TrackType.SCREEN_SHARE


def address(janus: JanusServer, url: str | None = None, **more: Any) -> Any:
    return connector("janus").Address(type="janus", url=url or janus.ws_url, **{"room": PLAIN, **more})


def attend(janus: JanusServer, url: str | None = None, **more: Any) -> Listener:
    attending = Attending("default:test", IceSettings(networks=[f"{janus.host_address}/32"]))
    return Listener(connector("janus").attend(address(janus, url, **more), attending))


@pytest.mark.parametrize("transport", ["http", "ws"])
async def test_guests_who_publish_are_received_at_once(janus: JanusServer, transport: str) -> None:
    people = [await Publisher(janus, name).enter() for name in ("Ana", '{"user_id": "u2", "name": "Bo"}')]
    for person in people:
        await person.publish()
    quiet = await Publisher(janus, "Cy").enter()

    url = janus.http_url if transport == "http" else janus.ws_url
    async with attend(janus, url) as call:
        for person in people:
            for track in (AUDIO, VIDEO):
                await call.hears(TrackAdded, session_id=person.session_id, type=track)
                await call.until(lambda key=(person.session_id, track): call.frames[key])
        first = max(frames[0].arrival for frames in call.frames.values()) - call.began
        joined = {e.participant.user_id: e.participant.name for e in call.told(Joined)}
        assert not [e for e in call.told(TrackAdded) if e.session_id == quiet.session_id]
        watched = await connector("janus").watch(address(janus, url))

    assert isinstance(call.events[0], Connected)
    assert joined == {"Ana": "Ana", "u2": "Bo", "Cy": "Cy"}
    assert {p.user_id for p in watched} == {"Ana", "u2", "Cy"}
    assert first < 2.0, "everything is received within moments"
    for person in (*people, quiet):
        await person.leave()


@pytest.mark.parametrize(
    ("room", "code", "says"),
    [(STRANGERS, "room_not_found", "no such room"), ("a-name", "room_invalid", "room")],
)
async def test_a_room_that_is_not_there_is_an_error(janus: JanusServer, room: Any, code: str, says: str) -> None:
    async with attend(janus, room=room) as call:
        await call.until(lambda: call.error)

    assert isinstance(call.error, ConnectorError)
    assert call.error.code == code
    assert says in str(call.error)
    assert not call.told(Connected)
    with pytest.raises(ConnectorError) as refused:
        await connector("janus").watch(address(janus, room=room))
    assert refused.value.code == code


async def test_a_room_that_demands_a_private_id_is_refused_with_that_reason(janus: JanusServer) -> None:
    host = await Publisher(janus, "Host", PVTID).enter()
    await host.publish()

    async with attend(janus, room=PVTID) as call:
        await call.until(lambda: call.error)

    assert isinstance(call.error, ConnectorError)
    assert call.error.code == "pvtid_required"
    assert "require_pvtid" in str(call.error)
    await host.leave()


async def test_a_room_that_demands_a_private_id_is_refused_before_anybody_publishes(janus: JanusServer) -> None:
    async with attend(janus, room=PVTID) as call:
        await call.until(lambda: call.error)

    assert isinstance(call.error, ConnectorError)
    assert call.error.code == "pvtid_required"


@pytest.mark.parametrize("pin", [None, "wrong"])
async def test_a_wrong_pin_is_refused_before_anybody_publishes(janus: JanusServer, pin: str | None) -> None:
    room = await janus.create_room(pin="right")

    async with attend(janus, room=room, pin=pin) as call:
        await call.until(lambda: call.error)

    assert isinstance(call.error, ConnectorError)
    assert call.error.code == "wrong_pin"
    assert "right" not in str(call.error)


async def test_the_right_pin_opens_the_room(janus: JanusServer) -> None:
    room = await janus.create_room(pin="right")
    host = await Publisher(janus, "Host", room, pin="right").enter()
    await host.publish()

    async with attend(janus, room=room, pin="right") as call:
        await call.receives(host.session_id, AUDIO, 10)
    await host.leave()


async def test_cameras_and_screens_come_and_go_by_renegotiation(janus: JanusServer) -> None:
    guest = await Publisher(janus, "Ana").enter()
    await guest.publish()

    async with attend(janus) as call:
        await call.receives(guest.session_id, VIDEO, 10)
        await guest.switch(1, on=False)
        await call.hears(TrackRemoved, session_id=guest.session_id, type=VIDEO)
        before = len(call.told(TrackAdded))
        await guest.switch(1, on=True)
        await call.until(lambda: len(call.told(TrackAdded)) == before + 1)
        await call.receives(guest.session_id, VIDEO, 10)
        await guest.add_video("my screen")
        await call.hears(TrackAdded, session_id=guest.session_id, type=SCREEN)
        await call.receives(guest.session_id, SCREEN, 10)
        assert await call.rate(guest.session_id, AUDIO) > 40
        removed = call.told(TrackRemoved)

    assert [(e.type) for e in removed] == [VIDEO]
    await guest.leave()


async def test_a_camera_that_was_off_when_we_came_is_received_when_it_goes_on(janus: JanusServer) -> None:
    guest = await Publisher(janus, "Ana").enter()
    await guest.publish()
    await guest.switch(1, on=False)

    async with attend(janus) as call:
        await call.receives(guest.session_id, AUDIO, 10)
        assert [e.type for e in call.told(TrackAdded)] == [AUDIO]
        await guest.switch(1, on=True)
        await call.receives(guest.session_id, VIDEO, 10)
        assert 20 < await call.rate(guest.session_id, VIDEO) < 30
    await guest.leave()


async def test_a_screen_published_apart_belongs_to_its_user(janus: JanusServer) -> None:
    guest = await Publisher(janus, json.dumps({"user_id": "ana", "name": "Ana"})).enter()
    screen = await Publisher(janus, json.dumps({"user_id": "ana", "source": "screen_share"})).enter()
    await guest.publish()

    async with attend(janus) as call:
        await call.receives(guest.session_id, VIDEO, 10)
        await screen.publish(audio=False)
        await call.receives(guest.session_id, SCREEN, 10)
        await screen.leave()
        await call.hears(TrackRemoved, session_id=guest.session_id, type=SCREEN)
        people = [e.participant.session_id for e in call.told(Joined)]
        assert not call.told(Left)

    assert people == [guest.session_id]
    await guest.leave()


async def test_names_change_and_guests_stop_publishing_and_leave(janus: JanusServer) -> None:
    guest = await Publisher(janus, "Ana").enter()
    await guest.publish()

    async with attend(janus) as call:
        await call.receives(guest.session_id, AUDIO, 5)
        await guest.ask(request="configure", display='{"user_id": "u1", "name": "Ana", "roles": ["host"]}')
        updated = await call.hears(Updated)
        await guest.ask(request="unpublish")
        await call.hears(TrackRemoved, session_id=guest.session_id, type=AUDIO)
        await call.hears(TrackRemoved, session_id=guest.session_id, type=VIDEO)
        await asyncio.sleep(0.6)
        assert not call.told(Left)
        await guest.leave()
        await call.hears(Left, session_id=guest.session_id)

    assert (updated.participant.user_id, updated.participant.roles) == ("u1", ("host",))


async def test_a_connection_that_fails_is_made_again(janus: JanusServer) -> None:
    guest = await Publisher(janus, "Ana").enter()
    await guest.publish()

    async with attend(janus) as call:
        await call.receives(guest.session_id, VIDEO, 10)
        assert isinstance(call.attendance, JanusAttendance)
        (subscription,) = call.attendance._subscriptions.values()
        assert subscription._peer is not None
        await subscription._peer.transport.stop()
        await call.hears(TrackRemoved, session_id=guest.session_id, type=VIDEO)
        await call.receives(guest.session_id, VIDEO, 10)
        assert len(call.told(TrackAdded)) == 4
        assert not call.told(Left, Disconnected)
    await guest.leave()


async def test_a_room_destroyed_ends_the_call(janus: JanusServer) -> None:
    room = await janus.create_room()
    guest = await Publisher(janus, "Ana", room).enter()
    await guest.publish()

    async with attend(janus, room=room) as call:
        await call.receives(guest.session_id, AUDIO, 5)
        await janus.ask({"request": "destroy", "room": room})
        ended = await call.hears(Ended)

    assert ended.reason == "the room was destroyed"
    assert call.events[-1] is ended
    assert Left(guest.session_id) in call.events
    await guest.leave()


async def test_a_restarted_janus_is_attended_again_over_http(janus: JanusServer) -> None:
    before = await Publisher(janus, "Ana").enter()
    await before.publish()

    async with attend(janus, janus.http_url) as call:
        await call.receives(before.session_id, VIDEO, 10)
        await janus.restart(away=1.0)
        await call.until(lambda: len(call.told(Connected)) == 2)
        after = await Publisher(janus, "Ana").enter()
        await after.publish()
        await call.receives(after.session_id, VIDEO, 10)
        await call.hears(Left, session_id=before.session_id)
        away = call.told(Disconnected)

    assert len(away) == 1
    assert call.told(Left) == [Left(before.session_id)]
    await before.leave()
    await after.leave()


async def test_a_janus_that_is_away_is_waited_for(janus: JanusServer) -> None:
    async with attend(janus, "ws://127.0.0.1:9") as call:
        await call.hears(Disconnected)
        await asyncio.sleep(1.0)

    assert len(call.events) == 1
    with pytest.raises(OSError):
        await connector("janus").watch(address(janus, "http://127.0.0.1:9/janus"))
