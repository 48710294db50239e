"""Files on their way to a real S3 server: in parts while they grow, whole and once however often we are killed."""

from __future__ import annotations

import asyncio
import tracemalloc
from pathlib import Path

import pytest

from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import Moto, VersityGateway
from tests.workers.conftest import until
from tests.workers.uploads.conftest import PART, Host, film, make_settings, played
from workers.uploads import pauses


def stored(host: Host, gateway: VersityGateway, key: str) -> bytes:
    return gateway.read(f"{host.settings.stores[0].path}/{key}")


async def delivered(host: Host, file_id: int, timeout: float = 20.0) -> None:
    await until(lambda: host.file(file_id).state == "delivered", timeout, lambda: host.file(file_id).error)
    await until(lambda: host.file(file_id).upload is None)


async def test_a_growing_file_goes_up_part_by_part_and_its_head_again_at_the_close(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    growing = host.recording()
    for count in (1, 2, 3):
        growing.grow(PART)
        await until(lambda: host.parts(growing.id) == list(range(1, count)), 5.0)  # noqa: B023
    growing.grow(1000)
    await until(lambda: host.parts(growing.id) == [1, 2, 3], 5.0)
    assert sorted(proxy.parts()) == [1, 2, 3]
    whole = growing.close()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole
    assert proxy.parts()[3:] == [4, 1]
    assert proxy.count("POST", "uploads") == 1
    file = host.file(growing.id)
    assert file.url == f"{proxy.url}/recordings/{host.settings.stores[0].path}/{growing.key}"
    assert file.size == len(whole) and not file.salvaged
    assert [event["call_recording"]["url"] for event in host.told()] == [file.url]
    assert host.egress("e1").state == "complete"
    await until(lambda: not growing.path.parent.exists(), 5.0)
    assert {r.method for r in proxy.requests} == {"PUT", "POST"}


async def test_a_file_that_does_not_change_its_head_is_not_sent_twice(host: Host, proxy: FaultyProxy) -> None:
    host.start()
    growing = host.recording(suffix="mp3")
    growing.grow(2 * PART + 5)
    await until(lambda: host.parts(growing.id) == [1, 2], 5.0)
    growing.tell_closed()
    await delivered(host, growing.id)
    assert sorted(proxy.parts()) == [1, 2, 3]


async def test_a_short_file_is_put_by_one_request(host: Host, gateway: VersityGateway, proxy: FaultyProxy) -> None:
    host.start()
    growing = host.recording()
    growing.grow(100_000)
    await asyncio.sleep(1.2)
    assert proxy.requests == []
    whole = growing.close()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole
    assert len(proxy.requests) == 1 and proxy.requests[0].method == "PUT"
    client = gateway.client()
    head = client.head_object(Bucket="recordings", Key=f"{host.settings.stores[0].path}/{growing.key}")
    client.close()
    assert head["ContentType"] == "video/mp4"


async def test_the_tail_goes_up_when_nothing_else_did_for_a_while(
    tmp_path: Path, gateway: VersityGateway, proxy: FaultyProxy, made: list[Host]
) -> None:
    store = gateway.store(path=tmp_path.name, url=proxy.url)
    host = Host(make_settings(tmp_path, [store], storage={"tail_seconds": 1.0}))
    made.append(host)
    host.start()
    growing = host.recording()
    growing.grow(PART + 1000)
    await until(lambda: [p["size"] for p in (host.file(growing.id).upload or {}).get("parts", [])] == [PART, 1000])
    growing.grow(500)
    await until(lambda: [p["size"] for p in (host.file(growing.id).upload or {})["parts"]] == [PART, 1500])
    growing.grow(PART)
    await until(lambda: [p["size"] for p in (host.file(growing.id).upload or {})["parts"]] == [PART, PART, 1500])
    whole = growing.close()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole


@pytest.mark.parametrize("closed_meanwhile", [False, True])
async def test_a_killed_uploader_goes_on_where_it_was(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy, closed_meanwhile: bool
) -> None:
    host.start()
    growing = host.recording()
    growing.grow(3 * PART + 1)
    await until(lambda: host.parts(growing.id) == [1, 2, 3], 10.0)
    await host.kill()
    growing.grow(PART)
    if closed_meanwhile:
        whole = growing.close()
    host.start()
    if not closed_meanwhile:
        await until(lambda: host.parts(growing.id) == [1, 2, 3, 4], 10.0)
        whole = growing.close()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole
    assert sorted(proxy.parts()) == [1, 1, 2, 3, 4, 5]
    assert proxy.count("POST", "uploads") == 1


async def test_a_kill_between_the_store_s_answer_and_the_ledger_delivers_once(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    growing = host.recording()
    growing.grow(PART + 5)
    await until(lambda: host.parts(growing.id) == [1], 5.0)
    proxy.lost_answers = {"POST"}
    whole = growing.close()
    await until(lambda: bool((host.file(growing.id).upload or {}).get("completing")))
    await until(lambda: growing.key in "".join(gateway.keys()))
    await host.kill()
    assert host.file(growing.id).state == "closed"
    proxy.lost_answers = set()
    host.start()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole
    assert len(host.told()) == 1


async def test_spool_files_of_delivered_rows_are_cleared_away_after_a_crash(
    host: Host, gateway: VersityGateway
) -> None:
    host.start()
    growing = host.recording()
    growing.grow(1000)
    growing.close()
    await delivered(host, growing.id)
    await until(lambda: not growing.path.parent.exists())
    growing.path.parent.mkdir()
    growing.path.write_bytes(b"what a crash left")
    with host.ledger.writing() as tx:
        tx.get_one(type(host.file(growing.id)), growing.id).upload = {"remove": True}
    await host.kill()
    host.start()
    await until(lambda: not growing.path.parent.exists())
    assert host.file(growing.id).upload is None and len(host.told()) == 1


async def test_an_upload_that_the_store_forgot_begins_anew_from_the_spool(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    growing = host.recording()
    growing.grow(2 * PART + 1)
    await until(lambda: host.parts(growing.id) == [1, 2], 10.0)
    client = gateway.client()
    for upload in client.list_multipart_uploads(Bucket="recordings").get("Uploads", []):
        if upload["Key"].endswith(growing.key):
            client.abort_multipart_upload(Bucket="recordings", Key=upload["Key"], UploadId=upload["UploadId"])
    client.close()
    whole = growing.close()
    await delivered(host, growing.id)
    assert stored(host, gateway, growing.key) == whole
    assert proxy.count("POST", "uploads") == 2


async def test_a_store_that_is_away_gets_everything_later_and_is_not_hammered(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    host.start()
    files = [host.recording(f"e{number}") for number in range(8)]
    growing = host.recording("long")
    growing.grow(PART + 1)
    await until(lambda: host.parts(growing.id) == [1], 10.0)
    proxy.status = 503
    before = len(proxy.requests)
    growing.grow(3 * PART)
    for one in files:
        one.grow(10_000)
    wholes = {one.id: (one, one.close()) for one in files}
    await asyncio.sleep(6.0)
    assert len(proxy.requests) - before < 20
    assert any("asks for less" in (host.file(one.id).error or "") for one in files)
    wholes[growing.id] = (growing, growing.close())
    proxy.status = None
    await until(lambda: all(host.file(i).state == "delivered" for i in wholes), 30.0)
    for one, whole in wholes.values():
        assert stored(host, gateway, one.key) == whole
    assert all(host.file(i).error is None for i in wholes)
    await until(lambda: not any(path.is_file() for path in host.settings.spools.rglob("*")))


async def test_a_store_that_fails_delays_no_other_store(
    tmp_path: Path, gateway: VersityGateway, proxy: FaultyProxy, made: list[Host]
) -> None:
    stores = [gateway.store("away", path="a", url="http://127.0.0.1:9"), gateway.store("there", path=tmp_path.name)]
    host = Host(make_settings(tmp_path, stores))
    made.append(host)
    host.start()
    bad = [host.recording(f"bad{number}", store="away") for number in range(4)]
    good, local = host.recording("good", store="there"), host.recording("local", store="local")
    for one in (*bad, good, local):
        one.grow(1000)
        one.close()
    await delivered(host, good.id, 5.0)
    await delivered(host, local.id, 5.0)
    assert (host.settings.recordings / local.key).is_file()
    assert {host.file(one.id).state for one in bad} == {"closed"}
    await until(lambda: "out of reach" in (host.file(bad[0].id).error or ""))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bucket": "nowhere"}, "the bucket does not exist"),
        ({"s3_secret": "wrong"}, "the signature does not match"),
        ({"s3_api_key": "unknown"}, "the access key is unknown"),
    ],
)
async def test_what_somebody_must_change_first_is_told_in_words_and_tried_rarely(
    tmp_path: Path,
    gateway: VersityGateway,
    proxy: FaultyProxy,
    made: list[Host],
    change: dict[str, str],
    said: str,
) -> None:
    store = gateway.store(url=proxy.url)
    for name, value in change.items():
        (store if name in store else store["aws_s3"])[name] = value
    host = Host(make_settings(tmp_path, [store]))
    made.append(host)
    host.start()
    growing = host.recording()
    growing.grow(1000)
    growing.close()
    await until(lambda: said in (host.file(growing.id).error or ""), 10.0, lambda: host.file(growing.id).error)
    assert "secret" not in (host.file(growing.id).error or "").replace("secret key is wrong", "")
    await asyncio.sleep(4.0)
    assert len(proxy.requests) <= 2
    assert growing.path.exists()


async def test_a_store_that_is_gone_for_a_while_is_tried_again_within_the_pause(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    growing = host.recording()
    growing.grow(3 * PART)
    await until(lambda: host.parts(growing.id) == [1, 2], 10.0)
    await proxy.vanish()
    growing.grow(2 * PART)
    await until(lambda: "out of reach" in (host.file(growing.id).error or ""), 15.0)
    await proxy.appear()
    whole = growing.close()
    await delivered(host, growing.id, pauses.LONGEST)
    assert stored(host, gateway, growing.key) == whole


async def test_connections_that_break_in_mid_part_lose_nothing(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    proxy.cut_after = PART // 2
    growing = host.recording()
    growing.grow(2 * PART)
    whole = growing.close()
    await until(lambda: "the connection broke" in (host.file(growing.id).error or ""), 20.0)
    proxy.cut_after = None
    await delivered(host, growing.id, 30.0)
    assert stored(host, gateway, growing.key) == whole


async def test_a_slow_store_costs_no_memory(host: Host, proxy: FaultyProxy) -> None:
    host.start()
    first = host.recording("first")
    first.grow(2 * PART)
    first.close()
    await delivered(host, first.id)
    proxy.bytes_per_second = 4e6
    files = [host.recording(f"e{number}") for number in range(4)]
    for one in files:
        one.grow(8 * PART)
    tracemalloc.start()
    try:
        await asyncio.sleep(8.0)
        for one in files:
            one.grow(8 * PART)
        tracemalloc.reset_peak()
        await asyncio.sleep(6.0)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        proxy.bytes_per_second = None
    # Two parts at once, and what one request needs beside its bytes; 320 MiB are waiting.
    assert peak < 4 * PART, f"{peak / 2**20:.1f} MiB"
    assert sum(len(host.parts(one.id)) for one in files) >= 4


async def test_a_file_that_vanished_is_made_of_what_was_sent(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy
) -> None:
    host.start()
    sent, unsent = host.recording("sent"), host.recording("unsent")
    first = sent.grow(2 * PART) + sent.grow(10)
    unsent.grow(10)
    await until(lambda: host.parts(sent.id) == [1, 2], 10.0)
    await host.kill()
    for one in (sent, unsent):
        one.tell_closed()
        one.path.unlink()
    host.start()
    await delivered(host, sent.id)
    assert stored(host, gateway, sent.key) == first[: 2 * PART]
    assert host.file(sent.id).salvaged
    await until(lambda: host.file(unsent.id).state == "dropped")
    assert "vanished from the spool" in (host.file(unsent.id).error or "")
    assert host.egress("unsent").state == "failed"


async def test_a_torn_film_is_cut_and_what_changed_of_it_is_sent_again(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    film(tmp_path / "torn.mp4", 14.0, close=False)
    torn = (tmp_path / "torn.mp4").read_bytes()[:-40_000]
    assert len(torn) > 2 * PART
    host.start()
    growing = host.recording()
    growing.path.write_bytes(torn)
    await until(lambda: host.parts(growing.id)[:2] == [1, 2], 10.0)
    assert host.uploader is not None
    host.uploader.salvage([host.file(growing.id)])
    await delivered(host, growing.id)
    data = stored(host, gateway, growing.key)
    assert len(data) < len(torn) and torn.startswith(data)
    assert proxy.parts().count(2) <= 2 and proxy.parts().count(1) == 1
    (tmp_path / "back.mp4").write_bytes(data)
    lasted, pictures = played(tmp_path / "back.mp4")
    assert lasted > 12.0 and pictures > 120
    assert host.file(growing.id).duration == pytest.approx(lasted, abs=0.7)


async def test_a_film_that_is_sent_while_it_is_written_arrives_byte_for_byte(
    host: Host, gateway: VersityGateway, proxy: FaultyProxy, tmp_path: Path
) -> None:
    host.start()
    growing = host.recording()
    writing = asyncio.create_task(asyncio.to_thread(film, growing.path, 20.0))
    await until(lambda: writing.done() or host.parts(growing.id)[:1] == [1], 30.0)
    early = not writing.done()
    await writing
    await until(lambda: host.parts(growing.id)[:2] == [1, 2], 10.0)
    whole = growing.tell_closed(20.0)
    await delivered(host, growing.id)
    data = stored(host, gateway, growing.key)
    assert data == whole
    (tmp_path / "back.mp4").write_bytes(data)
    assert played(tmp_path / "back.mp4") == (pytest.approx(19.9), 200)
    # On a machine too busy to send anything before the end, the head went up when it was final.
    assert proxy.parts().count(1) == 2 or not early


async def test_a_store_that_the_settings_do_not_name_is_told(host: Host) -> None:
    host.start()
    growing = host.recording(store="sold")
    growing.grow(10)
    growing.close()
    await until(lambda: host.file(growing.id).error == "there is no store 'sold' in the settings; known are local, s3")


async def test_moto_takes_the_same_uploads(tmp_path: Path, made: list[Host]) -> None:
    async with Moto() as moto:
        moto.make_bucket()
        host = Host(make_settings(tmp_path, [moto.store(path="folder/")]))
        made.append(host)
        host.start()
        growing = host.recording()
        growing.grow(2 * PART + 17)
        await until(lambda: host.parts(growing.id) == [1, 2], 10.0)
        whole = growing.close()
        await delivered(host, growing.id)
        assert moto.read(f"folder/{growing.key}") == whole
        assert moto.open_uploads() == []
        await host.kill()
