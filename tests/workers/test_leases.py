"""Leases: who may claim what, when commands may be given, and when others' sessions may be taken."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.orm import Session

from egress.protocol.reports import Over, PartOpened, Pong, Progress
from tests.workers.conftest import CONNECTOR
from workers.attending.hold import MARGIN, Hold, until
from workers.attending.inbox import Inbox
from workers.ledger import claims, clock, hosts, outbox
from workers.ledger.claims import LeaseLost
from workers.ledger.database import Ledger
from workers.ledger.tables import CallSession, WorkerHost
from workers.tenure import Tenure

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def make(ledger: Ledger, *ids: str, announced: bool = True) -> None:
    with ledger.writing() as tx:
        outbox.know_call(tx, "default:c", NOW)
        for id_ in ids:
            tx.add(
                CallSession(
                    id=id_, call_cid="default:c", connector=CONNECTOR, announced=announced, created_at=NOW, epoch=0
                )
            )


def ids_open(tx: Session, owner: str, now: datetime, *, take_over: bool = True) -> list[str]:
    return [session.id for session in claims.open_sessions(tx, owner, now, take_over=take_over)]


def test_a_session_belongs_to_one_worker_until_its_lease_is_over(ledger: Ledger) -> None:
    make(ledger, "s")
    with ledger.writing() as tx:
        assert claims.claim(tx, "s", "first", NOW, 10) == 1
        assert claims.claim(tx, "s", "second", later(10), 10) is None
        assert claims.claim(tx, "s", "first", later(5), 10) == 1
        assert claims.claim(tx, "s", "second", later(15.1), 10) == 2
        assert claims.claim(tx, "s", "first", later(16), 10) is None
        with pytest.raises(LeaseLost):
            claims.owned(tx, "s", 1)
        assert claims.owned(tx, "s", 2).owner == "second"


def test_a_renewal_says_what_is_lost_and_takes_nothing_back(ledger: Ledger) -> None:
    make(ledger, "kept", "lost", "given-back")
    with ledger.writing() as tx:
        for id_ in ("kept", "lost", "given-back"):
            assert claims.claim(tx, id_, "first", NOW, 10) == 1
        assert claims.claim(tx, "lost", "second", later(11), 10) == 2
        claims.release(tx.get_one(CallSession, "given-back"))
    with ledger.writing() as tx:
        held = {"kept": 1, "lost": 1, "given-back": 1}
        assert claims.renew(tx, "first", held, later(12), 10) == {"lost"}
    with ledger.reading() as tx:
        expires = {s.id: (s.owner, s.lease_expires) for s in tx.query(CallSession)}
    assert expires == {
        "kept": ("first", later(22)),
        "lost": ("second", later(21)),
        "given-back": (None, None),
    }


def test_only_those_who_may_take_over_are_shown_leases_that_ran_out(ledger: Ledger) -> None:
    make(ledger, "free", "mine", "theirs", "expired")
    with ledger.writing() as tx:
        claims.claim(tx, "mine", "first", NOW, 10)
        claims.claim(tx, "theirs", "second", NOW, 100)
        claims.claim(tx, "expired", "second", NOW, 10)
    with ledger.reading() as tx:
        assert sorted(ids_open(tx, "first", later(20))) == ["expired", "free", "mine"]
        assert sorted(ids_open(tx, "first", later(20), take_over=False)) == ["free", "mine"]


def test_a_session_nobody_announced_and_nothing_is_wanted_of_is_no_work(ledger: Ledger) -> None:
    make(ledger, "s", announced=False)
    with ledger.reading() as tx:
        assert ids_open(tx, "first", NOW) == []


def test_the_clock_of_leases_is_the_ledgers(ledger: Ledger) -> None:
    with ledger.reading() as tx:
        assert abs((clock.now(tx) - datetime.now(UTC)).total_seconds()) < 5


def test_workers_are_known_while_they_give_signs_of_life(ledger: Ledger) -> None:
    with ledger.writing() as tx:
        hosts.beat(tx, "first", "host-a", "1.0", NOW)
        hosts.beat(tx, "first", "host-a", "1.1", later(30))
        hosts.beat(tx, "second", "host-b", "1.1", later(5))
    with ledger.writing() as tx:
        assert [(h.id, h.version, h.seen_at) for h in hosts.known(tx)] == [
            ("first", "1.1", later(30)),
            ("second", "1.1", later(5)),
        ]
        assert hosts.others(tx, "first", later(30), 25) and not hosts.others(tx, "first", later(31), 25)
        assert hosts.gone(tx, later(31), 25) == ["second"]
        assert hosts.leave(tx, "second")
    with ledger.reading() as tx:
        assert tx.get(WorkerHost, "second") is None


def test_a_lease_may_be_used_for_less_than_it_lasts() -> None:
    assert until(100.0, 35.0) == pytest.approx(100 + 35 * (1 - MARGIN))
    assert until(100.0, 35.0) < 100 + 35


async def test_commands_wait_for_a_renewal_and_end_with_the_loss() -> None:
    loop = asyncio.get_running_loop()
    hold = Hold("s", 1, loop.time() + 0.1)
    await hold.wait()
    await asyncio.sleep(0.15)
    assert not hold.good
    waiting = asyncio.create_task(hold.wait())
    await asyncio.sleep(0.05)
    assert not waiting.done()
    hold.extend(loop.time() + 0.1)
    await asyncio.wait_for(waiting, 1)
    hold.extend(loop.time() - 1)  # an older answer that comes later takes nothing away
    assert hold.good
    await asyncio.sleep(0.15)
    waiting = asyncio.create_task(hold.wait())
    await asyncio.sleep(0.02)
    hold.lose()
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(waiting, 1)
    hold.extend(loop.time() + 10)
    assert not hold.good


def test_others_sessions_are_taken_when_their_owners_had_time_to_renew() -> None:
    tenure = Tenure(lease=30.0, now=0.0)
    assert tenure.interval == pytest.approx(30 / 7)
    assert not tenure.may_take_over(9.9)  # it has just begun: what was before is not known
    for second in range(1, 21):
        assert not tenure.reached(float(second))
    assert tenure.may_take_over(20.0)
    assert tenure.missed(21.0) and not tenure.missed(22.0)
    assert tenure.away(25.0) == 5.0
    assert tenure.reached(50.0) and not tenure.reached(51.0)
    assert not tenure.may_take_over(59.9) and tenure.may_take_over(60.1)


def test_a_worker_that_slept_does_not_know_what_happened_meanwhile() -> None:
    tenure = Tenure(lease=30.0, now=0.0)
    tenure.reached(14.0)
    assert tenure.may_take_over(14.0)
    tenure.reached(100.0)
    assert not tenure.may_take_over(105.0) and tenure.may_take_over(110.0)


async def test_an_inbox_keeps_what_matters_and_the_newest_of_what_passes() -> None:
    inbox = Inbox()

    def progress(egress_id: str, recorded: float) -> Progress:
        return Progress(
            at=NOW,
            egress_id=egress_id,
            recorded=recorded,
            size=1,
            participants=1,
            pictures=1,
            pictures_dropped=0,
        )

    opened = PartOpened(seq=1, at=NOW, egress_id="a", part=1, path="/x", start_time=NOW)  # type: ignore[arg-type]
    over = Over(seq=2, at=NOW, code="", reason="left")
    for report in (progress("a", 1), opened, Pong(at=NOW), progress("b", 1), progress("a", 2), over):
        inbox.put(report)
    inbox.close()
    said = [report async for report in inbox.reports()]
    assert said[:2] == [opened, over]
    assert [(r.egress_id, r.recorded) for r in said[2:] if isinstance(r, Progress)] == [("a", 2), ("b", 1)]
