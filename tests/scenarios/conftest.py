"""One Janus for all scenarios: it starts in a quarter of a second, but its namespace is made once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.rig.janus import JanusServer, why_not


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def janus() -> AsyncIterator[JanusServer]:
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    async with JanusServer() as server:
        yield server
