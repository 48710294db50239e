"""Which connectors have a site, and which of them a scenario is for."""

from __future__ import annotations

from typing import Any

import pytest

from egress.call.connector import connector
from tests.connectors.janus_site import JanusSite
from tests.connectors.livekit_site import LivekitSite
from tests.connectors.loopback_site import LoopbackSite
from tests.connectors.site import Site

SITES: dict[str, type[Site]] = {"loopback": LoopbackSite, "janus": JanusSite, "livekit": LivekitSite}


def connectors(**abilities: Any) -> pytest.MarkDecorator:
    """Make a test for each connector that declares these abilities, ``connectors(layers=True)``; for all with none."""
    able = [
        type_
        for type_ in SITES
        if all(getattr(connector(type_).abilities, name) == value for name, value in abilities.items())
    ]
    return pytest.mark.parametrize("site", able, indirect=True)
