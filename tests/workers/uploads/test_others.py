"""Workers that die: another one completes what they had sent into a file that plays, and they may come back."""

from __future__ import annotations

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import VersityGateway
from tests.workers.conftest import until
from tests.workers.uploads.conftest import PART, START, Growing, Host, film, make_settings, played
from workers.ledger import uploads
from workers.uploads import others


@pytest.fixture
def pair(tmp_path: Path, gateway: VersityGateway, proxy: FaultyProxy, made: list[Host]) -> tuple[Host, Host]:
    """Two hosts on one ledger and one store, each with a spool of its own."""
    store = gateway.store(path=tmp_path.name, url=proxy.url)
    made += [Host(make_settings(tmp_path, [store], name, storage={"tail_seconds": 1.0})) for name in ("one", "two")]
    return made[0], made[1]


async def dead_in_the_middle_of(film_seconds: float, one: Host, folder: Path) -> tuple[Growing, bytes]:
    """A host that died while it recorded a film of which three parts and a tail were sent."""
    film(folder / "film.mp4", film_seconds, close=False)
    torn = (folder / "film.mp4").read_bytes()
    assert len(torn) > 3 * PART
    one.start()
    growing = one.recording()
    growing.path.write_bytes(torn[: 3 * PART + 400_000])
    await until(lambda: one.parts(growing.id) == [1, 2, 3, 4], 20.0)
    await one.kill()
    one.beat(ago=60.0)
    return growing, torn


async def test_another_host_completes_the_upload_of_a_dead_one_into_a_file_that_plays(
    pair: tuple[Host, Host], gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    one, two = pair
    growing, torn = await dead_in_the_middle_of(20.0, one, tmp_path)
    before = len(proxy.parts())
    two.beat()
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    data = gateway.read(f"{tmp_path.name}/{growing.key}")
    assert data == torn[: 3 * PART + 400_000]
    (tmp_path / "back.mp4").write_bytes(data)
    lasted, pictures = played(tmp_path / "back.mp4")
    assert lasted > 12.0 and pictures > 120
    file = two.file(growing.id)
    assert file.salvaged and file.size == len(data)
    assert file.end_time is not None and file.duration is not None
    written = growing.path.stat().st_mtime - START.timestamp()
    assert file.duration == pytest.approx(written - 1.5, abs=1.0)
    assert file.end_time - file.start_time == timedelta(seconds=file.duration)
    assert len(two.told()) == 1 and two.told()[0]["call_recording"]["url"] == file.url
    assert len(proxy.parts()) == before
    assert growing.path.exists()


async def test_after_an_outage_nothing_is_taken_from_a_host_that_had_no_chance_to_give_a_sign_of_life(
    pair: tuple[Host, Host],
) -> None:
    # Given a file that grows, of which something was sent
    one, two = pair
    one.start()
    growing = one.recording()
    growing.grow(PART + 400_000)
    await until(lambda: 1 in one.parts(growing.id), 10.0)
    # When nobody could reach the ledger for a minute, and another host reaches it first
    one.beat(ago=60.0)
    two.start()
    await asyncio.sleep(6.0)
    # Then the file is still its owner's
    assert two.file(growing.id).host == "one"
    assert two.file(growing.id).state == "open"
    whole = growing.close()
    await until(lambda: one.file(growing.id).state == "delivered", 10.0)
    assert one.file(growing.id).size == len(whole)
    assert not one.file(growing.id).salvaged
    assert len(one.told()) == 1


async def test_a_host_that_comes_back_with_more_delivers_it_under_the_same_key(
    pair: tuple[Host, Host], gateway: VersityGateway, tmp_path: Path
) -> None:
    one, two = pair
    growing, torn = await dead_in_the_middle_of(20.0, one, tmp_path)
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    growing.path.write_bytes(torn)
    os.utime(growing.path, (time.time() - 60, time.time() - 60))
    one.beat()
    one.start()
    await until(lambda: len(one.told()) == 2, 20.0)
    await until(lambda: one.file(growing.id).upload is None)
    data = gateway.read(f"{tmp_path.name}/{growing.key}")
    assert torn.startswith(data) and len(data) > 3 * PART + 400_000
    first, second = (event["call_recording"] for event in one.told())
    assert first["url"] == second["url"] and first["filename"] == second["filename"]
    assert not growing.path.exists()
    file = one.file(growing.id)
    assert file.state == "delivered" and file.size == len(data) and file.host == "one"
    (tmp_path / "back.mp4").write_bytes(data)
    lasted, _ = played(tmp_path / "back.mp4")
    assert file.duration == pytest.approx(lasted, abs=0.7)


async def test_a_host_that_comes_back_with_nothing_more_clears_its_spool(
    pair: tuple[Host, Host], tmp_path: Path
) -> None:
    one, two = pair
    growing, _ = await dead_in_the_middle_of(20.0, one, tmp_path)
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    await two.kill()
    os.utime(growing.path, (time.time() - 60, time.time() - 60))
    one.start()
    await until(lambda: not growing.path.exists(), 10.0)
    await until(lambda: one.file(growing.id).upload is None)
    assert len(one.told()) == 1


async def test_a_file_that_is_closed_after_it_was_written_off_is_delivered_whole(
    pair: tuple[Host, Host], gateway: VersityGateway, tmp_path: Path
) -> None:
    one, two = pair
    growing, torn = await dead_in_the_middle_of(20.0, one, tmp_path)
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    growing.path.write_bytes(torn)
    one.beat()
    one.start()
    whole = growing.close()
    await until(lambda: len(one.told()) == 2, 20.0)
    assert gateway.read(f"{tmp_path.name}/{growing.key}") == whole
    assert not one.file(growing.id).salvaged


async def test_a_whole_file_of_a_dead_host_is_not_called_salvaged(
    pair: tuple[Host, Host], gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    one, two = pair
    one.start()
    growing = one.recording()
    growing.grow(PART + 10)
    await until(lambda: one.parts(growing.id) == [1, 2])
    proxy.refused_methods = {"POST"}
    whole = growing.close()
    await until(lambda: "access is denied" in (one.file(growing.id).error or ""), 10.0)
    await one.kill()
    one.beat(ago=60.0)
    proxy.refused_methods = set()
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    file = two.file(growing.id)
    assert gateway.read(f"{tmp_path.name}/{growing.key}") == whole
    assert not file.salvaged and file.duration == 60.0
    assert two.egress("e1").state == "complete"


async def test_what_was_never_sent_is_written_off_and_delivered_when_its_host_returns(
    pair: tuple[Host, Host], gateway: VersityGateway, tmp_path: Path
) -> None:
    one, two = pair
    growing = one.recording()
    film(growing.path, 2.0, close=False)
    one.beat(ago=60.0)
    two.start()
    await until(lambda: two.file(growing.id).state == "dropped")
    assert "nothing of it was sent" in (two.file(growing.id).error or "")
    assert two.file(growing.id).host == "one"
    os.utime(growing.path, (time.time() - 60, time.time() - 60))
    one.start()
    await until(lambda: one.file(growing.id).state == "delivered", 15.0)
    (tmp_path / "back.mp4").write_bytes(gateway.read(f"{tmp_path.name}/{growing.key}"))
    assert played(tmp_path / "back.mp4")[0] > 1.0


async def test_a_whole_file_in_a_dead_host_s_spool_waits_for_it(pair: tuple[Host, Host]) -> None:
    one, two = pair
    growing = one.recording()
    growing.grow(1000)
    growing.tell_closed()
    one.beat(ago=3600.0)
    two.start()
    await until(lambda: two.file(growing.id).error == "it lies in the spool of one, which gives no sign of life")
    assert two.file(growing.id).state == "closed" and two.file(growing.id).host == "one"
    one.beat(ago=others.FORGOTTEN + 60)
    await until(lambda: two.file(growing.id).state == "dropped")


async def test_a_worker_that_lives_is_left_alone(pair: tuple[Host, Host]) -> None:
    one, two = pair
    one.start()
    growing = one.recording()
    growing.grow(PART + 10)
    await until(lambda: one.parts(growing.id)[:1] == [1])
    two.start()
    for _ in range(6):
        one.beat()
        await asyncio.sleep(0.5)
    assert two.file(growing.id).state == "open" and two.file(growing.id).host == "one"


async def test_of_two_workers_one_completes(
    pair: tuple[Host, Host], tmp_path: Path, made: list[Host], gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    one, two = pair
    growing, _ = await dead_in_the_middle_of(20.0, one, tmp_path)
    three = Host(make_settings(tmp_path, [gateway.store(path=tmp_path.name, url=proxy.url)], "three"))
    made.append(three)
    two.start()
    three.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    await asyncio.sleep(1.5)
    assert len(two.told()) == 1
    assert proxy.count("POST", "uploadId") == 1


def test_only_one_of_two_takes_a_file_over(pair: tuple[Host, Host]) -> None:
    one, two = pair
    growing = one.recording()
    seen = one.file(growing.id)
    with two.ledger.writing() as tx:
        assert uploads.take_over(tx, seen, "two")
    with two.ledger.writing() as tx:
        assert not uploads.take_over(tx, seen, "three")
    assert one.file(growing.id).host == "two"
    with one.ledger.writing() as tx:
        assert not uploads.record(tx, growing.id, "one", {"token": "stale"})


async def test_a_completion_whose_answer_was_lost_counts_when_the_upload_is_gone(
    pair: tuple[Host, Host], gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    one, two = pair
    growing, _ = await dead_in_the_middle_of(20.0, one, tmp_path)
    proxy.lost_answers = {"POST"}
    two.start()
    await until(lambda: growing.key in "".join(gateway.keys()), 10.0)
    # This gateway answers a repeated completion as the first one; other stores do not know the upload any more.
    await two.kill()
    proxy.lost_answers, proxy.status = set(), 404
    two.start()
    await until(lambda: bool(two.file(growing.id).error), 10.0)
    proxy.status = None
    await two.kill()
    two.start()
    await until(lambda: two.file(growing.id).state == "delivered", 10.0)
    assert len(two.told()) == 1
