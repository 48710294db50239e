"""What is due in a session, by tables; and that no course of events starts twice or leaves anything running."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.sessions.policy import (
    INACTIVITY,
    MAX_DURATION,
    REASONS,
    ROOM_ENDED,
    SESSION_ENDED,
    Decision,
    Facts,
    decide,
)

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


EMPTY_ROOM = Facts(now=at(10), present=0)
OCCUPIED = Facts(now=at(10), first_join_at=at(0), present=2, wanted_at=at(0))
LEFT = Facts(now=at(10), first_join_at=at(0), empty_since=at(5), present=0, wanted_at=at(0))

TABLE: dict[str, tuple[Facts, Decision]] = {
    "nobody has come yet: nothing is due": (EMPTY_ROOM, Decision()),
    "nobody has come yet, the limit counts from the first join": (replace(EMPTY_ROOM, max_duration=1), Decision()),
    "nobody knows who is there: nothing is due": (Facts(now=at(10)), Decision()),
    "the first participant starts what is automatic": (
        replace(EMPTY_ROOM, present=1),
        Decision(first_join=True, occupied=True, begin="everything"),
    ),
    "the first participant winds up the limit": (
        replace(EMPTY_ROOM, present=1, max_duration=60),
        Decision(first_join=True, occupied=True, begin="everything", again_at=at(70)),
    ),
    "no limit is no limit": (replace(OCCUPIED, max_duration=None), Decision()),
    "a limit of 0 is none": (replace(OCCUPIED, max_duration=0), Decision()),
    "another participant starts nothing": (replace(OCCUPIED, present=3), Decision()),
    "what the settings come to start by themselves begins while somebody is there": (
        replace(OCCUPIED, automatic_is_new=True),
        Decision(begin="what is new"),
    ),
    "also while the SFU is away": (
        replace(OCCUPIED, automatic_is_new=True, present=None),
        Decision(begin="what is new"),
    ),
    "but not in an empty room": (replace(LEFT, automatic_is_new=True), Decision(again_at=at(35))),
    "the last one leaves": (replace(OCCUPIED, present=0), Decision(occupied=False, again_at=at(40))),
    "the last one leaves, and nothing runs": (
        replace(OCCUPIED, present=0, wanted_at=None),
        Decision(occupied=False),
    ),
    "an SFU that is away has not emptied the room": (replace(OCCUPIED, present=None), Decision()),
    "empty, but not for long enough": (LEFT, Decision(again_at=at(35))),
    "empty for long enough": (replace(LEFT, now=at(35)), Decision(stop=INACTIVITY)),
    "empty for long enough, also while the SFU is away": (
        replace(LEFT, now=at(35), present=None),
        Decision(stop=INACTIVITY),
    ),
    "empty for long enough, and nothing runs": (replace(LEFT, now=at(35), wanted_at=None), Decision()),
    "what is asked for in an empty room waits as long": (
        replace(LEFT, now=at(36), wanted_at=at(20)),
        Decision(again_at=at(50)),
    ),
    "a shorter timeout counts at once": (replace(LEFT, inactivity_timeout=5), Decision(stop=INACTIVITY)),
    "a room that nobody entered is not left alone": (
        replace(EMPTY_ROOM, now=at(1000), wanted_at=at(0)),
        Decision(),
    ),
    "somebody comes back in time": (
        replace(LEFT, present=1),
        Decision(occupied=True, begin="everything"),
    ),
    "somebody comes back after everything was stopped": (
        replace(LEFT, now=at(100), present=1, wanted_at=None),
        Decision(occupied=True, begin="everything"),
    ),
    "the limit is not reached": (replace(OCCUPIED, max_duration=11), Decision(again_at=at(11))),
    "the limit is reached": (replace(OCCUPIED, max_duration=10), Decision(end=MAX_DURATION)),
    "the limit was moved into the past": (replace(OCCUPIED, max_duration=3), Decision(end=MAX_DURATION)),
    "the limit ends an empty session, too": (
        replace(LEFT, max_duration=10, wanted_at=None),
        Decision(end=MAX_DURATION),
    ),
    "the limit comes before the timeout": (replace(LEFT, max_duration=20), Decision(again_at=at(20))),
    "a room that is missing is waited for": (
        replace(OCCUPIED, missing_since=at(5), patience=10),
        Decision(again_at=at(15)),
    ),
    "a room that is gone ends the session": (
        replace(OCCUPIED, missing_since=at(10)),
        Decision(end=ROOM_ENDED),
    ),
    "a session that is to end stops what runs": (
        replace(OCCUPIED, end_reason=SESSION_ENDED),
        Decision(stop=SESSION_ENDED),
    ),
    "and then nothing": (replace(OCCUPIED, end_reason=SESSION_ENDED, wanted_at=None), Decision()),
    "nobody starts anything in a session that is to end": (
        replace(EMPTY_ROOM, present=1, end_reason=SESSION_ENDED),
        Decision(),
    ),
}


@pytest.mark.parametrize(("facts", "decision"), TABLE.values(), ids=TABLE)
def test_what_is_due(facts: Facts, decision: Decision) -> None:
    assert decide(facts) == decision


@dataclass
class Model:
    """A session in a ledger, a room and a backend, as little of them as the rules need."""

    now: float = 0.0
    present: int | None = 0
    first_join_at: float | None = None
    empty_since: float | None = None
    end_reason: str | None = None
    running: float | None = None
    """When the one automatic output was asked for."""
    taken_back: bool = False
    """It was stopped by message since somebody came."""
    timeout: float = 30.0
    limit: float | None = None
    automatic: bool = True
    begun: list[float] = field(default_factory=list)
    woken_at: float | None = None

    def step(self) -> Decision:
        """Decide and do it."""

        def opt(seconds: float | None) -> datetime | None:
            return None if seconds is None else at(seconds)

        decision = decide(
            Facts(
                now=at(self.now),
                first_join_at=opt(self.first_join_at),
                empty_since=opt(self.empty_since),
                end_reason=self.end_reason,
                present=self.present,
                wanted_at=opt(self.running),
                inactivity_timeout=self.timeout,
                max_duration=self.limit,
            )
        )
        if decision.first_join:
            assert self.first_join_at is None
            self.first_join_at = self.now
        if decision.occupied is not None:
            self.empty_since = None if decision.occupied else self.now
        if decision.begin == "everything":
            assert self.end_reason is None, "something begins after the end"
            assert self.present, "something begins in an empty room"
            self.taken_back = False
            if self.running is None and self.automatic:
                self.begun.append(self.now)
                self.running = self.now
        if decision.end is not None:
            assert self.end_reason is None, "it ends twice"
            self.end_reason = decision.end
        if decision.stop is not None or decision.end is not None:
            self.running = None
        self.woken_at = None if decision.again_at is None else (decision.again_at - T0).total_seconds()
        return decision

    def settle(self) -> None:
        """Until nothing more is due at this instant."""
        for _ in range(4):
            if self.step() == replace(Decision(), again_at=None if self.woken_at is None else at(self.woken_at)):
                return
        raise AssertionError("what is due is never done")

    def pass_time(self, seconds: float) -> None:
        """Let time pass; a timer that was promised rings."""
        until = self.now + seconds
        while self.woken_at is not None and self.woken_at <= until:
            self.now = max(self.now, self.woken_at)
            self.settle()
            assert self.woken_at is None or self.woken_at > self.now, "a timer rings for ever"
        self.now = until


ACTIONS = st.one_of(
    st.tuples(st.just("people"), st.one_of(st.none(), st.integers(0, 3))),
    st.tuples(st.just("time"), st.sampled_from([0.5, 4.0, 9.0, 31.0, 100.0])),
    st.tuples(st.just("limit"), st.sampled_from([None, 0.0, 5.0, 40.0, 200.0])),
    st.tuples(st.just("timeout"), st.sampled_from([5.0, 30.0])),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("start"), st.none()),
    st.tuples(st.just("end"), st.none()),
)


@given(st.lists(ACTIONS, max_size=40))
def test_whatever_happens_nothing_starts_twice_or_after_the_end_or_is_left_running(
    actions: list[tuple[str, float | None]],
) -> None:
    m = Model()
    for action, value in actions:
        match action:
            case "people":
                m.present = None if value is None else int(value)
            case "time":
                m.pass_time(value or 0.0)
            case "limit":
                m.limit = value
            case "timeout":
                m.timeout = value or 5.0
            case "stop" if m.running is not None:
                m.running, m.taken_back = None, True
            case "start" if m.running is None and m.end_reason is None:
                m.running, m.taken_back = m.now, False
            case "end" if m.end_reason is None:
                m.end_reason, m.running = SESSION_ENDED, None
        before = len(m.begun)
        m.settle()
        assert len(m.begun) <= before + 1
        if m.end_reason is not None:
            assert m.running is None, "it runs after the end"
        elif m.present:
            # Somebody is there: what is automatic runs, unless a message took it back.
            assert m.running is not None or m.taken_back
        if m.running is not None and m.empty_since is not None:
            assert m.now < max(m.empty_since, m.running) + m.timeout, "it runs in a room left alone for too long"
        if m.limit and m.first_join_at is not None and m.end_reason is None:
            assert m.now < m.first_join_at + m.limit, "it lasts longer than it may"


def test_every_reason_has_a_sentence() -> None:
    assert {INACTIVITY, MAX_DURATION, ROOM_ENDED, SESSION_ENDED} < set(REASONS)
    assert all(len(text) > 10 for text in REASONS.values())
