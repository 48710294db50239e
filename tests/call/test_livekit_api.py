"""A real LiveKit asked through its API: who is there, what it refuses, and messages to its clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import psutil
import pytest
import pytest_asyncio
from livekit.protocol import models

from egress.call.connector import ConnectorError, connector, watcher
from egress.call.livekit import api
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.api import RoomService
from egress.call.livekit.connector import CONNECTOR
from egress.call.livekit.watcher import LivekitWatcher
from tests.rig import livekit
from tests.rig.livekit import LivekitServer
from tests.rig.livekit_client import Signal
from tests.rig.livekit_subscriber import LivekitSubscriber
from tests.rig.livekit_token import signed
from tests.rig.required import unless
from tests.rig.servers.stranger import stranger

pytestmark = [unless(livekit.why_not()), pytest.mark.asyncio(loop_scope="module")]

ROOM = "standup"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[LivekitServer]:
    async with LivekitServer() as started:
        yield started


def address(server: LivekitServer, **fields: Any) -> LivekitAddress:
    key = {} if "token" in fields else {"api_key": server.api_key, "api_secret": server.api_secret}
    return LivekitAddress.model_validate({"type": "livekit", "url": server.url, "room": ROOM, **key, **fields})


@asynccontextmanager
async def present(
    server: LivekitServer, identity: str, room: str = ROOM, hidden: bool = False, **claims: Any
) -> AsyncIterator[Signal]:
    """Somebody who has joined, without media."""
    grants = {"roomJoin": True, "room": room, "hidden": hidden}
    token = signed(server.api_key, server.api_secret, {"sub": identity, "video": grants, **claims}, 600)
    signal = Signal(server.url, token)
    await signal.open()
    try:
        yield signal
    finally:
        await signal.close()


async def refused(asking: Any) -> ConnectorError:
    with pytest.raises(ConnectorError) as caught:
        await asking
    return caught.value


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.02)
    pytest.fail("did not happen within 10 s")


async def test_a_room_that_nobody_has_entered_has_nobody_in_it_and_is_not_made(server: LivekitServer) -> None:
    looking = LivekitWatcher()
    for _ in range(3):
        assert await looking.watch(address(server, room="not yet")) == []
    await looking.close()
    assert "not yet" not in [room.name for room in await server.rooms()]


async def test_guests_are_seen_as_they_are_and_notice_nothing(server: LivekitServer) -> None:
    metadata = '{"roles": ["host"], "image": "https://example.org/ana.png"}'
    async with present(server, "ana", name="Ana María", metadata=metadata) as ana, present(server, "ben"):
        await server.update_participant(ROOM, "ben", attributes={"roles": "viewer,guest"})
        await asyncio.sleep(0.3)
        heard: list[Any] = []
        ana.on_message = heard.append
        looking = watcher("livekit")
        for _ in range(5):
            seen = {p.user_id: p for p in await looking.watch(address(server))}
        await asyncio.sleep(0.3)
        told = {message.WhichOneof("message") for message in heard}
        await looking.close()
        listed = {info.identity: info for info in await server.participants(ROOM)}
    assert told <= {"pong_resp", "trickle"}
    assert set(seen) == set(listed) == {"ana", "ben"}
    found = seen["ana"]
    assert (found.session_id, found.name, found.roles) == (listed["ana"].sid, "Ana María", ("host",))
    assert found.image == "https://example.org/ana.png"
    assert (seen["ben"].name, seen["ben"].roles) == ("ben", ("viewer", "guest"))


async def test_who_is_hidden_or_records_for_livekit_is_no_guest(server: LivekitServer) -> None:
    async with (
        present(server, "spy", "several", hidden=True),
        present(server, "ana", "several"),
        present(server, "egress", "several", kind="egress"),
        present(server, "agent", "several", kind="agent"),
        present(server, "phone", "several", kind="sip"),
    ):
        kinds = {info.identity: info.kind for info in await server.participants("several")}
        seen = await CONNECTOR.watch(address(server, room="several"))
    info = models.ParticipantInfo
    assert kinds == {
        "spy": info.STANDARD,
        "ana": info.STANDARD,
        "egress": info.EGRESS,
        "agent": info.AGENT,
        "phone": info.SIP,
    }
    assert sorted(p.user_id for p in seen) == ["agent", "ana", "phone"]


async def test_a_room_that_all_have_left_has_nobody_in_it(server: LivekitServer) -> None:
    looking = LivekitWatcher()
    async with present(server, "ana", "empties"):
        assert [p.name for p in await looking.watch(address(server, room="empties"))] == ["ana"]
    for _ in range(200):
        if not (there := await looking.watch(address(server, room="empties"))):
            break
        await asyncio.sleep(0.05)
    assert there == []
    await server.delete_room("empties")
    assert await looking.watch(address(server, room="empties")) == [], "nor when it is gone"
    await looking.close()


def connections(server: LivekitServer) -> int:
    """TCP connections of this process to the server."""
    found = psutil.Process().net_connections("tcp")
    return sum(bool(one.raddr) and one.raddr.ip == server.address and one.status == "ESTABLISHED" for one in found)


async def test_many_looks_take_one_connection(server: LivekitServer) -> None:
    await until(lambda: connections(server) == 0)
    looking = LivekitWatcher()
    for number in range(20):
        await looking.watch(address(server, room=f"room {number}"))
    assert connections(server) == 1
    await looking.close()
    await until(lambda: connections(server) == 0)


async def test_connections_that_nobody_uses_are_closed(server: LivekitServer) -> None:
    looking = LivekitWatcher(idle=0.3)
    await looking.watch(address(server))
    assert connections(server) == 1
    await until(lambda: connections(server) == 0)
    assert await looking.watch(address(server)) == []
    await looking.close()


async def test_a_server_that_restarts_is_asked_anew(server: LivekitServer) -> None:
    looking = LivekitWatcher()
    assert await looking.watch(address(server)) == []
    await server.kill()
    with pytest.raises(OSError, match="LiveKit does not answer"):
        await looking.watch(address(server))
    await server.start()
    assert await looking.watch(address(server)) == []
    await server.restart()
    assert await looking.watch(address(server)) == [], "that it was away in between is no matter"
    await looking.close()


async def test_a_ready_token_may_ask_when_it_has_the_right_to(server: LivekitServer) -> None:
    able = server.token("w", ROOM, hidden=True, roomAdmin=True)
    assert await CONNECTOR.watch(address(server, token=able)) == []
    unable = server.token("w", ROOM, hidden=True)
    assert (await refused(CONNECTOR.watch(address(server, token=unable)))).code == "token_cannot_watch"


@pytest.mark.parametrize(
    ("fields", "code", "sentence"),
    [
        (
            {"api_secret": "a wrong secret of at least thirty-two characters"},
            "unauthorized",
            "the API secret, or what signed the token, is not that of the API key",
        ),
        ({"api_key": "somebody"}, "unauthorized", "LiveKit does not know this API key"),
    ],
)
async def test_a_wrong_key_is_refused_with_the_cause(
    server: LivekitServer, fields: dict[str, Any], code: str, sentence: str
) -> None:
    error = await refused(CONNECTOR.watch(address(server, **fields)))
    assert (error.code, str(error)) == (code, sentence)


async def test_a_token_of_another_server_is_refused_without_telling_it(server: LivekitServer) -> None:
    token = server.token("w", ROOM, roomAdmin=True)[:-8] + "AAAAAAAA"
    error = await refused(CONNECTOR.watch(address(server, token=token)))
    assert error.code == "unauthorized"
    assert str(error) == "the API secret, or what signed the token, is not that of the API key"


async def test_a_right_that_only_the_server_finds_lacking_is_told_as_such(
    server: LivekitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = server.token("w", "retro", roomAdmin=True)
    monkeypatch.setattr(api, "api_token", lambda used, room: elsewhere)
    error = await refused(CONNECTOR.watch(address(server)))
    assert error.code == "permission_denied"
    assert str(error) == "this API key or token may not do this in this room: it takes roomAdmin for it"


@asynccontextmanager
async def something_else(answer: bytes | None) -> AsyncIterator[str]:
    """A server that answers every request with this, or with nothing at all. Yields its URL."""
    async with stranger(answer) as (address, _):
        yield f"ws://{address}"


def http(status: str, content_type: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "Connection: close", "", body]).encode()


ELSE = "what answers at this URL is no LiveKit: it answers "


@pytest.mark.parametrize(
    ("answer", "code", "sentence"),
    [
        (http("404 Not Found", "text/html", "<p>no</p>"), "not_livekit", ELSE + "with HTTP 404"),
        (http("200 OK", "text/html", "<p>hi</p>"), "not_livekit", ELSE + "with something else than LiveKit's answer"),
        (
            http("200 OK", "application/protobuf", "\xff\xff"),
            "not_livekit",
            ELSE + "with something else than LiveKit's answer",
        ),
        (
            http("302 Found", "text/html", "", "Location: http://127.0.0.1/login"),
            "not_livekit",
            ELSE + "with a redirect (302)",
        ),
        (
            http("401 Unauthorized", "text/html", "<p>log in</p>", 'WWW-Authenticate: Basic realm="x"'),
            "not_livekit",
            ELSE + "with a demand for another kind of password",
        ),
        (http("403 Forbidden", "text/html", "<p>no</p>"), "not_livekit", ELSE + "with HTTP 403"),
        (
            http("404 Not Found", "application/json", '{"code": "bad_route", "msg": "no handler"}'),
            "not_livekit",
            ELSE + "without this part of LiveKit's API",
        ),
        (http("404 Not Found", "application/json", "[" * 50_000), "not_livekit", ELSE + "with HTTP 404"),
        (
            http("400 Bad Request", "application/json", '{"code": "invalid_argument", "msg": "room name too long"}'),
            "refused",
            "LiveKit refuses the request (room name too long)",
        ),
        (
            http("401 Unauthorized", "text/plain", "invalid token: eyJ.eyJ.x, error: token is expired"),
            "unauthorized",
            "to LiveKit the token has expired: its clock and ours may differ",
        ),
        (
            http("401 Unauthorized", "text/plain", "invalid authorization token"),
            "unauthorized",
            "LiveKit does not take this API key, secret or token",
        ),
    ],
)
async def test_what_is_no_livekit_or_refuses_for_good_is_told(
    server: LivekitServer, answer: bytes, code: str, sentence: str
) -> None:
    async with something_else(answer) as url:
        error = await refused(CONNECTOR.watch(address(server, url=url)))
    assert (error.code, str(error)) == (code, sentence)


@pytest.mark.parametrize(
    "answer",
    [
        http("502 Bad Gateway", "text/html", "<p>later</p>"),
        http("503 Service Unavailable", "application/json", '{"code": "unavailable", "msg": "no response"}'),
        http("429 Too Many Requests", "application/json", '{"code": "resource_exhausted", "msg": "slow down"}'),
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
async def test_a_server_that_is_out_of_order_is_away(server: LivekitServer, answer: bytes) -> None:
    async with something_else(answer) as url:
        with pytest.raises(OSError, match="LiveKit does not answer"):
            await CONNECTOR.watch(address(server, url=url))


async def test_a_server_that_never_answers_is_away(server: LivekitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "TIMEOUT", 0.3)
    async with something_else(None) as url:
        with pytest.raises(OSError, match="LiveKit does not answer"):
            await CONNECTOR.watch(address(server, url=url))


async def test_a_room_that_a_server_calls_unknown_has_nobody_in_it_too(server: LivekitServer) -> None:
    unknown = http("404 Not Found", "application/json", '{"code": "not_found", "msg": "no such room"}')
    async with something_else(unknown) as url:
        assert await CONNECTOR.watch(address(server, url=url)) == []
        service = RoomService(address(server, url=url))
        error = await refused(service.participants(ROOM))
        await service.close()
    assert (error.code, str(error)) == ("room_not_found", "LiveKit has no such room")


class Listener(LivekitSubscriber):
    """A client that keeps the data it is sent, as (topic, payload)."""

    async def __aenter__(self) -> Self:
        self.heard: list[tuple[str, bytes]] = []
        self.open: set[str] = set()

        @self._peer.on("datachannel")
        def opened(channel: Any) -> None:
            self.open.add(channel.label)

            @channel.on("message")
            def message(data: bytes) -> None:
                packet = models.DataPacket.FromString(data)
                if packet.WhichOneof("value") == "user":
                    self.heard.append((packet.user.topic, packet.user.payload))

        await super().__aenter__()
        await until(lambda: "_reliable" in self.open)
        return self


async def test_the_clients_in_the_room_are_told_all_or_some_of_them(server: LivekitServer) -> None:
    teller = CONNECTOR.teller(address(server, room="told", tell_room=True))
    assert teller is not None
    async with (
        Listener(server, "ana", "told", hidden=False) as ana,
        Listener(server, "ben", "told", hidden=False) as ben,
    ):
        # A channel that has just opened here may not be open there yet.
        async with asyncio.timeout(10):
            while not (ana.heard and ben.heard):
                await teller.tell(b"anybody?", "begin")
                await asyncio.sleep(0.1)
        await teller.tell(b'{"recording": true}', "wallflower")
        await teller.tell(b"for ben", "captions", ["ben"])
        await teller.tell(b"last", "wallflower")
        await until(lambda: all(("wallflower", b"last") in one.heard for one in (ana, ben)))
    await teller.close()
    told = [[said for said in one.heard if said[0] != "begin"] for one in (ana, ben)]
    assert told[0] == [("wallflower", b'{"recording": true}'), ("wallflower", b"last")]
    assert told[1] == [("wallflower", b'{"recording": true}'), ("captions", b"for ben"), ("wallflower", b"last")]


async def test_nobody_in_a_room_that_is_not_there_takes_a_message(server: LivekitServer) -> None:
    teller = CONNECTOR.teller(address(server, room="nowhere", tell_room=True))
    assert teller is not None
    with pytest.raises(OSError, match="LiveKit does not answer"):
        await teller.tell(b"hello?", "wallflower")
    await teller.close()


async def test_a_room_is_told_only_where_the_address_asks_for_it_and_may(server: LivekitServer) -> None:
    assert CONNECTOR.teller(address(server)) is None
    unable = server.token("w", ROOM, hidden=True)
    with pytest.raises(ConnectorError) as caught:
        CONNECTOR.teller(address(server, tell_room=True, token=unable))
    assert caught.value.code == "token_cannot_watch"
    assert not hasattr(connector("janus"), "teller") and not hasattr(connector("loopback"), "teller")


async def test_a_project_is_checked_by_one_question(server: LivekitServer) -> None:
    project = {"type": "livekit", "url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
    assert await CONNECTOR.check(project) == f"{server.http_url} answers, and takes its API key"
    assert (await refused(CONNECTOR.check({**project, "api_key": "somebody"}))).code == "unauthorized"
    with pytest.raises(OSError):
        await CONNECTOR.check({**project, "url": "ws://127.0.0.1:9"})
    assert "wallflower-doctor" not in [room.name for room in await server.rooms()]
