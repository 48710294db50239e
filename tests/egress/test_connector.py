"""Connectors by name."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from egress.call.connector import BUILT_IN, Abilities, ConnectorError, connector, connector_types


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_built_in_connectors_have_both_faces_and_an_address(name: str):
    found = connector(name)
    assert found.type == name
    assert issubclass(found.Address, BaseModel)
    assert callable(found.watch) and callable(found.attend)


@pytest.mark.parametrize("name", list(BUILT_IN))
def test_built_in_connectors_declare_what_they_can_do(name: str):
    found = connector(name)
    assert isinstance(found.abilities, Abilities)
    assert found.abilities.tell_room is hasattr(found, "teller")


def test_an_unknown_connector_is_refused_with_the_known_ones():
    with pytest.raises(ConnectorError) as raised:
        connector("zoom")
    assert raised.value.code == "unknown_connector"
    assert "'zoom'" in str(raised.value)
    assert all(name in str(raised.value) for name in connector_types())
