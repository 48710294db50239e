"""The rig's guests, exact and in real browsers, meet on a real LiveKit."""

from __future__ import annotations

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator

import pytest

from tests.rig import livekit
from tests.rig.livekit import DEPARTURE_TIMEOUT, ApiError, LivekitServer
from tests.rig.required import require, unless

pytestmark = unless(livekit.why_not())


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


def _addresses() -> str:
    return subprocess.check_output(["ip", "addr"], text=True)
