"""One server and one call of each kind for the whole battery."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.connectors import call as calls
from tests.connectors.call import Call
from tests.connectors.site import Site
from tests.connectors.sites import SITES
from tests.rig.required import require


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def site(request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """Of the kind that :func:`tests.connectors.sites.connectors` chose."""
    kind = SITES[request.param]
    require(kind.why_not())
    async with kind() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def call(site: Site) -> Call:
    """The one call that most is asserted of."""
    return await calls.make(site)
