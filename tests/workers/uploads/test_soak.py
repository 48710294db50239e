"""Two hours' worth of bytes follow a recording to S3; what is left at the stop is a tail and a head.

The store is MinIO: like S3, it puts parts together without copying them. (versitygw copies, which takes seconds for so
many bytes, with the file not ready before that.)
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import psutil
import pytest

from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import MinIO
from tests.workers.conftest import until
from tests.workers.uploads.conftest import Host, make_settings

TWO_HOURS = 1_400 * 10**6
"""Bytes: 720p at 1.5 Mbit/s."""
PIECE = 2 * 10**6
SPEED = 40 * 10**6
"""Bytes a second: two hours in 35 s."""
LONGEST_STOP = 3.0


async def record(path: Path, size: int) -> None:
    piece, began = bytes(range(256)) * (PIECE // 256), time.monotonic()
    with path.open("ab", buffering=0) as file:
        for number in range(size // len(piece)):
            await asyncio.to_thread(file.write, number.to_bytes(8, "big") + piece[8:])
            ahead = (number + 1) * len(piece) / SPEED - (time.monotonic() - began)
            await asyncio.sleep(max(0.0, ahead))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def stored_digest(server: MinIO, key: str) -> str:
    found = hashlib.sha256()
    client = server.client()
    try:
        for piece in client.get_object(Bucket="recordings", Key=key)["Body"].iter_chunks(1 << 20):
            found.update(piece)
    finally:
        client.close()
    return found.hexdigest()


@pytest.mark.soak
async def test_after_a_recording_of_two_hours_a_stop_leaves_three_seconds_of_work(
    tmp_path: Path, made: list[Host]
) -> None:
    with MinIO() as server:
        server.make_bucket()
        async with FaultyProxy(server.url) as proxy:
            store = server.store(path=tmp_path.name, url=proxy.url)
            host = Host(make_settings(tmp_path, [store], storage={"part_size": 8 * 2**20}))
            made.append(host)
            host.start()
            growing = host.recording()
            await record(growing.path, PIECE)
            await until(lambda: host.uploader is not None)
            before = psutil.Process().memory_info().rss
            await record(growing.path, TWO_HOURS)
            with growing.path.open("r+b") as file:
                file.seek(45)
                file.write(b"closed!")
            whole = await asyncio.to_thread(digest, growing.path)
            # As when it was recorded at the speed of life: what was written is sent.
            await until(lambda: len(host.parts(growing.id)) == growing.path.stat().st_size // (8 * 2**20), 60.0)
            sent = len(host.parts(growing.id))
            stopped = time.monotonic()
            size = growing.path.stat().st_size
            growing.tell_closed_unread(7200.0)
            await until(lambda: len(host.told()) == 1, 60.0)
            ready = time.monotonic() - stopped
            grown = psutil.Process().memory_info().rss - before
            print(
                f"\n{size / 1e6:.0f} MB, {sent} parts before the stop; ready {ready:.2f} s after it; "
                f"memory {grown / 1e6:+.0f} MB"
            )
            assert await asyncio.to_thread(stored_digest, server, f"{tmp_path.name}/{growing.key}") == whole
            assert ready <= LONGEST_STOP
            assert len(proxy.parts()) == -(-size // (8 * 2**20)) + 1
            assert grown < 100e6
            await until(lambda: not growing.path.exists())
