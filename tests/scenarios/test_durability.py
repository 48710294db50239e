"""Nothing is lost: hosts, workers, attendants, stores, databases and hooks die, and what was delivered is judged."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import av
import pytest

from tests.rig.arrived import Arrived, Piece
from tests.rig.fleet import LEASE, Fleet
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product, moment, path_of
from tests.scenarios.kills import DELAY, KINDS, Trial

SOAK_KILLS = 30
TAIL = 2.0
"""Seconds of a growing file that may not be in the store yet."""
CALL, EGRESS = "default:call", "call"


@asynccontextmanager
async def fleet_and_room(
    folder: Path, workers: int = 1, *, proxied: bool = False, **settings: str
) -> AsyncIterator[tuple[Fleet, LoopbackRoom]]:
    async with AsyncExitStack() as stack:
        room = await stack.enter_async_context(LoopbackRoom(1, exact=True))
        fleet = Fleet(folder, workers, proxied=proxied, storage__tail_seconds=str(TAIL), **settings)
        yield await stack.enter_async_context(fleet), room


def kinds(count: int, seed: int) -> list[str]:
    """Each kind equally often, in random order."""
    drawn = [KINDS[number % len(KINDS)] for number in range(count)]
    random.Random(seed).shuffle(drawn)
    return drawn


def a_seed() -> int:
    """Other dice in every run; ``KILL_SEED`` throws the same ones again."""
    return int(os.environ.get("KILL_SEED") or int.from_bytes(os.urandom(2), "big"))


async def test_kills_cost_what_they_may_and_no_file_and_no_event(tmp_path: Path) -> None:
    seed = a_seed()
    third = random.Random(seed).choice(("broker", "database", "store"))
    trial = await Trial.of(tmp_path, ["attendant", "worker", third], seed)
    trial.check()


@pytest.mark.soak
async def test_thirty_random_kills_cost_what_they_may_and_no_file_and_no_event(tmp_path: Path) -> None:
    seed = a_seed()
    trial = await Trial.of(tmp_path, kinds(SOAK_KILLS, seed), seed)
    trial.check()


async def test_a_host_that_is_gone_is_replaced_and_its_upload_completed(tmp_path: Path) -> None:
    async with fleet_and_room(tmp_path, workers=2) as (fleet, room):
        await fleet.record(CALL, room.url, EGRESS)
        started = moment((await fleet.event("call.recording_started", CALL))["created_at"])
        await asyncio.sleep(8.0)
        (held,) = await fleet.attended(CALL)
        (open_,) = await fleet.files(EGRESS)
        lost = fleet.workers[held["owner"]]
        at = time.time()
        assert held["attendant_pid"] in await lost.lose()
        await fleet.event("call.recording_ready", CALL, timeout=40.0)  # of the dead one's file
        await asyncio.sleep(1.0)
        await fleet.stop(CALL, EGRESS)
        arrived = await fleet.arrived(EGRESS)
        files = await fleet.files(EGRESS)
        events = [event["type"] for event in fleet.events(cid=CALL)]
    first, second = arrived.pieces
    parts = open_["upload"]["parts"]
    last_sent = max(part["until"] for part in parts)
    print(
        f"next part {second[0] - at:.1f} s after the host was gone; the last part of its file had been sent "
        f"{at - last_sent:.1f} s before that, and the file ends {at - first[1]:.1f} s before"
    )
    assert second[0] - at < LEASE + 3.0
    assert first[1] > last_sent - DELAY - 1.5  # composition is behind, and a fragment lasts half a second
    assert files[0]["size"] >= sum(part["size"] for part in parts)
    assert first[0] == pytest.approx(started, abs=1.0)
    assert arrived.holes() == [pytest.approx((first[1], second[0]), abs=0.2)]
    assert arrived.missing_marks() == [s for s in arrived.missing_marks() if first[1] - 0.3 < s < second[0] + 0.3]
    assert [(f["part"], f["state"]) for f in files] == [(1, "delivered"), (2, "delivered")]
    assert files[1]["epoch"] == files[0]["epoch"] + 1
    assert sorted(events) == sorted([f"call.recording_{what}" for what in ("started", "ready", "stopped", "ready")])


async def _troubled(fleet: Fleet, room: LoopbackRoom, away: float) -> list[int]:
    """Hook away, store away, store slow; returns what the worker took of memory while the store was slow."""
    assert fleet.proxy is not None
    worker = fleet.workers["worker-1"]
    await fleet.record(CALL, room.url, EGRESS)
    await fleet.event("call.recording_ready", CALL, 1)
    await fleet.hook.kill()
    known = len(fleet.events())
    await asyncio.sleep(7.0)
    assert len(fleet.events()) == known
    await fleet.hook.start()
    await fleet.event("call.recording_ready", CALL, 2)
    await fleet.kill("store")
    await asyncio.sleep(away)
    waiting = await fleet.rows("SELECT count(*) AS count FROM files WHERE state = 'closed'")
    assert waiting[0]["count"] >= away // 5 - 1, waiting
    await fleet.start("store")
    await fleet.until(lambda: _delivered(fleet), 30.0, "what waited for the store was not delivered")
    fleet.proxy.bytes_per_second = 15_000.0
    memory = []
    for _ in range(10):
        await asyncio.sleep(1.0)
        memory.append(worker.memory())
    fleet.proxy.bytes_per_second = None
    await fleet.until(lambda: _delivered(fleet), 30.0, "what the slow store took late was not delivered")
    return memory


async def _delivered(fleet: Fleet) -> bool:
    rows = await fleet.rows("SELECT count(*) FILTER (WHERE state = 'closed') AS left FROM files")
    return bool(rows) and rows[0]["left"] == 0


@pytest.mark.parametrize("away", [15.0, pytest.param(60.0, marks=pytest.mark.soak)])
async def test_what_store_and_hook_do_not_take_is_kept_for_them(tmp_path: Path, away: float) -> None:
    async with fleet_and_room(tmp_path, proxied=True, recording__roll_over_seconds="5", events__keep_trying="600") as (
        fleet,
        room,
    ):
        memory = await _troubled(fleet, room, away)
        took = await fleet.stop(CALL, EGRESS, timeout=60.0)
        arrived = await fleet.arrived(EGRESS)
        outbox = await fleet.rows("SELECT id FROM outbox WHERE call_cid = %s ORDER BY position", CALL)
        came = list(dict.fromkeys(event.id for event in fleet.sent() if event.payload.get("call_cid") == CALL))
        spooled, left = fleet.spooled(), await fleet.unfinished_uploads()
        letters = await fleet.rows("SELECT * FROM dead_letters")
    print(f"{len(arrived.pieces)} files, stop to ready {took:.1f} s, memory {[m >> 20 for m in memory]} MiB")
    assert arrived.holes() == []
    assert arrived.missing_marks() == []
    assert came == [row["id"] for row in outbox]
    assert (spooled, left, letters) == ([], [], [])
    assert max(memory) - memory[0] < 24 << 20


async def test_a_worker_that_is_exchanged_in_mid_recording_leaves_no_cut(tmp_path: Path) -> None:
    async with fleet_and_room(tmp_path, agent__drain="0", agent__lease="20", attendants__orphan_timeout="30") as (
        fleet,
        room,
    ):
        worker = fleet.workers["worker-1"]
        await fleet.record(CALL, room.url, EGRESS)
        started = moment((await fleet.event("call.recording_started", CALL))["created_at"])
        await asyncio.sleep(3.0)
        assert await worker.end(signal.SIGUSR2, timeout=10.0) == 0
        await worker.begin()
        await fleet.until(lambda: fleet.held(CALL), 60.0, "the call was not taken up again")
        await asyncio.sleep(2.0)
        await worker.kill()
        await asyncio.sleep(1.0)
        await worker.begin()
        await fleet.until(lambda: fleet.held(CALL), 60.0, "the call was not taken up again")
        await asyncio.sleep(2.0)
        stopped = time.time()
        took = await fleet.stop(CALL, EGRESS)
        arrived = await fleet.arrived(EGRESS)
        await fleet.record(CALL, room.url, "second")
        await asyncio.sleep(4.0)
        terminated = time.time()
        code = await worker.end(signal.SIGTERM)
        ended = time.time()
        second = await fleet.arrived("second")
        events = [event["type"] for event in fleet.events(cid=CALL)]
        spooled = fleet.spooled()
    print(f"stop to ready {took:.2f} s; SIGTERM to exit {ended - terminated:.2f} s")
    assert len(arrived.pieces) == 1
    assert arrived.holes() == []
    assert arrived.missing_marks() == []
    assert arrived.end - arrived.begin == pytest.approx(stopped - started, abs=1.0)
    assert took <= 3.0
    assert room.operations["attend"] == 2
    assert code == 0
    assert len(second.pieces) == 1
    assert second.holes() == []
    assert second.end == pytest.approx(terminated, abs=1.0)
    assert events == ["call.recording_started", "call.recording_stopped", "call.recording_ready"] * 2
    assert spooled == []


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A spool folder with room for half a megabyte."""
    if os.getuid() != 0:
        pytest.skip("only root may mount a small disk")
    spool = tmp_path / "spool"
    spool.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(spool)], check=True)
    yield spool
    subprocess.run(["umount", str(spool)], check=True)


async def test_a_full_disk_fails_the_recording_and_what_was_saved_is_delivered(
    tmp_path: Path, small_disk: Path
) -> None:
    product = Product(
        tmp_path / "data",
        ["127.0.0.0/8"],
        spool_dir=str(small_disk),
        spool__reserve_hours="0",
        spool__min_free="0",
        recording__crf="10",
        recording__preset="ultrafast",
        recording__max_bitrate='{"360p": 4000000}',
    )
    async with LoopbackRoom(1, exact=True) as room, product:
        message = {
            "type": "start_recording",
            "call_cid": CALL,
            "egress_id": EGRESS,
            "recording": {"quality": "360p"},
        }
        code, said = await product.send({**message, "connector": {"type": "loopback", "url": room.url}})
        assert code == 0, said
        failed = await product.event("call.recording_failed", timeout=60.0)
        ready = await product.event("call.recording_ready", failing=True)
        await asyncio.sleep(3.0)
        attendances, spooled = room.operations["attend"], _files(small_disk)
        events = [event["type"] for event in product.events()]
        (egress,) = await product.egresses()
        about = ready["call_recording"]
        arrived = await asyncio.to_thread(Arrived.of, [Piece(path_of(ready), moment(about["start_time"]))])
    assert failed["error_code"] == "disk_full"
    assert egress["state"] == "failed"
    assert sorted(events) == ["call.recording_failed", "call.recording_ready", "call.recording_started"]
    assert arrived.end - arrived.begin > 2.0
    assert arrived.holes() == []
    assert attendances == 1
    assert spooled == []
    with av.open(str(path_of(ready))) as container:
        assert container.duration is not None
