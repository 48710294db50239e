"""Manifests on their way to a real S3 server: after the files that they tell of, and in their way never."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from egress.protocol.reception import Reception
from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import VersityGateway
from tests.workers.conftest import until
from tests.workers.uploads.conftest import START, Host, make_settings
from workers.ledger import receptions
from workers.ledger.tables import Manifest
from workers.uploads.manifests import Manifests

MakeHost = Callable[..., Host]


@pytest.fixture
def telling(tmp_path: Path, gateway: VersityGateway, proxy: FaultyProxy, made: list[Host]) -> MakeHost:
    """``telling()``: a host that delivers manifests, to a store behind the proxy."""

    def make(worker: str = "one", *, manifest: bool = True) -> Host:
        store = gateway.store(path=tmp_path.name, url=proxy.url)
        made.append(Host(make_settings(tmp_path, [store], worker, recording={"manifest": manifest})))
        return made[-1]

    return make


@pytest.fixture
def begins(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """No manifest is looked for before this is set."""
    event, look = asyncio.Event(), Manifests.look

    async def when_told(self: Manifests) -> None:
        if event.is_set():
            await look(self)

    monkeypatch.setattr(Manifests, "look", when_told)
    return event


def row(host: Host, egress_id: str = "e1") -> Manifest | None:
    with host.ledger.reading() as tx:
        return tx.get(Manifest, egress_id)


async def put(host: Host, egress_id: str = "e1", timeout: float = 20.0) -> Manifest:
    def there() -> bool:
        found = row(host, egress_id)
        return found is not None and found.state == "delivered"

    await until(there, timeout, lambda: getattr(row(host, egress_id), "error", "not due"))
    found = row(host, egress_id)
    assert found is not None
    return found


def told_in(host: Host, gateway: VersityGateway, key: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(gateway.read(f"{host.settings.stores[0].path}/{key}"))
    return told


def recorded(host: Host, egress_id: str = "e1", store: str = "s3") -> str:
    """A recording of one short file is over; returns the key of the file."""
    growing = host.recording(egress_id, store)
    growing.grow(1000)
    growing.close()
    return growing.key


async def test_a_manifest_follows_the_last_file_into_its_folder(
    telling: MakeHost, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host = telling()
    host.start()
    first, second = host.recording(part=1), host.recording(part=2)
    with host.ledger.writing() as tx:
        receptions.add(tx, "e1", 1, Reception(start_time=START, end_time=START, room_metadata="lesson 4"))
    for one in (first, second):
        one.grow(1000)
    first.close()
    await until(lambda: host.file(first.id).state == "delivered")
    await asyncio.sleep(1.5)
    assert row(host) is None
    second.close()
    found = await put(host)
    assert found.key == first.key.removesuffix(".mp4") + ".manifest.json"
    told = told_in(host, gateway, found.key)
    assert [(one["key"], one["url"], one["size"]) for one in told["files"]] == [
        (one.key, host.file(one.id).url, 1000) for one in (first, second)
    ]
    assert [one["room_metadata"] for one in told["attendants"]] == ["lesson 4"]
    assert found.url == f"{proxy.url}/recordings/{host.settings.stores[0].path}/{found.key}"
    client = gateway.client()
    head = client.head_object(Bucket="recordings", Key=f"{host.settings.stores[0].path}/{found.key}")
    client.close()
    assert head["ContentType"] == "application/json"
    assert {request.method for request in proxy.requests} == {"PUT"}, "no right to read is needed"
    assert not any(path.is_file() for path in host.settings.spools.rglob("*"))
    assert host.uploader is not None
    await until_done(host)


async def until_done(host: Host) -> None:
    assert host.uploader is not None
    for _ in range(200):
        if await host.uploader.done():
            return
        await asyncio.sleep(0.05)
    pytest.fail("something is left to deliver")


async def test_the_local_store_has_it_beside_the_file_too(telling: MakeHost) -> None:
    host = telling()
    host.start()
    key = recorded(host, store="local")
    found = await put(host)
    path = host.settings.recordings / found.key
    assert path.parent == (host.settings.recordings / key).parent
    assert sorted(one.name for one in path.parent.iterdir()) == sorted([Path(key).name, path.name])
    assert json.loads(path.read_text())["files"][0]["key"] == key


async def test_a_store_that_is_away_gets_it_when_it_is_back_and_readiness_was_told_before(
    telling: MakeHost, gateway: VersityGateway, proxy: FaultyProxy, begins: asyncio.Event
) -> None:
    host = telling()
    host.start()
    recorded(host)
    await until(lambda: len(host.told()) == 1)
    await proxy.vanish()
    begins.set()
    await until(lambda: "out of reach" in (getattr(row(host), "error", None) or ""), 20.0)
    assert host.egress("e1").state == "complete"
    assert host.uploader is not None
    assert not await host.uploader.done()
    await proxy.appear()
    found = await put(host)
    assert found.error is None
    assert told_in(host, gateway, found.key)["egress_id"] == "e1"
    assert len(host.told()) == 1


async def test_a_worker_that_was_killed_before_puts_it_when_it_runs_again(
    telling: MakeHost, gateway: VersityGateway, begins: asyncio.Event
) -> None:
    host = telling()
    host.start()
    growing = host.recording()
    growing.grow(1000)
    growing.close()
    await until(lambda: host.file(growing.id).state == "delivered")
    await host.kill()
    # It was about to be sent when the worker died.
    with host.ledger.writing() as tx:
        due = tx.get_one(Manifest, "e1")
        assert due.state == "due"
        due.not_before += timedelta(days=1)
    begins.set()
    host.start()
    found = await put(host)
    assert told_in(host, gateway, found.key)["state"] == "complete"


async def test_another_worker_puts_it_when_its_own_is_gone(
    telling: MakeHost, gateway: VersityGateway, begins: asyncio.Event
) -> None:
    host, other = telling("one"), telling("two")
    host.start()
    growing = host.recording()
    growing.grow(1000)
    growing.close()
    await until(lambda: host.file(growing.id).state == "delivered")
    await host.kill()
    with host.ledger.writing() as tx:
        assert tx.get_one(Manifest, "e1").state == "due"
    host.beat(ago=-60.0)
    begins.set()
    other.start()
    await asyncio.sleep(1.5)
    waiting = row(other)
    assert waiting is not None and waiting.state == "due", "its worker lives"
    host.beat(ago=3.0)
    found = await put(other)
    assert told_in(other, gateway, found.key)["egress_id"] == "e1"


async def test_where_none_is_wanted_none_is_put(telling: MakeHost, gateway: VersityGateway) -> None:
    host = telling(manifest=False)
    host.start()
    key = recorded(host)
    await until(lambda: host.egress("e1").state == "complete")
    await until(lambda: row(host) is None)
    await until_done(host)
    folder = f"{host.settings.stores[0].path}/"
    stored = gateway.keys()
    assert [one for one in stored if one.startswith(folder)] == [f"{folder}{key}"]
