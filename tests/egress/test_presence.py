"""When the number of guests is told: changes at once, rest every two seconds, nothing while the room is away."""

from __future__ import annotations

from egress.presence import INTERVAL, SETTLED, Presence


def joined(at: float = 0.0) -> Presence:
    presence = Presence()
    presence.connected(at)
    return presence


def test_nothing_is_told_before_the_room_is_reached() -> None:
    assert not Presence().due(3, 10.0)


def test_a_change_is_told_at_once_and_once() -> None:
    presence = joined()
    assert presence.due(1, 0.05)
    assert not presence.due(1, 0.1)
    assert presence.due(2, 0.15)
    assert presence.due(0, 0.2)


def test_an_unchanged_number_is_told_again_for_an_agent_that_has_come_since() -> None:
    presence = joined()
    assert presence.due(1, 0.1)
    assert not presence.due(1, 0.1 + INTERVAL - 0.01)
    assert presence.due(1, 0.1 + INTERVAL)


def test_an_empty_room_is_believed_only_after_a_moment_in_it() -> None:
    presence = joined(5.0)
    assert not presence.due(0, 5.0 + SETTLED - 0.01)
    assert presence.due(0, 5.0 + SETTLED)


def test_who_was_there_when_the_room_went_away_is_not_told_to_be_gone() -> None:
    presence = joined()
    assert presence.due(3, 0.1)
    presence.disconnected()
    assert not presence.due(0, 0.2)
    assert not presence.due(0, 60.0)
    presence.connected(61.0)
    assert not presence.due(0, 61.1)
    assert presence.due(3, 61.2)
