"""An attendant that leaves though nobody wanted that is replaced, as one that dies is, and what it had is delivered."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product
from workers.keyring import keyring
from workers.ledger.database import Ledger
from workers.ledger.tables import Egress
from workers.probe import probe
from workers.settings import Settings

CID = "default:leaving"


def wish(product: Product) -> tuple[str, str]:
    settings = Settings(data_dir=product.folder)
    ledger = Ledger(settings.ledger_url, keyring(settings))
    try:
        with ledger.reading() as tx:
            egress = tx.query(Egress).one()
            return egress.state, egress.desired
    finally:
        ledger.close()


async def start(product: Product, room: LoopbackRoom) -> None:
    message = {
        "type": "start_recording",
        "call_cid": CID,
        "connector": {"type": "loopback", "url": room.url},
        "recording": {"quality": "360p"},
    }
    code, said = await product.send(message)
    assert code == 0, said
    await product.event("call.recording_started")


async def until_attended_again(room: LoopbackRoom, before: int, seconds: float) -> float:
    deadline = time.monotonic() + seconds
    while len(room.attended) == before:
        assert time.monotonic() < deadline, "nobody came back to the call"
        await asyncio.sleep(0.05)
    return room.attended[-1]


async def finish(product: Product) -> list[float]:
    """Stop the recording. Returns the seconds in each of its two files."""
    await asyncio.sleep(2.0)
    code, said = await product.send({"type": "stop_recording", "call_cid": CID})
    assert code == 0, said
    await product.event("call.recording_ready", 2)
    await asyncio.sleep(0.5)
    assert [event["type"] for event in product.events()].count("call.recording_stopped") == 1
    assert product.events("call.recording_failed") == []
    assert wish(product) == ("complete", "stop")
    return [float(probe(str(path))["duration"]) for path in product.files()]


async def test_an_attendant_that_is_told_to_end_by_its_host_is_replaced(tmp_path: Path) -> None:
    async with LoopbackRoom(guests=1) as room, Product(tmp_path / "host", ["127.0.0.0/8"]) as product:
        await start(product, room)
        await asyncio.sleep(3.0)
        os.kill(product.attending(), signal.SIGTERM)
        left = time.time()
        assert await until_attended_again(room, 1, 15.0) - left < 8.0
        first, second = await finish(product)
    assert first == pytest.approx(3.5, abs=1.0)
    assert second > 1.5


async def test_a_worker_that_comes_while_its_attendant_gives_up_goes_on_with_the_next_part(tmp_path: Path) -> None:
    settings = {"attendants__orphan_timeout": "3", "agent__lease": "20", "attendants__ping_interval": "1"}
    async with LoopbackRoom(guests=1) as room, Product(tmp_path / "host", ["127.0.0.0/8"], **settings) as product:
        await start(product, room)
        await asyncio.sleep(2.0)
        await product.kill()
        # It finishes its files, and then waits for some seconds for somebody to tell that to.
        await asyncio.sleep(4.0)
        await product.start()
        await until_attended_again(room, 1, 25.0)
        first, second = await finish(product)
    assert first > 3.0
    assert second > 1.5
