"""The ledger: wishes, leases, reports, and the order of events."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    Over,
    PartClosed,
    PartOpened,
)
from storage.keys import DEFAULT_TEMPLATE
from workers.ledger import claims, files, lifecycle, outbox, reports, upgrade, wishes
from workers.ledger.database import HEAD, Ledger
from workers.ledger.tables import Base, CallSession, Egress, Event
from workers.refused import BadMessage, Refused

T0 = datetime(2025, 2, 10, 9, 15, 44, 252969, UTC)
CONNECTOR = {"type": "janus", "room": 1}


def wish(egress_id: str = "e1", **fields: Any) -> wishes.Wish:
    base: dict[str, Any] = {
        "call_cid": "default:abc",
        "egress_id": egress_id,
        "kind": "composite_recording",
        "recording_type": "composite",
        "connector": CONNECTOR,
        "spec": {"quality": "720p"},
        "storage": "local",
        "session_id": "s1",
    }
    return wishes.Wish(**{**base, **fields})


def want(ledger: Ledger, *args: Any, unique: bool = False, **fields: Any) -> wishes.Written:
    with ledger.writing() as tx:
        return wishes.want(tx, wish(*args, **fields), T0, unique=unique)


def begun(ledger: Ledger) -> None:
    """e1 of session s1 is claimed with epoch 1 and told to start."""
    want(ledger)
    with ledger.writing() as tx:
        assert claims.claim(tx, "s1", "us", T0, 30) == 1
        lifecycle.starting(tx.get_one(Egress, "e1"), T0)


def tell(ledger: Ledger, report: Any, epoch: int = 1) -> bool:
    with ledger.writing() as tx:
        return reports.write(tx, "s1", epoch, report, DEFAULT_TEMPLATE, "host", T0)


def events(ledger: Ledger) -> list[str]:
    with ledger.reading() as tx:
        return [e.type.removeprefix("call.recording_") for e in outbox.after(tx, 0)]


def state(ledger: Ledger) -> str:
    with ledger.reading() as tx:
        return tx.get_one(Egress, "e1").state


def closed_part(seq: int, part: int = 1) -> PartClosed:
    return PartClosed(
        seq=seq,
        at=T0,
        egress_id="e1",
        part=part,
        path=Path(f"/spool/e1/{part}.mp4"),
        start_time=T0,
        end_time=T0 + timedelta(seconds=10),
        size=1000,
        duration=10.0,
    )


def test_the_migrations_make_what_the_tables_say(ledger: Ledger) -> None:
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, Base.metadata) == []
    folder = Path(upgrade.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_current_head() == HEAD
    assert ledger.version() == HEAD


def test_a_wish_written_twice_is_one_egress(ledger: Ledger) -> None:
    assert want(ledger) == wishes.Written("e1", True)
    assert want(ledger) == wishes.Written("e1", False)


def test_a_second_recording_of_a_kind_is_refused_with_the_id_of_the_one_that_runs(ledger: Ledger) -> None:
    want(ledger)
    with pytest.raises(Refused, match="runs already: e1") as caught:
        want(ledger, "e2", unique=True)
    assert (caught.value.code, caught.value.egress_id) == (409, "e1")
    assert want(ledger, "e2") == wishes.Written("e2", True)


def test_ids_of_another_call_are_refused(ledger: Ledger) -> None:
    want(ledger)
    with pytest.raises(BadMessage, match="egress_id: 'e1' belongs to another call"):
        want(ledger, call_cid="default:other")
    with pytest.raises(BadMessage, match="session_id: 's1' belongs to another call"):
        want(ledger, "e2", call_cid="default:other")


def test_a_session_is_attended_at_one_address(ledger: Ledger) -> None:
    want(ledger)
    with pytest.raises(Refused, match="connector: session 's1' of the call is attended at another address"):
        want(ledger, "e2", connector={"type": "janus", "room": 2})


def test_a_session_is_claimed_by_one_and_its_epoch_rises_with_the_owner(ledger: Ledger) -> None:
    want(ledger)
    later = T0 + timedelta(seconds=31)
    with ledger.writing() as tx:
        assert claims.claim(tx, "s1", "a", T0, 30) == 1
    with ledger.writing() as tx:
        assert claims.claim(tx, "s1", "b", T0, 30) is None
        assert claims.open_sessions(tx, "b", T0) == []
        assert claims.claim(tx, "s1", "a", T0, 30) == 1
    with ledger.writing() as tx:
        assert [s.id for s in claims.open_sessions(tx, "b", later)] == ["s1"]
        assert claims.claim(tx, "s1", "b", later, 30) == 2
    with ledger.writing() as tx, pytest.raises(claims.LeaseLost):
        claims.owned(tx, "s1", 1)


def test_reports_of_a_former_owner_are_refused(ledger: Ledger) -> None:
    begun(ledger)
    with ledger.writing() as tx:
        claims.claim(tx, "s1", "them", T0 + timedelta(seconds=31), 30)
    with pytest.raises(claims.LeaseLost):
        tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    assert state(ledger) == "starting"


def test_reports_make_the_life_of_a_recording(ledger: Ledger) -> None:
    begun(ledger)
    path = Path("/spool/e1/1.mp4")
    told: list[tuple[Any, str]] = [
        (PartOpened(seq=1, at=T0, egress_id="e1", part=1, path=path, start_time=T0), "starting"),
        (EgressStarted(seq=2, at=T0, egress_id="e1"), "active"),
        (EgressStopped(seq=3, at=T0, egress_id="e1", reason="stopped"), "finalizing"),
        (closed_part(4), "finalizing"),
        (EgressEnded(seq=5, at=T0, egress_id="e1"), "finalizing"),
    ]
    for report, expected in told:
        assert tell(ledger, report)
        assert state(ledger) == expected
    assert events(ledger) == ["started", "stopped"]
    with ledger.writing() as tx:
        (file,) = files.deliverable(tx)
        assert file.key == "default/abc/s1/e1_20250210T091544Z_001.mp4"
        files.delivered(tx, file.id, "file:///x.mp4", 1000, T0)
    assert state(ledger) == "complete"
    assert events(ledger) == ["started", "stopped", "ready"]
    with ledger.reading() as tx:
        ready = outbox.after(tx, 0)[-1].payload
    assert ready == {
        "type": "call.recording_ready",
        "created_at": "2025-02-10T09:15:44.252969Z",
        "call_cid": "default:abc",
        "egress_id": "e1",
        "recording_type": "composite",
        "call_recording": {
            "end_time": "2025-02-10T09:15:54.252969Z",
            "filename": "e1_20250210T091544Z_001.mp4",
            "recording_type": "composite",
            "session_id": "s1",
            "start_time": "2025-02-10T09:15:44.252969Z",
            "url": "file:///x.mp4",
        },
    }


def test_a_report_told_twice_counts_once(ledger: Ledger) -> None:
    begun(ledger)
    report = EgressStarted(seq=1, at=T0, egress_id="e1")
    assert tell(ledger, report)
    assert not tell(ledger, report)
    assert events(ledger) == ["started"]


def test_delivering_twice_tells_once(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2))
    for _ in range(2):
        with ledger.writing() as tx:
            files.delivered(tx, 1, "file:///x.mp4", 1000, T0)
    assert events(ledger) == ["started", "ready"]


def test_a_failure_is_told_with_its_reason_and_keeps_finished_files(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2))
    tell(ledger, EgressFailed(seq=3, at=T0, egress_id="e1", code="disk_full", error="no space is left"))
    assert state(ledger) == "failed"
    with ledger.writing() as tx:
        assert len(files.deliverable(tx)) == 1
        payload = outbox.after(tx, 0)[-1].payload
    assert (payload["error_code"], payload["error"]) == ("disk_full", "no space is left")
    tell(ledger, EgressStopped(seq=4, at=T0, egress_id="e1", reason="late"))
    tell(ledger, Over(seq=5, at=T0, code="x", reason="y"))
    assert events(ledger) == ["started", "failed"]


def test_a_last_word_ends_what_it_did_not_end_before(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, closed_part(2))
    tell(ledger, Over(seq=3, at=T0, code="", reason="the room closed"))
    assert state(ledger) == "finalizing"
    with ledger.reading() as tx:
        assert tx.get_one(Egress, "e1").stop_reason == "the room closed"


def test_what_an_attendant_ends_unasked_goes_on_while_it_is_wanted(ledger: Ledger) -> None:
    begun(ledger)
    tell(ledger, EgressStarted(seq=1, at=T0, egress_id="e1"))
    tell(ledger, EgressStopped(seq=2, at=T0, egress_id="e1", reason="nobody spoke", unasked=True))
    tell(ledger, closed_part(3))
    tell(ledger, EgressEnded(seq=4, at=T0, egress_id="e1", unasked=True))
    tell(ledger, Over(seq=5, at=T0, code="", reason="nobody spoke", unasked=True))
    assert state(ledger) == "active"
    with ledger.writing() as tx:
        tx.get_one(Egress, "e1").desired = "stop"
    tell(ledger, EgressStopped(seq=6, at=T0, egress_id="e1", reason="nobody spoke", unasked=True))
    tell(ledger, EgressEnded(seq=7, at=T0, egress_id="e1", unasked=True))
    assert state(ledger) == "finalizing"


def test_nothing_is_written_when_a_step_is_not_allowed(ledger: Ledger) -> None:
    want(ledger)
    with ledger.writing() as tx:
        claims.claim(tx, "s1", "us", T0, 30)
    with pytest.raises(Exception, match="cannot become"):
        tell(ledger, EgressStopped(seq=1, at=T0, egress_id="e1", reason="x"))
        with ledger.writing() as tx:
            lifecycle.move(tx.get_one(Egress, "e1"), lifecycle.State.COMPLETE, T0)
    assert state(ledger) == "pending"


def test_events_of_a_call_are_numbered_without_gaps_whoever_writes_them(ledger: Ledger) -> None:
    def write() -> None:
        for _ in range(20):
            ledger.write(lambda tx: outbox.put(tx, {"type": "t", "call_cid": "default:abc"}, T0))

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ledger.reading() as tx:
        found = outbox.after(tx, 0)
        assert [e.position for e in found] == list(range(1, 81))
        assert len({e.id for e in found}) == 80


def test_an_event_and_its_state_are_written_together_or_not_at_all(ledger: Ledger) -> None:
    begun(ledger)
    with pytest.raises(RuntimeError), ledger.writing() as tx:
        lifecycle.started(tx, tx.get_one(Egress, "e1"), T0, T0)
        raise RuntimeError
    assert (state(ledger), events(ledger)) == ("starting", [])


def test_times_come_back_aware_and_in_utc(ledger: Ledger) -> None:
    want(ledger)
    with ledger.reading() as tx:
        found = tx.get_one(CallSession, "s1").created_at
    assert found == T0 and found.utcoffset() == timedelta(0)


def test_a_stop_names_what_it_concerns(ledger: Ledger) -> None:
    want(ledger)
    want(ledger, "e2")
    with ledger.writing() as tx:
        assert wishes.unwant(tx, "default:abc", T0, egress_id="e2") == ["e2"]
        assert sorted(wishes.unwant(tx, "default:abc", T0)) == ["e1", "e2"]
        assert wishes.unwant(tx, "default:none", T0) == []
        assert tx.query(Event).count() == 0
