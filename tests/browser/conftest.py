from __future__ import annotations

from collections.abc import Iterator

import pytest

from egress.browser.chromium import BrowserMissing, chromium
from egress.browser.studio import Studio
from egress.url_guard import Guard
from tests.rig.required import require
from tests.rig.servers.pictures import PictureServer


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """One browser for the tests of a module."""
    try:
        chromium()
    except BrowserMissing as error:
        require(str(error))
    made = Studio(Guard(allow=["127.0.0.0/8"]))
    yield made
    made.close()


@pytest.fixture(scope="module")
def server() -> Iterator[PictureServer]:
    with PictureServer() as made:
        yield made
