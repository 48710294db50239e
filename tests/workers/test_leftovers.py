"""What a worker finds when it starts, and a ledger that is not there yet."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from egress.ipc import CommandSocket, Reports
from egress.protocol.commands import Command, Leave
from egress.protocol.reports import Attends, Over, Ready
from tests.workers.conftest import Bench, MakeBench, make_settings, until
from workers.leftovers import keep_company

AT = datetime(2026, 1, 1, tzinfo=UTC)


async def test_attendants_are_spoken_to_while_the_ledger_is_awaited(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    settings.sockets.mkdir(parents=True)
    (settings.sockets / "dead.sock").touch()
    socket = CommandSocket(settings.sockets / "0123.sock", Reports(), lambda command: None)
    await socket.open()
    socket.last_word = time.monotonic() - 100
    await keep_company(settings)
    await asyncio.sleep(0.1)
    assert time.monotonic() - socket.last_word < 1
    await socket.close()


async def test_a_worker_waits_for_a_ledger_that_is_away_when_it_starts(bench: MakeBench) -> None:
    b = await bench()
    await b.end()
    b.cut_off = True
    await b.start()
    await asyncio.sleep(1.5)
    assert b.task is not None and not b.task.done()
    b.cut_off = False
    egress_id = b.record()
    await b.until_state(egress_id, "active")


async def test_a_worker_that_waits_for_its_ledger_can_be_ended(tmp_path: Path) -> None:
    b = Bench(make_settings(tmp_path))
    b.cut_off = True
    await b.start()
    await asyncio.sleep(0.5)
    assert b.worker is not None and b.task is not None
    b.worker.stop()
    await asyncio.wait_for(b.task, 5.0)
    b.ledger.close()


async def test_spares_go_home_and_attendants_of_nobodys_session_finish(tmp_path: Path) -> None:
    b = Bench(make_settings(tmp_path, attendants={"spares": 0}))
    b.settings.sockets.mkdir(parents=True)
    spare, stale = Reports(), Reports()
    said: dict[str, list[Command]] = {"spare": [], "stale": []}
    attends = Attends(at=AT, session_id="gone", epoch=7, pid=os.getpid())
    sockets = (
        CommandSocket(b.settings.sockets / "spare.sock", spare, said["spare"].append),
        CommandSocket(b.settings.sockets / "stale.sock", stale, said["stale"].append, lambda: attends),
    )
    for socket in sockets:
        await socket.open()
    spare.tell(Ready(at=AT, pid=os.getpid()))
    await b.start()
    await until(lambda: said["spare"] == [Leave(epoch=0)])
    await until(lambda: said["stale"] == [Leave(epoch=7)])
    assert b.status.stale == 1
    stale.tell(Over(at=AT, code="", reason="left"))
    await until(lambda: b.status.stale == 0)
    assert list(b.settings.sockets.glob("*.sock")) == []
    await b.end()
    for socket in sockets:
        await socket.close()
    b.ledger.close()
