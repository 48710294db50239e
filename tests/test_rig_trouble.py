"""Trouble on the wire does what it says, and only while it is meant to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import aioice
import pytest

from egress.rtc.ice import IceConnection
from tests.rig import trouble
from tests.rig.trouble import Spell, Trouble


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_spells_rule_only_while_they_last() -> None:
    clock = Clock()
    weather = Trouble([Spell(1, 2, loss=1.0), Spell(3, 4, dead=True, outgoing=False)], clock=clock)
    assert weather.fate(incoming=True) == 0
    clock.now = 101.5
    assert weather.fate(incoming=True) is None
    assert weather.fate(incoming=False) is None
    clock.now = 103.5
    assert weather.fate(incoming=True) is None
    assert weather.fate(incoming=False) == 0
    clock.now = 104.0
    assert weather.fate(incoming=True) == 0


def test_loss_and_jitter_are_as_strong_as_told_and_the_same_each_time() -> None:
    first = [Trouble([Spell(loss=0.05, jitter=0.05)], seed=7).fate(True)]
    weather = Trouble([Spell(loss=0.05, jitter=0.05)], seed=7)
    fates = [weather.fate(True) for _ in range(10_000)]
    assert fates[:1] == first
    assert sum(fate is None for fate in fates) == pytest.approx(500, abs=80)
    delays = [fate for fate in fates if fate is not None]
    assert max(delays) <= 0.05
    assert sum(delays) / len(delays) == pytest.approx(0.025, abs=0.002)


def test_a_file_describes_the_weather(tmp_path: Path) -> None:
    path = tmp_path / "trouble.json"
    path.write_text(json.dumps([{"from": 5, "to": 15, "loss": 0.05, "jitter": 0.05, "seed": 3}, {"dead": True}]))
    weather = Trouble.read(path)
    assert weather.spells == [Spell(5, 15, 0.05, 0.05), Spell(dead=True)]
    assert weather.seed == 3


@pytest.fixture
async def pair() -> AsyncIterator[tuple[aioice.Connection, aioice.Connection]]:
    ends = (IceConnection(ice_controlling=True), IceConnection(ice_controlling=False))
    for end in ends:
        end.networks = ["127.0.0.0/8"]
        await end.gather_candidates()
    for one, other in (ends, ends[::-1]):
        one.remote_username, one.remote_password = other.local_username, other.local_password
        for candidate in other.local_candidates:
            await one.add_remote_candidate(candidate)
        await one.add_remote_candidate(None)
    await asyncio.gather(*(end.connect() for end in ends))
    yield ends
    for end in ends:
        await end.close()


async def test_datagrams_are_lost_and_overtake_each_other(
    pair: tuple[aioice.Connection, aioice.Connection],
) -> None:
    one, other = pair
    weather = Trouble([Spell(loss=0.2, jitter=0.05, outgoing=False)])
    disarm = trouble.arm(weather)
    got: list[int] = []

    async def collect() -> None:
        while True:
            got.append(int((await other.recv()).decode()))

    task = asyncio.create_task(collect())
    try:
        for number in range(500):
            await one.send(str(number).encode())
            if number % 10 == 9:
                await asyncio.sleep(0.001)
        await asyncio.sleep(0.2)
        assert len(got) == pytest.approx(400, abs=50)
        assert got != sorted(got)
        assert len(set(got)) == len(got)
        got.clear()
        weather.spells = [Spell(dead=True)]
        await one.send(b"1000")
        await asyncio.sleep(0.1)
        assert got == []
        weather.spells = []
        await one.send(b"1001")
        await asyncio.sleep(0.1)
        assert got == [1001]
    finally:
        disarm()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    untouched = weather.passed
    await one.send(b"1002")
    assert await asyncio.wait_for(other.recv(), 1) == b"1002"
    assert weather.passed == untouched


async def test_the_weather_changes_when_its_file_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trouble, "arm", lambda weather: None)
    path = tmp_path / "trouble.json"
    path.write_text("[]")
    weather = trouble.armed_at(path)
    assert weather.fate(incoming=True) == 0
    path.write_text('[{"dead": tr')
    await asyncio.sleep(0.3)
    assert weather.fate(incoming=True) == 0
    path.write_text('[{"dead": true}]')
    await asyncio.sleep(0.3)
    assert weather.fate(incoming=True) is None
