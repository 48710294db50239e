"""The life of a session, with a room that a test fills and a clock that it sets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.call.connector import ConnectorError
from tests.workers.conftest import KEYS, until
from workers.ledger import claims, sessions, wishes
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.claims import LeaseLost
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, Egress
from workers.sessions import presence
from workers.sessions.life import REMADE, UNMADE, SessionLife
from workers.sessions.lookout import Lookout
from workers.sessions.policy import INACTIVITY, MAX_DURATION, REASONS, ROOM_ENDED, SESSION_ENDED
from workers.settings import Settings
from workers.settings.sections import AgentSettings

T0 = datetime(2026, 3, 1, 12, tzinfo=UTC)
CALL = "default:tests"
ROOM = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1}
AUTO_ON = {"recording": {"mode": "auto-on", "quality": "360p"}}


class FakeRoom(Lookout):
    """``now`` is how many guests there are, or what a look fails with."""

    def __init__(self) -> None:
        super().__init__({})
        self.now: int | Exception = 0
        self.looks = 0

    async def guests(self, address: dict[str, Any]) -> int:
        assert address == ROOM
        self.looks += 1
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


@dataclass
class Around:
    settings: Settings
    ledger: AsyncLedger
    lookout: Lookout


class World:
    """One session, its room, and a ledger whose time stands still until it is set."""

    def __init__(self, folder: Path, watch: float) -> None:
        self.settings = Settings(data_dir=folder, agent=AgentSettings(watch=watch))
        self.ledger = Ledger(self.settings.ledger_url, KEYS)
        self.ledger.upgrade()
        self._ledger = AsyncLedger(self.ledger)
        self.room = FakeRoom()
        self.time = T0
        self.life: SessionLife | None = None
        self.task: asyncio.Task[None] | None = None
        self._epoch = 0

    def announce(self, settings: dict[str, Any] | None = AUTO_ON, session_id: str = "s1") -> None:
        with self.ledger.writing() as tx:
            assert sessions.announce(tx, CALL, session_id, ROOM, self.time) == "begun"
        self.update(settings or {})

    def update(self, settings: dict[str, Any]) -> None:
        with self.ledger.writing() as tx:
            tx.get_one(Call, CALL).settings = settings

    def want(self, egress_id: str, session_id: str = "s1") -> None:
        wish = wishes.Wish(
            CALL, egress_id, "composite_recording", "composite", ROOM, {"quality": "360p"}, "local", session_id
        )
        with self.ledger.writing() as tx:
            wishes.want(tx, wish, self.time)

    def begin(
        self, session_id: str = "s1", owner: str = "worker", clock: Callable[[Session], datetime] | None = None
    ) -> SessionLife:
        """Claim the session and look after it."""
        with self.ledger.writing() as tx:
            epoch = claims.claim(tx, session_id, owner, self.time + timedelta(days=self._epoch), 30)
        assert epoch is not None
        self._epoch = epoch
        around = Around(self.settings, self._ledger, self.room)
        self.life = SessionLife(session_id, epoch, around, clock=clock or (lambda tx: self.time))
        self.task = asyncio.create_task(self.life.run())
        return self.life

    async def kill(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        self.task = None

    async def close(self) -> None:
        await self.kill()
        self._ledger.close()
        self.ledger.close()

    def set(self, seconds: float) -> None:
        """Set the clock to so many seconds after the beginning."""
        self.time = T0 + timedelta(seconds=seconds)
        assert self.life is not None
        self.life.look()

    async def rest(self) -> None:
        """Let a few looks go by in which nothing is to happen."""
        looks = self.room.looks
        await until(lambda: self.room.looks >= looks + 2)
        await asyncio.sleep(0.05)

    def session(self, session_id: str = "s1") -> CallSession:
        with self.ledger.reading() as tx:
            return tx.get_one(CallSession, session_id)

    def egresses(self) -> list[Egress]:
        with self.ledger.reading() as tx:
            return list(tx.scalars(select(Egress).order_by(Egress.created_at, Egress.id)))

    def running(self) -> list[str]:
        return [e.id for e in self.egresses() if e.desired == "run" and e.ended_at is None]

    def stop(self) -> None:
        with self.ledger.writing() as tx:
            assert wishes.unwant(tx, CALL, self.time)

    def finish(self) -> None:
        """As if everything that was to stop had stopped and were delivered."""
        with self.ledger.writing() as tx:
            for egress in tx.scalars(select(Egress).where(Egress.desired == "stop")):
                egress.state, egress.ended_at = "complete", self.time


Make = Callable[..., World]


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[World] = []

    def build(watch: float = 0.2) -> World:
        made.append(World(tmp_path / f"data{len(made)}", watch))
        return made[-1]

    yield build
    for one in made:
        await one.close()


async def test_recording_starts_with_the_first_guest_and_stops_when_all_have_been_gone(make: Make) -> None:
    w = make()
    w.announce({**AUTO_ON, "session": {"inactivity_timeout_seconds": 5}})
    w.begin()
    await w.rest()
    assert w.egresses() == [] and w.session().first_join_at is None

    w.set(10)
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    assert w.session().first_join_at == T0 + timedelta(seconds=10)
    (recording,) = w.egresses()
    assert recording.auto and recording.session_id == "s1" and recording.spec["quality"] == "360p"
    w.room.now = 3
    await until(lambda: w.session().participants == 3)
    assert len(w.egresses()) == 1

    w.set(20)
    w.room.now = 0
    await until(lambda: w.session().empty_since == T0 + timedelta(seconds=20))
    w.set(24.9)
    await w.rest()
    assert w.running() == [recording.id]
    w.set(25)
    await until(lambda: w.running() == [])
    assert w.egresses()[0].stop_reason == REASONS[INACTIVITY]
    w.finish()
    await w.rest()
    found = w.session()
    assert found.ended_at is None and found.end_reason is None, "somebody may come back"


async def test_who_comes_back_is_recorded_anew_also_while_the_first_files_are_still_being_delivered(make: Make) -> None:
    w = make()
    w.announce({**AUTO_ON, "session": {"inactivity_timeout_seconds": 5}})
    w.begin()
    w.room.now = 2
    await until(lambda: len(w.running()) == 1)
    first = w.running()[0]
    w.room.now = 0
    await until(lambda: w.session().empty_since is not None)
    w.set(6)
    await until(lambda: w.running() == [])
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    assert w.running()[0] != first
    assert [e.auto for e in w.egresses()] == [True, True]


async def test_somebody_who_is_back_in_time_is_in_the_same_recording(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.room.now = 0
    await until(lambda: w.session().empty_since is not None)
    w.set(20)
    w.room.now = 1
    await until(lambda: w.session().empty_since is None)
    w.set(45)
    await w.rest()
    assert len(w.egresses()) == 1 and len(w.running()) == 1


async def test_a_stop_by_message_holds_until_all_have_left_and_somebody_comes(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.stop()
    w.finish()
    w.room.now = 2
    await w.rest()
    assert w.running() == []
    w.room.now = 0
    await until(lambda: w.session().empty_since is not None)
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    assert len(w.egresses()) == 2


async def test_the_session_ends_at_its_limit_which_may_be_moved_while_it_runs(make: Make) -> None:
    w = make()
    w.announce({**AUTO_ON, "limits": {"max_duration_seconds": 60}})
    w.begin()
    w.room.now = 2
    await until(lambda: len(w.running()) == 1)
    w.set(59)
    await w.rest()
    assert w.session().end_reason is None
    w.update({**AUTO_ON, "limits": {"max_duration_seconds": 120}})
    w.set(61)
    await w.rest()
    assert len(w.running()) == 1
    w.set(120)
    await until(lambda: w.session().end_reason == MAX_DURATION)
    assert w.running() == []
    assert w.egresses()[0].stop_reason == REASONS[MAX_DURATION]
    assert w.session().ended_at is None, "its recording is not finished yet"
    w.finish()
    assert w.task is not None
    await asyncio.wait_for(w.task, 5)
    assert w.session().ended_at is not None


async def test_a_limit_moved_into_the_past_ends_the_session_within_a_second(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.time = T0 + timedelta(seconds=30)
    w.update({**AUTO_ON, "limits": {"max_duration_seconds": 10}})
    await until(lambda: w.session().end_reason == MAX_DURATION, 1.0)


async def test_timers_ring_on_time_however_rarely_the_room_is_looked_into(make: Make) -> None:
    w = make(watch=5.0)
    w.announce({**AUTO_ON, "limits": {"max_duration_seconds": 1}})
    w.room.now = 1
    began = time.monotonic()
    w.begin(clock=lambda tx: T0 + timedelta(seconds=time.monotonic() - began))
    await until(lambda: w.session().end_reason == MAX_DURATION, 3.0)
    first_join = w.session().first_join_at
    assert first_join is not None
    assert time.monotonic() - began - (first_join - T0).total_seconds() == pytest.approx(1.0, abs=0.5)
    assert w.room.looks == 1


async def test_a_worker_that_takes_over_goes_on_where_the_other_was(make: Make) -> None:
    w = make()
    w.announce({**AUTO_ON, "session": {"inactivity_timeout_seconds": 30}, "limits": {"max_duration_seconds": 100}})
    w.begin()
    w.room.now = 2
    await until(lambda: len(w.running()) == 1)
    w.set(10)
    w.room.now = 0
    await until(lambda: w.session().empty_since == T0 + timedelta(seconds=10))
    await w.kill()

    w.time = T0 + timedelta(seconds=39)
    w.begin(owner="another")
    await w.rest()
    assert len(w.running()) == 1 and w.session().empty_since == T0 + timedelta(seconds=10)
    w.set(40)
    await until(lambda: w.running() == [])
    w.set(100)
    await until(lambda: w.session().end_reason == MAX_DURATION)


async def test_a_takeover_starts_nothing_twice(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    await w.kill()
    w.begin(owner="another")
    await w.rest()
    assert len(w.egresses()) == 1


async def test_who_lost_the_session_changes_nothing_more(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    await w.rest()
    with w.ledger.writing() as tx:
        claims.claim(tx, "s1", "another", w.time + timedelta(days=9), 30)
    w.room.now = 1
    assert w.task is not None
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(w.task, 5)
    w.task = None
    assert w.egresses() == [] and w.session().first_join_at is None


async def test_the_end_by_message_ends_the_watch(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.finish()
    with w.ledger.writing() as tx:
        sessions.ended(tx, tx.get_one(CallSession, "s1"), SESSION_ENDED, w.time)
    assert w.running() == []
    w.finish()
    assert w.task is not None
    await asyncio.wait_for(w.task, 5)
    looks = w.room.looks
    await asyncio.sleep(0.5)
    assert w.room.looks == looks
    assert w.session().ended_at is not None and w.session().owner is None


async def test_an_attendant_counts_while_it_is_there_and_nobody_looks_beside_it(make: Make) -> None:
    w = make()
    w.announce()
    life = w.begin()
    await w.rest()
    life.attended(2)
    await until(lambda: len(w.running()) == 1)
    looks = w.room.looks
    await asyncio.sleep(0.6)
    assert w.room.looks <= looks + 1
    assert w.session().participants == 2
    life.attended(0)
    await until(lambda: w.session().empty_since is not None)
    w.room.now = 4
    life.attended(None)
    await until(lambda: w.session().participants == 4)


async def test_an_sfu_that_is_away_ends_nothing_and_is_asked_ever_more_rarely(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(presence, "AWAY_MAX", 0.8)
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.room.now = ConnectionRefusedError("it is away")
    looks = w.room.looks
    w.set(600)
    await asyncio.sleep(2.0)
    assert w.room.looks - looks <= 6
    assert len(w.running()) == 1 and w.session().empty_since is None
    assert len([r for r in caplog.records if "it is away" in r.getMessage()]) == 1
    w.room.now = 0
    await until(lambda: w.session().empty_since is not None)


async def test_a_room_that_is_gone_ends_the_session(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.room.now = ConnectorError("room_not_found", "there is no such room")
    await until(lambda: w.session().end_reason == ROOM_ENDED)
    assert w.running() == []


async def test_a_room_may_be_made_a_while_after_its_session_was_announced(make: Make) -> None:
    w = make()
    w.room.now = ConnectorError("room_not_found", "there is no such room")
    w.announce()
    w.begin()
    w.set(UNMADE - 1)
    await w.rest()
    assert w.session().end_reason is None
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)


async def test_a_room_that_is_never_made_ends_the_session(make: Make) -> None:
    w = make()
    w.room.now = ConnectorError("room_not_found", "there is no such room")
    w.announce()
    w.begin()
    await w.rest()
    w.set(UNMADE)
    assert w.task is not None
    await asyncio.wait_for(w.task, 5)
    assert w.session().end_reason == ROOM_ENDED


async def test_a_room_may_be_made_anew_after_its_sfu_was_away(make: Make) -> None:
    w = make()
    w.announce()
    w.begin()
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)
    w.room.now = ConnectionResetError("it restarts")
    await w.rest()
    w.room.now = ConnectorError("room_not_found", "there is no such room")
    await w.rest()
    w.set(REMADE - 1)
    await w.rest()
    assert w.session().end_reason is None
    w.set(REMADE + 1)
    await until(lambda: w.session().end_reason == ROOM_ENDED)


async def test_a_room_that_refuses_us_is_said_once_and_ends_nothing(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "REFUSED", 0.1)
    w = make()
    w.room.now = ConnectorError("wrong_pin", "the room wants another pin")
    w.announce()
    w.begin()
    await w.rest()
    await w.rest()
    assert w.session().end_reason is None
    assert len([r for r in caplog.records if "another pin" in r.getMessage()]) == 1
    w.room.now = 1
    await until(lambda: len(w.running()) == 1)


async def test_what_becomes_automatic_in_mid_session_begins_at_once(make: Make) -> None:
    w = make()
    w.announce({"recording": {"mode": "available"}})
    w.begin()
    w.room.now = 1
    await until(lambda: w.session().participants == 1)
    await w.rest()
    assert w.egresses() == []
    w.update(AUTO_ON)
    await until(lambda: len(w.running()) == 1, 1.0)


async def test_a_recording_that_runs_already_is_not_started_again(make: Make) -> None:
    w = make()
    w.announce()
    w.want("mine")
    w.begin()
    w.room.now = 1
    await until(lambda: w.session().participants == 1)
    await w.rest()
    assert w.running() == ["mine"]


async def test_a_session_by_message_alone_starts_nothing_by_itself_and_is_over_with_its_last_recording(
    make: Make,
) -> None:
    w = make()
    w.want("mine")
    w.update({**AUTO_ON, "session": {"inactivity_timeout_seconds": 5}})
    w.begin()
    w.set(1000)
    await w.rest()
    assert w.running() == ["mine"], "nobody was there yet"
    w.room.now = 1
    await until(lambda: w.session().first_join_at is not None)
    w.room.now = 0
    await until(lambda: w.session().empty_since is not None)
    w.set(1005)
    await until(lambda: w.running() == [])
    assert [e.id for e in w.egresses()] == ["mine"]
    w.finish()
    assert w.task is not None
    await asyncio.wait_for(w.task, 5)
    assert w.session().ended_at is not None and w.session().end_reason is None


async def test_many_sessions_share_one_look_into_the_ledger(make: Make) -> None:
    w = make()
    reads = 0
    original = w._ledger.read

    async def counted(function: Callable[[Session], Any]) -> Any:
        nonlocal reads
        reads += 1
        return await original(function)

    w._ledger.read = counted  # type: ignore[method-assign]
    around = Around(w.settings, w._ledger, w.room)
    tasks = []
    for n in range(30):
        with w.ledger.writing() as tx:
            sessions.announce(tx, f"default:c{n}", f"s{n}", ROOM, T0)
            epoch = claims.claim(tx, f"s{n}", "worker", T0, 30)
        assert epoch is not None
        tasks.append(asyncio.create_task(SessionLife(f"s{n}", epoch, around, clock=lambda tx: w.time).run()))
    await w.rest()
    reads = 0
    await asyncio.sleep(1.0)
    assert 1 <= reads <= 4
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
