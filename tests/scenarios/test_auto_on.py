"""A call that records itself: watched while nobody is there, recorded while somebody is, twice, and to its limit.

Nothing is needed but this machine's 127.0.0.1: no server, no root.
"""

from __future__ import annotations

import asyncio
import math
import sqlite3
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from tests.rig.film import Film
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product, moment, path_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

CID = "default:by-itself"
SETTINGS: dict[str, Any] = {
    "recording": {"mode": "auto-on", "quality": "360p"},
    "session": {"inactivity_timeout_seconds": 5},
}
WATCH = 1.0
"""Seconds between two looks into a room that nobody attends, as set by default."""
BEGIN = 2.0
"""Seconds in which a warm attendant joins and gets its first pictures, with room for a busy machine."""


@dataclass(slots=True)
class Story:
    """What happened. Times are seconds since 1970."""

    alone: dict[str, int] = field(default_factory=dict)
    """What came through the room's door while nobody was there, and nobody but the spare waited."""
    processes_alone: int = 0
    operations_after: dict[str, int] = field(default_factory=dict)
    """What came through the door while the first session was watched after its recording."""
    joined: float = 0.0
    left: float = 0.0
    limit: int = 0
    """Seconds that the second session might last in the end."""
    started: list[dict[str, Any]] = field(default_factory=list)
    stopped: list[dict[str, Any]] = field(default_factory=list)
    ready: list[dict[str, Any]] = field(default_factory=list)
    films: list[Film] = field(default_factory=list)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    egresses: list[dict[str, Any]] = field(default_factory=list)


async def _act(product: Product, room: LoopbackRoom, story: Story) -> None:
    async def send(type_: str, **fields: Any) -> None:
        code, said = await product.send({"type": type_, "call_cid": CID, **fields})
        assert code == 0, said

    address = {"type": "loopback", "url": room.url}
    await send("call_session_started", session_id="first", connector=address, settings=SETTINGS)
    await asyncio.sleep(3 * WATCH)
    story.alone, story.processes_alone = dict(room.operations), len(product.attendants())

    story.joined = time.time()
    await room.do("add")
    await product.event("call.recording_started")
    await asyncio.sleep(2)
    story.left = time.time()
    await room.do("remove", guest="guest-1")
    await product.event("call.recording_ready")
    before = dict(room.operations)
    await asyncio.sleep(2 * WATCH)
    story.operations_after = {op: n - before.get(op, 0) for op, n in room.operations.items() if n > before.get(op, 0)}

    asked = time.time()
    await send("call_session_ended", session_id="first")
    # On a busy machine a command takes its time to start: the limit must be moved before it is reached.
    first_limit = 5 + math.ceil(3 * (time.time() - asked))
    story.limit = first_limit + 3
    await room.do("add")
    limit = {"limits": {"max_duration_seconds": first_limit}}
    await send("call_session_started", session_id="second", connector=address, settings=limit)
    await product.event("call.recording_started", 2)
    await send("update_call", settings={"limits": {"max_duration_seconds": story.limit}})
    await product.event("call.recording_ready", 2, timeout=story.limit + 30)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    story = Story()
    folder = tmp_path_factory.mktemp("by-itself")
    async with LoopbackRoom(guests=0) as room, Product(folder, ["127.0.0.0/8"]) as product:
        await _act(product, room, story)
        story.egresses = await product.egresses()
        for _ in range(50):
            story.sessions = _sessions(product)
            if all(row["ended_at"] for row in story.sessions.values()):
                break
            await asyncio.sleep(0.1)
        assert product.alive
    story.started = product.events("call.recording_started")
    story.stopped = product.events("call.recording_stopped")
    story.ready = product.events("call.recording_ready")
    story.films = [Film.read(path_of(event)) for event in story.ready]
    return story


def _sessions(product: Product) -> dict[str, dict[str, Any]]:
    """The sessions as the ledger has them."""
    with sqlite3.connect(f"file:{product.folder / 'ledger.sqlite'}?mode=ro", uri=True) as ledger:
        ledger.row_factory = sqlite3.Row
        rows = ledger.execute("SELECT id, announced, first_join_at, end_reason, ended_at FROM sessions").fetchall()
    ledger.close()
    return {row["id"]: dict(row) for row in rows}


def _seconds(text: str) -> float:
    """A time of the ledger, which keeps UTC without saying so."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


async def test_an_empty_room_is_watched_without_a_process_and_without_anybody_in_it(story: Story) -> None:
    assert set(story.alone) == {"guests"}
    assert 2 <= story.alone["guests"] <= 6
    assert story.processes_alone == 1, "the spare alone"


async def test_recording_begins_with_the_first_guest(story: Story) -> None:
    assert 0 < moment(story.started[0]["created_at"]) - story.joined < WATCH + 0.5 + BEGIN
    first_join = _seconds(story.sessions["first"]["first_join_at"])
    assert -0.1 < first_join - story.joined < WATCH + 0.5


async def test_it_stops_when_all_have_been_gone_for_the_timeout_and_is_ready(story: Story) -> None:
    gone = moment(story.stopped[0]["created_at"]) - story.left
    assert 5.0 <= gone < 5.0 + 1.0 + 0.5
    about = story.ready[0]["call_recording"]
    assert about["session_id"] == "first"
    told = moment(about["end_time"]) - moment(about["start_time"])
    assert story.films[0].duration == pytest.approx(told, abs=0.2)
    assert story.films[0].duration == pytest.approx(story.left + 5.0 - moment(about["start_time"]), abs=1.5)


async def test_the_room_is_watched_again_afterwards(story: Story) -> None:
    assert set(story.operations_after) == {"guests"}


async def test_a_second_session_of_the_call_is_a_second_recording(story: Story) -> None:
    assert [event["call_recording"]["session_id"] for event in story.ready] == ["first", "second"]
    ids = [event["egress_id"] for event in story.started]
    assert len(ids) == len(set(ids)) == 2
    assert {egress["egress_id"]: egress["state"] for egress in story.egresses} == dict.fromkeys(ids, "complete")


async def test_the_limit_that_was_moved_ends_the_session_to_the_second(story: Story) -> None:
    first_join = _seconds(story.sessions["second"]["first_join_at"])
    assert moment(story.stopped[1]["created_at"]) - first_join == pytest.approx(story.limit, abs=1.0)
    about = story.ready[1]["call_recording"]
    assert moment(about["end_time"]) - first_join == pytest.approx(story.limit, abs=1.0)


async def test_each_session_has_ended_for_its_reason(story: Story) -> None:
    reasons = {name: row["end_reason"] for name, row in story.sessions.items()}
    assert reasons == {"first": "session_ended", "second": "max_duration"}
    assert all(row["ended_at"] and row["announced"] for row in story.sessions.values())
