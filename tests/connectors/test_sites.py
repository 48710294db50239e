"""The battery itself: nobody is left out, and what is wrong is found."""

from __future__ import annotations

import pytest

from egress.call.connector import BUILT_IN, Abilities, connector
from egress.call.model import (
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    Participant,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackRemoved,
    TrackType,
    Updated,
)
from tests.connectors.order import misorders
from tests.connectors.sites import SITES, connectors

ANA = Participant("a", "ana", "Ana")
HERE: list[CallEvent] = [Connected(), Joined(ANA)]
MEDIA: CallEvent = TrackAdded("a", TrackType.AUDIO, None)  # type: ignore[arg-type]


def test_every_connector_has_a_site() -> None:
    # There is no room behind the connector ``page``, and nobody ever comes.
    assert set(SITES) == set(BUILT_IN) - {"page"}
    assert {kind.type for kind in SITES.values()} == set(SITES)


def test_what_a_connector_cannot_do_is_not_asked_of_it() -> None:
    assert connectors().args[1] == list(SITES)
    for ability in ("layers", "resume", "muted_told"):
        able = [type_ for type_ in SITES if getattr(connector(type_).abilities, ability)]
        assert connectors(**{ability: True}).args[1] == able
    assert all(isinstance(connector(type_).abilities, Abilities) for type_ in SITES)


def test_events_in_order_are_not_wrong() -> None:
    gone: list[CallEvent] = [TrackRemoved("a", TrackType.AUDIO), Left("a")]
    assert misorders([*HERE, MEDIA, Speaking({"a": 0.5}), *gone, Joined(ANA), Ended("")]) == []
    assert misorders([Disconnected(""), Connected(), Disconnected(""), Connected()]) == []


@pytest.mark.parametrize(
    "events",
    [
        [Joined(ANA)],
        [*HERE, Joined(ANA)],
        [*HERE, Connected()],
        [*HERE, Disconnected(""), Disconnected("")],
        [*HERE, MEDIA, Left("a")],
        [*HERE, MEDIA, MEDIA],
        [*HERE, TrackRemoved("a", TrackType.AUDIO)],
        [*HERE, TrackMuted("a", TrackType.AUDIO, True)],
        [*HERE, Left("b")],
        [*HERE, Speaking({"a": 0.5, "b": 0.5})],
        [*HERE, Updated(Participant("b", "b", "B"))],
        [Connected(), MEDIA],
        [*HERE, Ended(""), Left("a")],
    ],
)
def test_events_out_of_order_are_found(events: list[CallEvent]) -> None:
    assert len(misorders(events)) == 1
