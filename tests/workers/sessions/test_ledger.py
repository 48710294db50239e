"""Sessions in the ledger: announced once, ended once, over when nothing is left; the same on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from workers.ledger import claims, lifecycle, sessions, wishes
from workers.ledger.claims import LeaseLost
from workers.ledger.database import Ledger
from workers.ledger.states import State
from workers.ledger.tables import Call, CallSession, Egress
from workers.refused import BadMessage, Refused
from workers.sessions.policy import INACTIVITY, REASONS, SESSION_ENDED, SUPERSEDED, Decision

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = "default:tests"
ROOM = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1}
OTHER_ROOM = {**ROOM, "room": 2}


def announce(ledger: Ledger, session_id: str = "s1", cid: str = CALL, room: dict[str, Any] = ROOM) -> str:
    with ledger.writing() as tx:
        return sessions.announce(tx, cid, session_id, room, T0)


def want(ledger: Ledger, egress_id: str = "e1", session_id: str | None = "s1", unique: bool = True) -> None:
    wish = wishes.Wish(
        CALL, egress_id, "composite_recording", "composite", ROOM, {"quality": "360p"}, "local", session_id
    )
    with ledger.writing() as tx:
        wishes.want(tx, wish, T0, unique=unique)


def session(ledger: Ledger, session_id: str = "s1") -> CallSession:
    with ledger.reading() as tx:
        return tx.get_one(CallSession, session_id)


def egress(ledger: Ledger, egress_id: str = "e1") -> Egress:
    with ledger.reading() as tx:
        return tx.get_one(Egress, egress_id)


def end(ledger: Ledger, reason: str = SESSION_ENDED, session_id: str = "s1") -> None:
    with ledger.writing() as tx:
        sessions.ended(tx, tx.get_one(CallSession, session_id), reason, T0)


def settle(ledger: Ledger, session_id: str = "s1") -> bool:
    with ledger.writing() as tx:
        return sessions.settle(tx, tx.get_one(CallSession, session_id), T0)


def finish(ledger: Ledger, egress_id: str = "e1") -> None:
    """As if its attendant had stopped it and its file were delivered."""
    with ledger.writing() as tx:
        found = tx.get_one(Egress, egress_id)
        if State(found.state) is State.PENDING:
            lifecycle.aborted(tx, found, "it was stopped before it began", T0)


def test_a_session_is_announced_once(ledger: Ledger) -> None:
    assert announce(ledger) == "begun"
    assert announce(ledger) == "known"
    found = session(ledger)
    assert found.announced and found.connector == ROOM and found.call_cid == CALL
    assert found.first_join_at is None and found.ended_at is None


def test_a_session_that_has_ended_does_not_begin_again(ledger: Ledger) -> None:
    announce(ledger)
    end(ledger)
    assert session(ledger).ended_at == T0
    assert announce(ledger) == "over"
    assert session(ledger).ended_at == T0


def test_what_is_attended_by_message_alone_may_be_announced_later(ledger: Ledger) -> None:
    want(ledger)
    assert not session(ledger).announced
    assert announce(ledger) == "begun"
    assert session(ledger).announced
    finish(ledger)
    assert not settle(ledger), "it is watched until a backend says that it is over"


def test_a_session_is_one_calls_and_at_one_address(ledger: Ledger) -> None:
    announce(ledger)
    with pytest.raises(BadMessage, match="session_id: 's1' belongs to another call"):
        announce(ledger, cid="default:other")
    want(ledger, "e2", "s2")
    with pytest.raises(BadMessage, match="connector: session 's2' is attended at another address"):
        announce(ledger, "s2", room=OTHER_ROOM)


def test_a_later_session_of_the_call_ends_the_one_before(ledger: Ledger) -> None:
    announce(ledger)
    want(ledger)
    assert announce(ledger, "s2") == "begun"
    assert session(ledger).end_reason == SUPERSEDED
    assert egress(ledger).desired == "stop"
    assert session(ledger).ended_at is None, "it is over when its recording is finished"
    finish(ledger)
    assert settle(ledger)
    assert session(ledger, "s2").ended_at is None
    assert announce(ledger) == "over"


def test_the_end_of_a_session_stops_everything_with_its_reason_and_the_first_reason_counts(ledger: Ledger) -> None:
    announce(ledger)
    want(ledger)
    end(ledger)
    end(ledger, "room_ended")
    found = egress(ledger)
    assert (found.desired, found.stop_reason) == ("stop", REASONS[SESSION_ENDED])
    assert session(ledger).end_reason == SESSION_ENDED
    with pytest.raises(Refused, match="is over: session_ended"):
        want(ledger, "e2", unique=False)


def test_what_a_message_stopped_keeps_its_own_reason(ledger: Ledger) -> None:
    announce(ledger)
    want(ledger)
    with ledger.writing() as tx:
        assert wishes.unwant(tx, CALL, T0) == ["e1"]
    end(ledger)
    assert egress(ledger).stop_reason != REASONS[SESSION_ENDED]


def test_a_session_by_message_alone_is_over_when_nothing_of_it_is_left(ledger: Ledger) -> None:
    want(ledger)
    assert not settle(ledger)
    with ledger.writing() as tx:
        assert claims.claim(tx, "s1", "worker", T0, 30) == 1
    finish(ledger)
    assert settle(ledger)
    assert settle(ledger)
    found = session(ledger)
    assert (found.ended_at, found.end_reason, found.owner) == (T0, None, None)


def test_a_session_that_ran_out_begins_anew_with_the_next_wish(ledger: Ledger) -> None:
    want(ledger)
    finish(ledger)
    with ledger.writing() as tx:
        row = tx.get_one(CallSession, "s1")
        sessions.note(tx, row, Decision(first_join=True, occupied=True), 2, T0)
    assert settle(ledger)
    want(ledger, "e2")
    found = session(ledger)
    assert found.ended_at is None and found.first_join_at is None and found.participants == 0


def test_a_session_is_not_over_while_an_attendant_is_in_it(ledger: Ledger) -> None:
    announce(ledger)
    with ledger.writing() as tx:
        tx.get_one(CallSession, "s1").attendant_socket = "/run/a.sock"
    end(ledger)
    assert session(ledger).ended_at is None
    with ledger.writing() as tx:
        tx.get_one(CallSession, "s1").attendant_socket = None
    assert settle(ledger)


def test_delivery_does_not_keep_a_session_open(ledger: Ledger) -> None:
    want(ledger)
    with ledger.writing() as tx:
        found = tx.get_one(Egress, "e1")
        lifecycle.starting(found, T0)
        lifecycle.started(tx, found, T0, T0)
        lifecycle.stopped(tx, found, "it was stopped", T0, T0)
        assert State(found.state) is State.FINALIZING
    assert settle(ledger)


def test_presence_is_written_down(ledger: Ledger) -> None:
    announce(ledger)
    want(ledger)
    later = T0 + timedelta(seconds=9)
    with ledger.writing() as tx:
        row = tx.get_one(CallSession, "s1")
        sessions.note(tx, row, Decision(first_join=True, occupied=True), 3, T0)
        sessions.note(tx, row, Decision(occupied=False), 0, later)
        sessions.note(tx, row, Decision(), None, later)
    found = session(ledger)
    assert (found.first_join_at, found.empty_since, found.participants) == (T0, later, 0)
    with ledger.writing() as tx:
        row = tx.get_one(CallSession, "s1")
        assert sessions.wanted_at(tx, "s1") == T0
        sessions.note(tx, row, Decision(stop=INACTIVITY), 0, later)
        assert sessions.wanted_at(tx, "s1") is None
    assert egress(ledger).stop_reason == REASONS[INACTIVITY]
    assert session(ledger).end_reason is None


def test_who_lost_the_lease_changes_nothing(ledger: Ledger) -> None:
    announce(ledger)
    with ledger.writing() as tx:
        claims.claim(tx, "s1", "a", T0, 30)
    with ledger.writing() as tx:
        assert sessions.held(tx, "s1", 1).id == "s1"
        claims.claim(tx, "s1", "b", T0 + timedelta(seconds=31), 30)
    with ledger.writing() as tx, pytest.raises(LeaseLost):
        sessions.held(tx, "s1", 1)
    with ledger.writing() as tx, pytest.raises(LeaseLost):
        sessions.held(tx, "none", 1)


def test_a_mark_changes_with_whatever_a_message_may_change(ledger: Ledger) -> None:
    announce(ledger)
    seen = []

    def look() -> None:
        with ledger.reading() as tx:
            seen.append(sessions.marks(tx, ["s1", "unknown"]))

    look()
    with ledger.writing() as tx:
        tx.get_one(Call, CALL).settings = {"limits": {"max_duration_seconds": 60}}
    look()
    want(ledger)
    look()
    with ledger.writing() as tx:
        wishes.unwant(tx, CALL, T0)
    look()
    end(ledger)
    look()
    look()
    assert all(set(one) == {"s1"} for one in seen)
    marks = [one["s1"] for one in seen]
    assert len(set(marks)) == 5 and marks[-1] == marks[-2]
