"""A Janus and a LiveKit for the tests of one module."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.rig import janus as janus_rig
from tests.rig import livekit as livekit_rig
from tests.rig.janus import JanusServer
from tests.rig.livekit import LivekitServer
from tests.rig.required import require

_ROOMS = itertools.count(1)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def janus() -> AsyncIterator[JanusServer]:
    require(janus_rig.why_not())
    async with JanusServer() as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def livekit() -> AsyncIterator[LivekitServer]:
    require(livekit_rig.why_not())
    async with LivekitServer() as server:
        yield server


@pytest.fixture
def room() -> str:
    """The name of a room that no other test has. LiveKit makes it when somebody comes."""
    return f"room-{next(_ROOMS)}"
