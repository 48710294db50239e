"""The agent's decisions, as tables."""

from __future__ import annotations

import pytest

from workers.decisions import Restarts, Wanted, due, idle, reservation, shortage
from workers.ledger.states import State


@pytest.mark.parametrize(
    ("state", "desired", "told", "commands"),
    [
        (State.PENDING, "run", None, [("start", "e")]),
        (State.PENDING, "stop", None, [("give_up", "e")]),
        (State.STARTING, "run", "start", []),
        (State.STARTING, "stop", "start", [("stop", "e")]),
        (State.ACTIVE, "run", "start", []),
        (State.ACTIVE, "stop", "start", [("stop", "e")]),
        (State.ACTIVE, "stop", "stop", []),
        # Its attendant knows nothing of it.
        (State.STARTING, "stop", None, [("give_up", "e")]),
        (State.ACTIVE, "stop", None, [("give_up", "e")]),
        (State.STOPPING, "stop", "stop", []),
        (State.FINALIZING, "stop", "stop", []),
    ],
)
def test_commands_follow_from_state_and_wish(
    state: State, desired: str, told: str | None, commands: list[tuple[str, str]]
) -> None:
    assert due([Wanted("e", state, desired)], {"e": told} if told else {}) == commands


def test_an_attendant_is_idle_when_all_that_is_left_is_delivery() -> None:
    assert idle([])
    assert idle([Wanted("e", State.FINALIZING, "stop")])
    assert not idle([Wanted("e", State.FINALIZING, "stop"), Wanted("f", State.STOPPING, "stop")])


def test_the_first_restart_is_at_once_and_later_ones_wait_longer() -> None:
    restarts = Restarts(allowed=5, backoff=1.0, backoff_max=3.0, healthy=60)
    assert [restarts.crashed(1.0) for _ in range(6)] == [0.0, 1.0, 2.0, 3.0, 3.0, None]


def test_a_long_healthy_run_clears_the_count() -> None:
    restarts = Restarts(allowed=1, backoff=1.0, backoff_max=3.0, healthy=60)
    assert [restarts.crashed(61.0) for _ in range(4)] == [0.0] * 4


def test_room_in_the_spool_is_counted_with_what_is_promised() -> None:
    needed = reservation(1_300_000, 128_000, hours=1)
    assert needed == 642_600_000
    assert shortage(2_000_000_000, 0, 0, needed) is None
    said = shortage(2_000_000_000, 500_000_000, 1_000_000_000, needed)
    assert said is not None
    assert "may need 642 MB, but of 2000 MB free 500 MB are kept back and 1000 MB are promised" in said


def test_sound_alone_reserves_its_own_rate() -> None:
    assert reservation(None, 128_000, hours=1) == 57_600_000
