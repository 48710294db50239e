"""Addresses that lead nowhere: each fails soon, with the cause, and nothing is asked again and again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.server import ServerConnection, serve

from egress.call.connector import ConnectorError
from egress.call.livekit.attendance import LivekitAttendance
from egress.call.model import Connected, Disconnected, Ended
from tests.call.livekit_call import attend
from tests.rig.livekit import LivekitServer, why_not
from tests.rig.required import require
from tests.rig.servers.server import free_port
from tests.rig.servers.stranger import stranger

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def livekit() -> AsyncIterator[LivekitServer]:
    require(why_not())
    async with LivekitServer(auto_create=False) as server:
        await server.create_room("here", empty_timeout=600)
        yield server


async def refusal(livekit: LivekitServer, room: str = "here", **more: Any) -> ConnectorError:
    async with attend(livekit, room, **more) as call:
        await call.until(lambda: call.error is not None, 10.0)
    assert isinstance(call.error, ConnectorError)
    assert not call.told(Connected)
    return call.error


async def test_a_key_that_is_not_known_and_a_secret_that_is_wrong_are_told(livekit: LivekitServer) -> None:
    unknown = await refusal(livekit, api_key="nobody")
    assert (unknown.code, str(unknown)) == ("unauthorized", "LiveKit does not know this API key")
    wrong = await refusal(livekit, api_secret="a-secret-that-is-not-the-right-one-0123456789")
    assert wrong.code == "unauthorized"
    assert "secret" in str(wrong)


@pytest.mark.parametrize(
    ("grants", "code", "says"),
    [
        ({"valid": -100.0, "hidden": True}, "token_expired", "expired"),
        ({"hidden": True, "canSubscribe": False}, "token_cannot_subscribe", "canSubscribe"),
        ({"hidden": True, "roomJoin": False}, "token_cannot_join", "roomJoin"),
        ({}, "token_not_hidden", "hidden"),
    ],
)
async def test_a_ready_token_that_will_not_do_is_told(
    livekit: LivekitServer, grants: dict[str, Any], code: str, says: str
) -> None:
    token = livekit.token("recorder", "here", **grants)
    error = await refusal(livekit, token=token, api_key=None, api_secret=None)
    assert error.code == code
    assert says in str(error)
    assert token not in str(error)


async def test_a_ready_token_that_the_server_does_not_take_is_told_without_the_token(livekit: LivekitServer) -> None:
    forged = livekit.token("recorder", "here", hidden=True)[:-6] + "AAAAAA"
    error = await refusal(livekit, token=forged, api_key=None, api_secret=None)
    assert error.code == "unauthorized"
    assert forged not in str(error)


async def test_a_ready_token_lets_us_in(livekit: LivekitServer) -> None:
    token = livekit.token("recorder", "here", hidden=True, canPublish=False)
    async with attend(livekit, "here", token=token, api_key=None, api_secret=None) as call:
        await call.hears(Connected)


async def test_of_two_with_the_same_token_the_later_one_stays(livekit: LivekitServer) -> None:
    await livekit.create_room("twice", empty_timeout=600)
    token = livekit.token("recorder", "twice", hidden=True, canPublish=False)
    async with attend(livekit, "twice", token=token, api_key=None, api_secret=None) as first:
        await first.hears(Connected)
        async with attend(livekit, "twice", token=token, api_key=None, api_secret=None) as second:
            await second.hears(Connected)
            await first.until(lambda: first.error is not None)
            await asyncio.sleep(1.0)
            assert second.error is None
            assert len(second.told(Connected)) == 1
    assert isinstance(first.error, ConnectorError)
    assert first.error.code == "duplicate_identity"


async def test_a_room_that_is_missing_and_not_made_by_joining_is_told(livekit: LivekitServer) -> None:
    error = await refusal(livekit, "nowhere")
    assert (error.code, str(error)) == ("room_not_found", "LiveKit has no such room and makes none by itself")


@asynccontextmanager
async def websocket(talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[tuple[str, list[float]]]:
    came: list[float] = []

    async def take(connection: ServerConnection) -> None:
        came.append(time.monotonic())
        await talk(connection)

    async with serve(take, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}", came


async def _silent(connection: ServerConnection) -> None:
    await connection.wait_closed()


async def _chatty(connection: ServerConnection) -> None:
    await connection.send("hello")
    await connection.wait_closed()


PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
NO_PAGE = b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope"
ELSEWHERE = b"HTTP/1.1 302 Found\r\nLocation: https://example.com/\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    "server",
    [
        lambda: stranger(PAGE),
        lambda: stranger(NO_PAGE),
        lambda: stranger(ELSEWHERE),
        lambda: stranger(b"220 mail.example.com ESMTP\r\n"),
        lambda: stranger(None),
        lambda: websocket(_silent),
        lambda: websocket(_chatty),
    ],
    ids=["a page", "no page", "a redirect", "mail", "a silent port", "a silent socket", "another protocol"],
)
async def test_a_url_that_is_no_livekit_is_told(livekit: LivekitServer, server: Any) -> None:
    async with server() as (address, came):
        error = await refusal(livekit, url=f"ws://{address}")
    assert error.code == "not_livekit"
    assert str(error).startswith("what answers at this URL is no LiveKit: it answers ")
    assert len(came) <= 12, "no storm"


async def test_a_redirect_takes_no_token_elsewhere(livekit: LivekitServer) -> None:
    async with stranger(PAGE) as (elsewhere, came):
        there = f"HTTP/1.1 307 Temporary\r\nLocation: ws://{elsewhere}/rtc\r\nContent-Length: 0\r\n\r\n"
        async with stranger(there.encode()) as (address, _):
            error = await refusal(livekit, url=f"ws://{address}")
        assert came == []
    assert error.code == "not_livekit"


@pytest.mark.parametrize("host", ["a..b", "x" * 70 + ".example"])
async def test_a_name_that_no_host_can_have_is_told(livekit: LivekitServer, host: str) -> None:
    assert (await refusal(livekit, url=f"ws://{host}:7880")).code == "not_livekit"


async def test_what_goes_wrong_unexpectedly_is_tried_again(
    livekit: LivekitServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = LivekitAttendance._answer
    faults = [RuntimeError("never expected")]

    async def faulty(self: LivekitAttendance, offer: Any) -> None:
        if faults:
            raise faults.pop()
        await answers(self, offer)

    monkeypatch.setattr(LivekitAttendance, "_answer", faulty)
    await livekit.create_room("again", empty_timeout=600)
    async with attend(livekit, "again") as call:
        await call.until(lambda: len(call.told(Connected)) == 2)
        await asyncio.sleep(1.0)
    assert call.error is None
    assert len(call.told(Disconnected)) == 1


async def test_a_server_that_is_away_is_asked_ever_more_rarely(livekit: LivekitServer) -> None:
    busy = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
    async with stranger(busy) as (address, came), attend(livekit, "here", url=f"http://{address}") as call:
        await asyncio.sleep(9.0)
    pauses = [after - before for before, after in itertools.pairwise(came)]
    assert len(came) <= 9
    assert max(pauses) >= 1.9
    assert len(call.told(Disconnected)) == 1, "which is told once"
    assert not call.told(Ended)
    assert call.error is None


async def test_nobody_there_is_a_server_that_is_away(livekit: LivekitServer) -> None:
    async with attend(livekit, "here", url=f"ws://127.0.0.1:{free_port()}") as call:
        await call.hears(Disconnected)
        await asyncio.sleep(3.0)
    assert len(call.told(Disconnected)) == 1
    assert call.error is None


async def test_a_room_that_nobody_makes_again_after_the_server_was_away_is_over() -> None:
    require(why_not())
    async with LivekitServer(auto_create=False) as server:
        await server.create_room("here", empty_timeout=600)
        async with attend(server, "here") as call:
            await call.hears(Connected)
            await server.restart()
            await call.hears(Disconnected)
            ended = await call.hears(Ended, timeout=20.0)
    assert (ended.code, ended.reason) == ("", "the room does not exist any more")
    assert call.error is None
