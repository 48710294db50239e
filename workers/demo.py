"""The demo: a worker of its own in a fresh folder, a call inside this machine, its recording and transcript, judged."""

from __future__ import annotations

import asyncio
import json
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

from egress.call.loopback.lines import LINES, TURN
from workers import demo_page
from workers.carry_out import carry_out
from workers.events.sinks import FileSink
from workers.ledger import files, outbox
from workers.ledger.tables import Egress, Event, File
from workers.settings import EventSettings, Settings
from workers.settings.sections import SpeechSettings
from workers.worker import Worker

CALL = "default:demo"
GUESTS = 3
START_TIMEOUT = 45.0
FINISH_TIMEOUT = 60.0
POLL = 0.1
MODEL = Path(__file__).parents[1] / "tests" / "assets" / "whisper-tiny-espeak" / "model"
"""A small model that knows the words of the call's guests; it comes with the source tree."""
TRANSCRIPT = "demo-transcript"

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


@dataclass(frozen=True, slots=True)
class Caption:
    """What somebody said, told ``after`` seconds after its end."""

    name: str
    text: str
    after: float


Tell = Callable[[Step | Caption], None]


@dataclass(slots=True)
class Result:
    files: list[File]
    events: list[dict[str, Any]]
    page: Path
    facts: list[tuple[str, str]] = field(default_factory=list)
    transcript: list[dict[str, Any]] = field(default_factory=list)
    """Its lines; none where there is no model."""


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
    """Embedded everything, whatever the machine is configured to. Without the source tree nothing is made of speech."""
    speech = SpeechSettings(model=str(MODEL)) if MODEL.is_dir() else SpeechSettings()
    return _Embedded(data_dir=out, events=EventSettings(stdout=False), speech=speech, ice_networks=["127.0.0.0/8"])


class _Embedded(Settings):
    """Settings that no variable and no file has a say in."""

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *others: Any, **more: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


async def run(seconds: float, settings: Settings, tell: Tell) -> Result:
    """Record, caption and transcribe for that long. Raises DemoError."""
    out = settings.data_dir
    worker = Worker(settings, [FileSink(settings.events_file)])
    await asyncio.to_thread(worker.ledger.upgrade)
    running = asyncio.create_task(worker.run())
    watch = _Watch(worker, running, tell)
    sent: list[tuple[datetime, str]] = []
    speaks = settings.speech.model is not None

    async def send(what: str, message_id: str, **message: Any) -> None:
        tell(Step(f"sending {what}"))
        sent.append((datetime.now(UTC), what))
        payload = {"call_cid": CALL, **message}
        await asyncio.to_thread(carry_out, worker.ledger, settings, what, payload, message_id)

    try:
        await send(
            "start_recording",
            "demo-start",
            egress_id="demo",
            connector={"type": "loopback", "guests": GUESTS},
            recording={"mode": "available", "quality": "720p", "layout": {"name": "grid"}},
        )
        if speaks:
            await send("start_transcription", "demo-speech", egress_id=TRANSCRIPT, enable_closed_captions=True)
        await watch.until(lambda e: e.started_at is not None, START_TIMEOUT, "start", "waiting for the first picture")
        await watch.until(lambda e: _lasted(e) >= seconds, seconds + START_TIMEOUT, "be recorded", "recording")
        await send("stop_recording", "demo-stop")
        if speaks:
            await send("stop_transcription", "demo-silence", stop_closed_captions=True)
        for egress_id, what in (("demo", "the file"), *(((TRANSCRIPT, "the transcript"),) if speaks else ())):
            await watch.until(
                lambda e: e.ended_at is not None, FINISH_TIMEOUT, "be finished", f"finishing {what}", egress_id
            )
            egress = await watch.look(egress_id)
            if egress is None or egress.state != "complete":
                raise DemoError(f"{what} ended {egress.state if egress else 'unseen'}: {egress and egress.error}")
        found, events = await asyncio.to_thread(_collect, worker)
    finally:
        worker.stop()
        await asyncio.gather(running, return_exceptions=True)
    if running.exception() is not None:
        raise DemoError(f"the worker failed: {running.exception()}")
    recorded = [file for file in found if file.egress_id == "demo"]
    facts = await asyncio.to_thread(_judge, recorded, seconds)
    said = await asyncio.to_thread(_transcript, found) if speaks else []
    if speaks:
        facts.append(("transcript", _judged(said, seconds)))
    films = [demo_page.Film(_path(file).relative_to(out).as_posix(), file.start_time) for file in recorded]
    moments = demo_page.timeline(sent, events)
    page = out / "index.html"
    text = demo_page.page("A call recorded by Wallflower", films, facts, moments, events, said)
    await asyncio.to_thread(page.write_text, text, "utf-8")
    return Result(found, events, page, facts, said)


def _lasted(egress: Egress) -> float:
    """Seconds since the first picture; what is composed runs a delay behind."""
    return (datetime.now(UTC) - egress.started_at).total_seconds() if egress.started_at else 0.0


class _Watch:
    """Looks at an egress of the demo until something holds, and tells what is said meanwhile."""

    def __init__(self, worker: Worker, running: asyncio.Task[None], tell: Tell) -> None:
        self._worker = worker
        self._running = running
        self._tell = tell
        self._told = 0

    async def look(self, egress_id: str = "demo") -> Egress | None:
        def read() -> tuple[Egress | None, list[Event]]:
            with self._worker.ledger.reading() as tx:
                return tx.get(Egress, egress_id), list(outbox.after(tx, self._told, CALL))

        egress, events = await asyncio.to_thread(read)
        for event in events:
            self._told = event.seq
            if event.type == "call.closed_caption":
                self._tell(_caption(event))
        return egress

    async def until(
        self, holds: Callable[[Egress], bool], timeout: float, aim: str, what: str, egress_id: str = "demo"
    ) -> None:
        deadline = time.monotonic() + timeout
        while True:
            egress = await self.look(egress_id)
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


def _caption(event: Event) -> Caption:
    said = event.payload["closed_caption"]
    after = (event.created_at - datetime.fromisoformat(said["end_time"])).total_seconds()
    return Caption(said["user"].get("name") or said["speaker_id"], said["text"], after)


def _collect(worker: Worker) -> tuple[list[File], list[dict[str, Any]]]:
    with worker.ledger.reading() as tx:
        events = [event.payload for event in tx.scalars(select(Event).order_by(Event.seq))]
        return [*files.of_egress(tx, "demo"), *files.of_egress(tx, TRANSCRIPT)], events


def _path(file: File) -> Path:
    assert file.url is not None
    return Path(unquote(urlsplit(file.url).path))


def _transcript(found: list[File]) -> list[dict[str, Any]]:
    """The lines of the transcript. Raises DemoError when there is none."""
    path = next((_path(file) for file in found if file.url is not None and file.url.endswith(".jsonl")), None)
    if path is None:
        raise DemoError("no transcript came of it")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _judged(said: list[dict[str, Any]], seconds: float) -> str:
    """How many of the sentences that were said are right. Raises DemoError when few are."""
    known = {guest: set(lines) for guest, lines in LINES.items()}
    right = sum(line["text"].strip().lower() in known.get(line["speaker_id"], ()) for line in said)
    if right * 2 < len(said) or len(said) < int(seconds / TURN) - 2:
        raise DemoError(f"the transcript has {len(said)} lines, {right} of them right")
    words = sum(len(line["text"].split()) for line in said)
    return f"{words} words of {len({line['speaker_id'] for line in said})} speakers, {right} of {len(said)} lines exact"


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
