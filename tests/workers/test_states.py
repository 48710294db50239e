"""The life of an egress, as a table."""

from __future__ import annotations

from itertools import product

import pytest

from workers.ledger.states import LIVE, OVER, IllegalTransition, State, moved

ALLOWED = {
    ("pending", "starting"),
    ("pending", "failed"),
    ("pending", "aborted"),
    ("starting", "active"),
    ("starting", "stopping"),
    ("starting", "failed"),
    ("starting", "aborted"),
    ("active", "starting"),
    ("active", "stopping"),
    ("active", "failed"),
    ("stopping", "finalizing"),
    ("stopping", "failed"),
    ("stopping", "aborted"),
    ("finalizing", "complete"),
    ("finalizing", "failed"),
    ("finalizing", "aborted"),
}


@pytest.mark.parametrize(("current", "to"), list(product(State, State)))
def test_only_these_steps_are_taken(current: State, to: State) -> None:
    if (current.value, to.value) in ALLOWED:
        assert moved(current, to) is to
    else:
        with pytest.raises(IllegalTransition, match=f"an egress that is {current} cannot become {to}"):
            moved(current, to)


def test_every_state_is_live_or_over() -> None:
    assert set(State) == OVER | LIVE
    assert {s.value for s in State if s.over} == {"complete", "failed", "aborted"}
