"""The life of an egress as one pure function: which state may follow which."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    PENDING = "pending"
    STARTING = "starting"
    ACTIVE = "active"
    STOPPING = "stopping"
    FINALIZING = "finalizing"
    COMPLETE = "complete"
    FAILED = "failed"
    ABORTED = "aborted"

    @property
    def over(self) -> bool:
        return self in OVER


OVER = frozenset({State.COMPLETE, State.FAILED, State.ABORTED})
LIVE = frozenset(State) - OVER

_NEXT: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.STARTING, State.FAILED, State.ABORTED}),
    State.STARTING: frozenset({State.ACTIVE, State.STOPPING, State.FAILED, State.ABORTED}),
    # Back to starting: the attendant died, and another one takes the recording up as the next part.
    State.ACTIVE: frozenset({State.STARTING, State.STOPPING, State.FAILED}),
    State.STOPPING: frozenset({State.FINALIZING, State.FAILED, State.ABORTED}),
    State.FINALIZING: frozenset({State.COMPLETE, State.FAILED, State.ABORTED}),
    State.COMPLETE: frozenset(),
    State.FAILED: frozenset(),
    State.ABORTED: frozenset(),
}


class IllegalTransition(Exception):
    """An egress cannot go from the one state to the other."""


def moved(current: State, to: State) -> State:
    """The state ``to``, when it may follow ``current``. Raises IllegalTransition."""
    if to not in _NEXT[current]:
        raise IllegalTransition(f"an egress that is {current} cannot become {to}")
    return to
