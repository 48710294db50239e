"""An attendance may be closed at any time, and again: nothing goes on."""

from __future__ import annotations

import asyncio
import time

import pytest

from tests.connectors.attended import Attended
from tests.connectors.call import ANA, specs
from tests.connectors.site import Site
from tests.connectors.sites import connectors

pytestmark = pytest.mark.asyncio(loop_scope="session")


@connectors()
async def test_an_attendance_is_closed_before_and_while_it_joins(site: Site) -> None:
    async with site.room(specs(site, ANA)) as room:
        await room.join(ANA)
        never = Attended(site, room.address)
        await never.attendance.close()
        async with never:
            assert [event async for event in never.attendance.events()] == []
        for moment in (0.0, 0.01, 0.05, 0.1, 0.2, 0.4):
            async with Attended(site, room.address) as call:
                await asyncio.sleep(moment)
                began = time.monotonic()
                await call.close()
                assert time.monotonic() - began < 3.0
                so_far = len(call.told)
            assert call.error is None
            assert call.left_over == [], f"closed after {moment} s"
            assert len(call.told) == so_far
        async with Attended(site, room.address) as call:
            assert await call.flows([ANA], time.monotonic())


@connectors()
async def test_two_attend_one_room_without_noticing_each_other(site: Site) -> None:
    async with site.room(specs(site, ANA)) as room:
        await room.join(ANA)
        async with Attended(site, room.address) as one:
            await one.flows([ANA], time.monotonic())
            async with Attended(site, room.address) as other:
                assert await other.flows([ANA], time.monotonic())
            assert await one.flows([ANA], time.monotonic())
        assert one.sessions(ANA) == other.sessions(ANA)
        assert len(one.received) == len(other.received) == 2
