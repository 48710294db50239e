"""A session watched in a room of a real Janus."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sqlalchemy import select

from tests.call.janus_publisher import Publisher
from tests.rig.janus import JanusServer, why_not
from tests.rig.required import unless
from tests.workers.conftest import KEYS, until
from tests.workers.sessions.test_life import AUTO_ON, CALL, T0, Around
from workers.ledger import claims, clock, sessions
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, Egress
from workers.sessions.life import SessionLife
from workers.sessions.lookout import Lookout
from workers.sessions.policy import ROOM_ENDED
from workers.settings import Settings
from workers.settings.sections import AgentSettings

pytestmark = unless(why_not())


async def test_a_watched_room_fills_empties_and_is_destroyed_and_nobody_in_it_notices(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, agent=AgentSettings(watch=0.3))
    ledger = Ledger(settings.ledger_url, KEYS)
    ledger.upgrade()
    shared = AsyncLedger(ledger)

    def session() -> CallSession:
        with ledger.reading() as tx:
            return tx.get_one(CallSession, "s1")

    async with JanusServer() as janus:
        room = await janus.create_room(notify_joining=True)
        with ledger.writing() as tx:
            address = {"type": "janus", "url": janus.http_url, "room": room}
            sessions.announce(tx, CALL, "s1", address, clock.now(tx))
            tx.get_one(Call, CALL).settings = AUTO_ON
            epoch = claims.claim(tx, "s1", "worker", T0, 30)
        assert epoch is not None
        life = asyncio.create_task(SessionLife("s1", epoch, Around(settings, shared, Lookout({}))).run())

        guest = await Publisher(janus, "Ana", room).enter()
        guest.events.clear()
        await until(lambda: session().participants == 1)
        during = await janus.sessions()
        assert [len(handles) for handles in during.values()] == [1, 1], "the guest's session, and one that looks"
        assert [p["display"] for p in await janus.participants(room)] == ["Ana"]
        assert not [event for event in guest.events if "videoroom" in event]
        await guest.leave()
        await until(lambda: session().empty_since is not None)

        await janus.ask({"request": "destroy", "room": room})
        await until(lambda: session().end_reason == ROOM_ENDED)
        assert sorted((e.auto, e.desired) for e in _egresses(ledger)) == [(True, "stop")]
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)
        await asyncio.sleep(0.3)
        assert await janus.sessions() == {}, "nothing is left behind"
    shared.close()
    ledger.close()


def _egresses(ledger: Ledger) -> list[Egress]:
    with ledger.reading() as tx:
        return list(tx.scalars(select(Egress)))
