"""The demo: a worker of its own in a fresh folder, a call inside this machine, and a recording of it, judged."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy import select

from workers import demo_page
from workers.carry_out import carry_out
from workers.events.sinks import FileSink
from workers.ledger import files
from workers.ledger.tables import Egress, Event, File
from workers.settings import EventSettings, Settings
from workers.worker import Worker

CALL = "default:demo"
GUESTS = 3
START_TIMEOUT = 45.0
FINISH_TIMEOUT = 60.0
POLL = 0.1

_MARK = ".wallflower-demo"
"""Says that a folder was made by a demo and may be made anew."""


class DemoError(Exception):
    """The demo did not show what it should. The text is one sentence for people."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is going on: ``recorded`` seconds of those wanted, ``participants`` in the picture."""

    what: str
    recorded: float = 0.0
    participants: int = 0


@dataclass(slots=True)
class Result:
    files: list[File]
    events: list[dict[str, Any]]
    page: Path
    facts: list[tuple[str, str]] = field(default_factory=list)


def folder_for(out: Path) -> Path:
    """A fresh folder. Raises DemoError rather than remove anything that no demo made."""
    out = out.absolute()
    if out.exists() and any(out.iterdir()) and not (out / _MARK).exists():
        raise DemoError(f"{out} holds files that no demo made; name another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / _MARK).touch()
    return out


def settings_for(out: Path) -> Settings:
    """Embedded everything, whatever the machine is configured to."""
    return _Embedded(data_dir=out, events=EventSettings(stdout=False), ice_networks=["127.0.0.0/8"])


class _Embedded(Settings):
    """Settings that no variable and no file has a say in."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


async def run(seconds: float, settings: Settings, tell: Callable[[Step], None]) -> Result:
    """Record for that long. Raises DemoError."""
    out = settings.data_dir
    worker = Worker(settings, [FileSink(settings.events_file)])
    await asyncio.to_thread(worker.ledger.upgrade)
    running = asyncio.create_task(worker.run())
    watch = _Watch(worker, running, tell)
    sent: list[tuple[datetime, str]] = []
    try:
        start = {
            "call_cid": CALL,
            "egress_id": "demo",
            "connector": {"type": "loopback", "guests": GUESTS},
            "recording": {"mode": "available", "quality": "720p", "layout": {"name": "grid"}},
        }
        tell(Step("sending start_recording"))
        sent.append((datetime.now(UTC), "start_recording"))
        await asyncio.to_thread(carry_out, worker.ledger, settings, "start_recording", start, "demo-start")
        await watch.until(lambda e: e.started_at is not None, START_TIMEOUT, "start", "waiting for the first picture")
        await watch.until(lambda e: _lasted(e) >= seconds, seconds + START_TIMEOUT, "be recorded", "recording")
        tell(Step("sending stop_recording", seconds))
        sent.append((datetime.now(UTC), "stop_recording"))
        stop = {"call_cid": CALL}
        await asyncio.to_thread(carry_out, worker.ledger, settings, "stop_recording", stop, "demo-stop")
        await watch.until(lambda e: e.ended_at is not None, FINISH_TIMEOUT, "be finished", "finishing the file")
        egress = await watch.look()
        if egress is None or egress.state != "complete":
            raise DemoError(f"the recording ended {egress.state if egress else 'unseen'}: {egress and egress.error}")
        found, events = await asyncio.to_thread(_collect, worker)
    finally:
        worker.stop()
        await asyncio.gather(running, return_exceptions=True)
    if running.exception() is not None:
        raise DemoError(f"the worker failed: {running.exception()}")
    facts = await asyncio.to_thread(_judge, found, seconds)
    paths = [_path(file).relative_to(out).as_posix() for file in found]
    moments = demo_page.timeline(sent, events)
    page = out / "index.html"
    text = demo_page.page("A call recorded by Wallflower", paths, facts, moments, events)
    await asyncio.to_thread(page.write_text, text, "utf-8")
    return Result(found, events, page, facts)


def _lasted(egress: Egress) -> float:
    """Seconds since the first picture; what is composed runs a delay behind."""
    return (datetime.now(UTC) - egress.started_at).total_seconds() if egress.started_at else 0.0


class _Watch:
    """Looks at the one egress of the demo until something holds."""

    def __init__(self, worker: Worker, running: asyncio.Task[None], tell: Callable[[Step], None]) -> None:
        self._worker = worker
        self._running = running
        self._tell = tell

    async def look(self) -> Egress | None:
        def read() -> Egress | None:
            with self._worker.ledger.reading() as tx:
                return tx.get(Egress, "demo")

        return await asyncio.to_thread(read)

    async def until(self, holds: Callable[[Egress], bool], timeout: float, aim: str, what: str) -> None:
        deadline = time.monotonic() + timeout
        while True:
            egress = await self.look()
            if egress is not None:
                self._tell(Step(what, egress.recorded, egress.participants))
                if holds(egress):
                    return
                if egress.state in ("failed", "aborted"):
                    raise DemoError(f"the recording {egress.state}: {egress.error}")
                if egress.ended_at is not None:
                    raise DemoError(f"the recording ended before it should: {egress.stop_reason}")
            if self._running.done():
                raise DemoError(f"the worker ended: {self._running.exception()}")
            if time.monotonic() > deadline:
                raise DemoError(f"the recording did not {aim} within {timeout:.0f} s")
            await asyncio.sleep(POLL)


def _collect(worker: Worker) -> tuple[list[File], list[dict[str, Any]]]:
    with worker.ledger.reading() as tx:
        events = [event.payload for event in tx.scalars(select(Event).order_by(Event.seq))]
        return list(files.of_egress(tx, "demo")), events


def _path(file: File) -> Path:
    assert file.url is not None
    return Path(unquote(urlsplit(file.url).path))


def _judge(found: list[File], seconds: float) -> list[tuple[str, str]]:
    """What the files really hold. Raises DemoError when that is not a recording of the length asked for."""
    import av

    total = 0.0
    facts: list[tuple[str, str]] = []
    for file in found:
        if file.state != "delivered":
            raise DemoError(f"part {file.part} is {file.state}: {file.error}")
        if file.salvaged:
            raise DemoError(f"part {file.part} had to be salvaged: the attendant died")
        with av.open(str(_path(file))) as container:
            codecs = {stream.type: stream.codec_context.name for stream in container.streams}
            size = next(((s.width, s.height) for s in container.streams.video), (0, 0))
            last = {"video": 0.0, "audio": 0.0}
            for packet in container.demux():
                if packet.pts is not None and packet.stream.type in last:
                    end = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    last[packet.stream.type] = max(last[packet.stream.type], end)
        if codecs.get("video") != "h264" or codecs.get("audio") != "aac":
            raise DemoError(f"part {file.part} holds {codecs}, not H.264 and AAC")
        if abs(last["video"] - last["audio"]) > 0.5:
            raise DemoError(f"part {file.part} has {last['video']:.1f} s of picture and {last['audio']:.1f} s of sound")
        total += last["video"]
        facts.append(
            (
                f"part {file.part}",
                f"{size[0]}×{size[1]} H.264 + AAC, {last['video']:.2f} s, {(file.size or 0) / 1e6:.2f} MB",
            )
        )
    if not found:
        raise DemoError("no file came of it")
    if total < seconds - 0.5 or total > seconds + 5:
        raise DemoError(f"{total:.1f} s were recorded, {seconds:.1f} s were wanted")
    return facts
