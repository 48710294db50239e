"""Several workers on one ledger: who has a call, when another may have it, and what becomes of what was recorded."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.workers.conftest import CONNECTOR, Bench, MakeBench, until
from workers.attending.hold import MARGIN
from workers.ledger.tables import CallSession, File, WorkerHost

LEASE = 2.0
BRIEFLY: dict[str, Any] = {
    "agent": {"lease": LEASE, "patience": 60.0},
    "attendants": {"orphan_timeout": 3.5, "silence": 1.5, "ping_interval": 0.3},
}


def briefly(**agent: Any) -> dict[str, Any]:
    return {"agent": {**BRIEFLY["agent"], **agent}, "attendants": dict(BRIEFLY["attendants"])}


def owner(b: Bench) -> str | None:
    return b.session().owner


def all_files(b: Bench, egress_id: str) -> list[File]:
    with b.ledger.reading() as tx:
        return list(tx.scalars(select(File).where(File.egress_id == egress_id).order_by(File.epoch, File.part)))


def hold_of(b: Bench) -> float:
    """Until when the worker may command its only call, on the loop's clock."""
    (charge,) = b.agent._charges.values()
    return charge.hold.until


def runs(pid: int) -> bool:
    """Whether the process does anything: one that has ended and that nobody asked about has no command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


async def only(first: Bench) -> str:
    egress_id = first.record()
    await first.until_recorded(egress_id, 0.5)
    return egress_id


async def test_a_worker_cut_off_stops_commanding_before_another_can_have_its_call(host: MakeBench) -> None:
    loop = asyncio.get_running_loop()
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    second = await host("second", **BRIEFLY)
    await asyncio.sleep(LEASE)
    assert owner(first) == "first"

    first.cut_off = True
    cut_at = loop.time()
    await until(lambda: owner(second) == "second")
    taken_at = loop.time()

    assert hold_of(first) < taken_at - LEASE * MARGIN / 2
    assert hold_of(first) <= cut_at + LEASE
    assert taken_at - cut_at < LEASE + 1.0
    # What the cut off worker is asked for now it does not do: the ledger's word is the other one's to hear.
    second.send("stop_recording")
    egress = await second.until_state(egress_id, "finalizing", "complete")
    assert egress.stop_reason is not None


async def test_a_lost_call_goes_on_elsewhere_and_what_was_recorded_is_delivered(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    pid = first.attendant_pid()
    second = await host("second", **BRIEFLY)
    await asyncio.sleep(LEASE / 2)
    first.cut_off = True
    await until(lambda: owner(second) == "second")
    await until(lambda: len(all_files(second, egress_id)) == 2)
    assert runs(pid)  # nobody told it yet that its call is another's
    first.cut_off = False
    await until(lambda: [f.state for f in all_files(second, egress_id)] == ["delivered", "open"])
    await until(lambda: not runs(pid))
    assert second.egress(egress_id).state == "active"

    second.send("stop_recording")
    await second.until_state(egress_id, "complete")
    lost, kept = all_files(second, egress_id)
    assert (lost.epoch, lost.part, lost.host, lost.salvaged) == (1, 1, "first", False)
    assert (kept.epoch, kept.part, kept.host, kept.salvaged) == (2, 2, "second", False)
    assert lost.key != kept.key
    types = [e["type"].removeprefix("call.recording_") for e in second.events() if "recording_" in e["type"]]
    assert types == ["started", "ready", "stopped", "ready"]
    assert second.egress(egress_id).restarts == 1


async def test_nobody_takes_anything_when_the_ledger_was_away_for_all(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    pid = first.attendant_pid()
    second = await host("second", **BRIEFLY)
    await asyncio.sleep(LEASE / 2)
    first.cut_off = second.cut_off = True
    await asyncio.sleep(2 * LEASE)
    assert first.session().lease_expires < datetime.now(UTC)
    # The other one comes back first, and its first look finds the lease long over.
    second.cut_off = False
    await asyncio.sleep(LEASE / 5)
    first.cut_off = False
    await asyncio.sleep(LEASE)
    assert (owner(first), first.session().epoch, first.attendant_pid()) == ("first", 1, pid)
    first.send("stop_recording")
    await first.until_state(egress_id, "complete")
    (file,) = all_files(first, egress_id)
    assert file.duration is not None and file.duration > 2.5 * LEASE
    assert first.egress(egress_id).restarts == 0


async def test_attendants_finish_when_the_ledger_stays_away_for_too_long(host: MakeBench) -> None:
    only_one = await host("first", **briefly(patience=1.0))
    egress_id = await only(only_one)
    pid = only_one.attendant_pid()
    only_one.cut_off = True
    await asyncio.sleep(0.5)
    assert runs(pid)
    await asyncio.sleep(2.0)
    only_one.cut_off = False
    await only_one.until_state(egress_id, "complete")
    (file,) = all_files(only_one, egress_id)
    assert file.duration is not None and 1.0 < file.duration < 2.8


async def test_a_worker_that_comes_back_lets_the_attendant_finish_whose_call_it_lost(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    pid = first.attendant_pid()
    second = await host("second", **BRIEFLY)
    await first.drop()
    await until(lambda: owner(second) == "second")
    await until(lambda: len(all_files(second, egress_id)) == 2)
    assert runs(pid)
    await first.start()
    await until(lambda: [f.state for f in all_files(second, egress_id)] == ["delivered", "open"])
    assert not all_files(second, egress_id)[0].salvaged
    assert (owner(second), second.egress(egress_id).state) == ("second", "active")
    await until(lambda: not runs(pid))
    second.send("stop_recording")
    await second.until_state(egress_id, "complete")


async def test_a_host_that_is_gone_is_replaced_when_its_lease_is_over(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    second = await host("second", **BRIEFLY)
    await asyncio.sleep(LEASE / 2)
    pid = first.attendant_pid()
    await first.drop()
    os.kill(pid, signal.SIGKILL)
    gone = datetime.now(UTC)
    await until(lambda: len(all_files(second, egress_id)) == 2)
    taken_up = all_files(second, egress_id)[1]
    assert (taken_up.host, taken_up.part, taken_up.epoch) == ("second", 2, 2)
    assert taken_up.start_time - gone < timedelta(seconds=LEASE + 3)
    # The file of the dead host stays for it, or for whoever completes its upload: it is not on this one.
    assert all_files(second, egress_id)[0].state == "open"


async def test_calls_are_spread_over_workers_by_what_fits(host: MakeBench) -> None:
    one_core = briefly(cpus=1.0)
    first = await host("first", **one_core)
    await host("second", **one_core)
    calls = [f"default:call-{n}" for n in range(3)]
    ids = [first.send("start_recording", call_cid=cid).egress_ids[0] for cid in calls]
    await until(lambda: sorted(first.egress(i).state for i in ids) == ["active", "active", "pending"], 20.0)
    with first.ledger.reading() as tx:
        owners = sorted(str(s.owner) for s in tx.scalars(select(CallSession)))
    assert owners == ["None", "first", "second"]
    status = first.status
    assert (status.attended, status.cores, status.cpus, status.waiting) == (1, 1.0, 1.0, 1)

    running = next(i for i in ids if first.egress(i).state == "active")
    waits = next(i for i in ids if first.egress(i).state == "pending")
    first.send("stop_recording", call_cid=first.egress(running).call_cid)
    await first.until_state(waits, "active")


async def test_an_egress_more_is_taken_where_its_call_is_attended_however_full_that_is(host: MakeBench) -> None:
    first = await host("first", **briefly(cpus=1.0))
    egress_id = await only(first)
    await host("second", **briefly(cpus=8.0))
    second_egress = first.add_egress(egress_id, "more")
    await first.until_state(second_egress, "active")
    assert owner(first) == "first"
    assert first.status.cores == pytest.approx(1.0 + 2.25)


async def test_a_machine_too_small_for_a_call_records_it_all_the_same(host: MakeBench) -> None:
    only_one = await host("first", **briefly(cpus=0.1))
    await only(only_one)


async def test_announced_sessions_are_watched_at_no_cost(host: MakeBench) -> None:
    first = await host("first", **briefly(cpus=1.0))
    await only(first)
    for n in range(3):
        first.send("call_session_started", call_cid=f"default:watched-{n}", session_id=f"s{n}", connector=CONNECTOR)
    await until(lambda: first.status.watched == 3)
    assert first.status.attended == 1


async def test_a_watched_call_that_begins_to_need_more_than_is_free_goes_to_another_worker(host: MakeBench) -> None:
    first = await host("first", **briefly(cpus=1.0))
    first.send("call_session_started", call_cid="default:watched", session_id="watched", connector=CONNECTOR)
    await until(lambda: first.status.watched == 1)
    busy = first.send("start_recording", call_cid="default:busy").egress_ids[0]
    await first.until_state(busy, "active")
    await host("second", **briefly(cpus=1.0))
    await asyncio.sleep(LEASE / 3)
    moved = first.send("start_recording", call_cid="default:watched", session_id="watched").egress_ids[0]
    await first.until_state(moved, "active")
    with first.ledger.reading() as tx:
        assert tx.get_one(CallSession, "watched").owner == "second"


async def test_a_draining_worker_begins_nothing_ends_what_it_has_and_hears_of_stops(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    first.send("call_session_started", call_cid="default:watched", session_id="watched", connector=CONNECTOR)
    await until(lambda: first.status.watched == 1)
    second = await host("second", **BRIEFLY)
    assert first.worker is not None and first.task is not None
    first.worker.stop(drain=60.0)
    with first.ledger.reading() as tx:
        attended = tx.scalars(select(CallSession.id).where(CallSession.attendant_socket.is_not(None))).one()

    def owners() -> dict[str, str | None]:
        with first.ledger.reading() as tx:
            return {s.id: s.owner for s in tx.scalars(select(CallSession))}

    await until(lambda: owners() == {attended: "first", "watched": "second"})
    other = first.send("start_recording", call_cid="default:other").egress_ids[0]
    await first.until_state(other, "active")
    assert sorted(map(str, owners().values())) == ["first", "second", "second"]
    assert first.status.draining
    # Longer than a lease: what drains is still held.
    await asyncio.sleep(LEASE)
    assert (owners()[attended], first.egress(egress_id).state) == ("first", "active")
    second.send("stop_recording", egress_id=egress_id)
    await first.until_state(egress_id, "complete")
    await asyncio.wait_for(first.task, 10.0)
    with first.ledger.reading() as tx:
        assert list(tx.scalars(select(WorkerHost.id))) == ["second"]
    first.task = None


async def test_what_drains_for_too_long_is_stopped_and_delivered(host: MakeBench) -> None:
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    assert first.worker is not None and first.task is not None
    first.worker.stop(drain=1.0)
    await asyncio.sleep(0.5)
    assert first.egress(egress_id).state == "active"
    await asyncio.wait_for(first.task, 10.0)
    assert first.egress(egress_id).state == "complete"
    assert [f.state for f in all_files(first, egress_id)] == ["delivered"]
    first.task = None


async def test_a_worker_that_hands_over_leaves_no_cut(host: MakeBench) -> None:
    loop = asyncio.get_running_loop()
    first = await host("first", **BRIEFLY)
    egress_id = await only(first)
    pid = first.attendant_pid()
    assert first.worker is not None and first.task is not None
    first.worker.stop(drain=60.0)
    told = loop.time()
    first.worker.stop(drain=60.0)  # the second signal
    await asyncio.wait_for(first.task, 5.0)
    assert loop.time() - told < 3.0 and first.worker.handed_over
    await first.start()
    await until(lambda: first.status.attended == 1)
    first.send("stop_recording")
    await first.until_state(egress_id, "complete")
    (file,) = all_files(first, egress_id)
    assert first.egress(egress_id).restarts == 0 and not file.salvaged
    await until(lambda: not runs(pid))


async def test_many_calls_are_each_claimed_once(host: MakeBench) -> None:
    unhurried = {"agent": {"lease": 10.0, "cpus": 100}, "attendants": {"orphan_timeout": 15.0}}
    first, second = await host("first", **unhurried), await host("second", **unhurried)
    for n in range(30):
        await asyncio.to_thread(
            lambda n=n: first.send(
                "call_session_started", call_cid=f"default:c{n}", session_id=f"s{n}", connector=CONNECTOR
            )
        )

    def claimed() -> list[tuple[str | None, int]]:
        with first.ledger.reading() as tx:
            return [(s.owner, s.epoch) for s in tx.scalars(select(CallSession))]

    await until(lambda: all(owner for owner, _ in claimed()), 20.0)
    await asyncio.sleep(1.0)
    assert {epoch for _, epoch in claimed()} == {1}
    assert first.status.watched + second.status.watched == 30
