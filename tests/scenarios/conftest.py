"""One SFU of each kind for all scenarios: they start in a quarter of a second, but their namespaces are made once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.rig import janus as janus_rig
from tests.rig import livekit as livekit_rig
from tests.rig.janus import JanusServer
from tests.rig.livekit import LivekitServer
from tests.rig.required import require


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def janus() -> AsyncIterator[JanusServer]:
    require(janus_rig.why_not())
    async with JanusServer() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def livekit() -> AsyncIterator[LivekitServer]:
    require(livekit_rig.why_not())
    async with LivekitServer() as server:
        yield server
