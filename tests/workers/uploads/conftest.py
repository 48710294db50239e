"""An uploader on a ledger of its own, growing files, and real stores behind a proxy that can be told to fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.stream import VideoStream
from sqlalchemy import select

from egress.outputs.files import MP4_OPTIONS
from egress.protocol.recordings import CompositeRecording
from tests.rig.servers.faulty_proxy import FaultyProxy
from tests.rig.servers.s3 import VersityGateway
from workers.keyring import keyring
from workers.ledger import clock, files, hosts
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.database import Ledger
from workers.ledger.tables import Call, CallSession, Egress, Event, File
from workers.settings import Settings
from workers.uploads.stores import targets
from workers.uploads.uploader import Uploader

PART = 5 * 2**20
START = datetime.now(UTC) - timedelta(seconds=60)


@pytest.fixture(scope="session")
def gateway() -> Iterator[VersityGateway]:
    with VersityGateway() as server:
        server.make_bucket()
        yield server


@pytest.fixture
async def proxy(gateway: VersityGateway) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(gateway.url) as one:
        yield one


def make_settings(folder: Path, stores: list[dict[str, Any]], worker: str = "one", **sections: Any) -> Settings:
    """Without manifests, where nothing else is said: then what goes to the store is of the files alone."""
    return Settings(
        data_dir=folder / worker,
        worker_id=worker,
        ledger={"url": f"sqlite:///{folder / 'ledger.sqlite'}"},
        secrets={"keys": ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="]},
        storage={"default": stores[0]["name"], "part_size": PART, **sections.pop("storage", {})},
        stores=stores,
        guard={"allow_private": ["127.0.0.0/8"]},
        agent={"abandoned": 2.0},
        **{"recording": {"manifest": False}, **sections},
    )


class Host:
    """The uploader of one worker, which can be killed and started again, beside the ledger that it shares."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings.ledger_url, keyring(settings))
        self.ledger.upgrade()
        self.uploader: Uploader | None = None
        self._asynchronous: AsyncLedger | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._asynchronous = AsyncLedger(self.ledger)
        self.uploader = Uploader(self._asynchronous, self.settings, targets(self.settings))
        self._task = asyncio.create_task(self.uploader.run())

    async def kill(self) -> None:
        """Nothing is said to anybody, and nothing is finished."""
        if self._task is not None and self._asynchronous is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._asynchronous.close()
        self.uploader = self._task = None

    def beat(self, ago: float = 0.0) -> None:
        """A sign of life, so many seconds old."""
        with self.ledger.writing() as tx:
            hosts.beat(tx, self.settings.owner, "host", "1", clock.now(tx) - timedelta(seconds=ago))

    def file(self, file_id: int) -> File:
        with self.ledger.reading() as tx:
            return tx.get_one(File, file_id)

    def egress(self, egress_id: str) -> Egress:
        with self.ledger.reading() as tx:
            return tx.get_one(Egress, egress_id)

    def told(self, type_: str = "call.recording_ready") -> list[dict[str, Any]]:
        with self.ledger.reading() as tx:
            return [e.payload for e in tx.scalars(select(Event).order_by(Event.seq)) if e.type == type_]

    def parts(self, file_id: int) -> list[int]:
        """Numbers of the parts that the ledger knows to be sent."""
        return [part["number"] for part in (self.file(file_id).upload or {}).get("parts", [])]

    def recording(self, egress_id: str = "e1", store: str = "s3", part: int = 1, suffix: str = "mp4") -> Growing:
        """A file that is being recorded."""
        path = self.settings.spools / egress_id / f"part-{part}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        with self.ledger.writing() as tx:
            if tx.get(Call, "default:tests") is None:
                tx.add(Call(cid="default:tests", created_at=START))
                tx.add(CallSession(id="s1", call_cid="default:tests", connector={"type": "loopback"}, created_at=START))
                tx.flush()
            egress = tx.get(Egress, egress_id)
            if egress is None:
                egress = Egress(
                    id=egress_id,
                    session_id="s1",
                    call_cid="default:tests",
                    kind="composite_recording",
                    recording_type="composite",
                    state="active",
                    desired="run",
                    spec=CompositeRecording(egress_id=egress_id).model_dump(mode="json", exclude={"egress_id"}),
                    storage=store,
                    created_at=START,
                    updated_at=START,
                    started_at=START,
                )
                tx.add(egress)
                tx.flush()
            file = files.opened(
                tx,
                egress,
                epoch=1,
                part=part,
                path=path,
                start_time=START,
                host=self.settings.owner,
                template=self.settings.storage.key_template,
            )
            assert file.key is not None
            return Growing(self, egress_id, file.id, file.key, path)


class Growing:
    """One file in a spool. Its head changes when it is closed, as that of a hybrid MP4 does."""

    def __init__(self, host: Host, egress_id: str, file_id: int, key: str, path: Path) -> None:
        self.host = host
        self.egress_id = egress_id
        self.id = file_id
        self.key = key
        self.path = path

    def grow(self, size: int, seed: int = 1) -> bytes:
        data = np.random.default_rng(seed + self.path.stat().st_size).bytes(size)
        with self.path.open("ab") as file:
            file.write(data)
        return data

    def close(self, head: bytes = b"closed!") -> bytes:
        """End the file and tell so; returns all its bytes."""
        with self.path.open("r+b") as file:
            file.seek(45)
            file.write(head)
        return self.tell_closed()

    def tell_closed(self, duration: float = 60.0) -> bytes:
        """Tell that the file is whole; returns all its bytes."""
        whole = self.path.read_bytes()
        self.tell_closed_unread(duration)
        return whole

    def tell_closed_unread(self, duration: float) -> None:
        with self.host.ledger.writing() as tx:
            files.closed(
                tx.get_one(File, self.id),
                tx.get_one(Egress, self.egress_id),
                self.host.settings.storage.key_template,
                start_time=START,
                end_time=START + timedelta(seconds=duration),
                size=self.path.stat().st_size,
                duration=duration,
            )
            egress = tx.get_one(Egress, self.egress_id)
            if egress.state == "active":
                egress.state, egress.files_closed = "finalizing", True
        if self.host.uploader is not None:
            self.host.uploader.wake()


def film(path: Path, seconds: float, *, megabits: float = 8.0, close: bool = True) -> float:
    """An MP4 of noise as recordings write it, closed or torn off; returns how many seconds were written."""
    rate, size = 10, (640, 360)
    container = av.open(str(path), "w", format="mp4", options=MP4_OPTIONS)
    stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "g": str(rate)})
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
    stream.bit_rate = int(megabits * 1e6)
    noise = np.random.default_rng(7)
    for number in range(round(seconds * rate)):
        frame = av.VideoFrame.from_ndarray(noise.integers(0, 255, (size[1], size[0], 3), np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, rate)
        container.mux(stream.encode(frame))
    if close:
        container.mux(stream.encode(None))
        container.close()
    else:
        torn = path.read_bytes()
        container.close()
        path.write_bytes(torn)
    return seconds


def played(path: Path) -> tuple[float, int]:
    """Seconds and pictures that come out of a decoder."""
    last, pictures = 0.0, 0
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        for frame in container.decode(video=0):
            assert frame.time is not None
            last, pictures = frame.time, pictures + 1
    return last, pictures


@pytest.fixture
async def made() -> AsyncIterator[list[Host]]:
    """Hosts that end with the test."""
    found: list[Host] = []
    yield found
    for host in found:
        await host.kill()
        host.ledger.close()


@pytest.fixture
def host(tmp_path: Path, gateway: VersityGateway, proxy: FaultyProxy, made: list[Host]) -> Host:
    """One host whose store is versitygw behind the proxy; every test has a folder of its own in the bucket."""
    made.append(Host(make_settings(tmp_path, [gateway.store(path=tmp_path.name, url=proxy.url)])))
    return made[0]
