"""A session watched in a room of a real LiveKit, which comes and goes with its guests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.rig import livekit
from tests.rig.livekit import LivekitServer
from tests.rig.livekit_client import Signal
from tests.rig.required import unless
from tests.workers.conftest import KEYS, until
from tests.workers.sessions.test_life import AUTO_ON, CALL, T0, Around
from workers.ledger import claims, clock, sessions
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, Egress
from workers.sessions import life
from workers.sessions.life import SessionLife
from workers.sessions.lookout import Lookout
from workers.settings import Settings
from workers.settings.sections import AgentSettings

pytestmark = unless(livekit.why_not())

ROOM = "standup"


async def enter(server: LivekitServer, identity: str) -> Signal:
    guest = Signal(server.url, server.token(identity, ROOM))
    await guest.open()
    return guest


async def test_a_session_outlives_its_room_which_is_made_by_who_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in ("UNMADE", "REMADE"):
        monkeypatch.setattr(life, patience, 0.0)  # a room that counted as missing would end the session at once
    async with LivekitServer() as server:
        project = {"type": "livekit", "url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
        settings = Settings(data_dir=tmp_path, agent=AgentSettings(watch=0.2), projects={"main": project})
        ledger = Ledger(settings.ledger_url, KEYS)
        ledger.upgrade()
        shared = AsyncLedger(ledger)

        def session() -> CallSession:
            with ledger.reading() as tx:
                return tx.get_one(CallSession, "s1")

        with ledger.writing() as tx:
            address = {"type": "livekit", "project": "main", "room": ROOM}
            sessions.announce(tx, CALL, "s1", address, clock.now(tx))
            tx.get_one(Call, CALL).settings = AUTO_ON
            epoch = claims.claim(tx, "s1", "worker", T0, 30)
        assert epoch is not None
        around = Around(settings, shared, Lookout(settings.projects))
        living = asyncio.create_task(SessionLife("s1", epoch, around).run())

        await asyncio.sleep(1.0)
        assert (session().end_reason, session().first_join_at) == (None, None)
        assert await server.rooms() == [], "watching makes no room"

        ana = await enter(server, "ana")
        await until(lambda: session().participants == 1)
        ben = await enter(server, "ben")
        await until(lambda: session().participants == 2)
        assert sorted((e.auto, e.desired) for e in _egresses(ledger)) == [(True, "run")]
        await ana.close()
        await ben.close()
        await until(lambda: session().empty_since is not None)

        await server.delete_room(ROOM)
        await asyncio.sleep(1.0)
        assert session().end_reason is None, "a room that is closed is made anew by the next one who comes"
        await server.restart(away=0.5)
        again = await enter(server, "ana")
        await until(lambda: session().empty_since is None)
        assert session().end_reason is None
        await again.close()
        living.cancel()
        await asyncio.gather(living, return_exceptions=True)
    shared.close()
    ledger.close()


def _egresses(ledger: Ledger) -> list[Egress]:
    with ledger.reading() as tx:
        return list(tx.scalars(select(Egress)))
