"""How soon what is said is told: four who all talk, from the end of each sentence to a receiver of the caption event.

The way is the real one: Opus over WebRTC from a loopback room, a worker process with its ledger, its attendant, its
speech engine with the small test model and one thread, and a hook on 127.0.0.1 that the events are posted to.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer

from bench.processor import Snapshot
from bench.talk import TALKERS, at_once, talk
from egress.speech.contract import Segmenting
from egress.speech.wire import message, receive
from tests.rig.product import ROOT, Product, moment
from tests.rig.servers.hooks import HookReceiver
from workers.demo import MODEL

CID = "default:talk"
WARM_UP = 6
"""Captions before anything is measured."""
LAST = 6.0
"""Seconds for the captions of what was said last."""
BARS = {50: 0.5, 95: 1.2}
"""Seconds beyond ``silence_duration_ms`` that so many of a hundred captions may take."""
NEAR = 0.5
"""Seconds by which a caption's times and what is true may differ and be the same."""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Captioned:
    """Seconds, but for what says otherwise."""

    seconds: float
    load_before: float
    sentences: int
    found: int
    """Of them, those that a caption of their speaker tells with their times."""
    word_errors: float
    """Part of the words of those that are wrong."""
    at_once: float
    """Speakers who are heard at the same time, on the average."""
    silence_duration: float
    received: list[float]
    """From the end of each sentence that was found until its caption was at the hook."""
    written: list[float]
    """The same until the event was in the ledger (``created_at``)."""
    spoken: float
    """Of all speakers together."""
    cores: dict[str, float]
    real_time_factor: float
    """Seconds of inference for a second of sound that was asked."""


@dataclass(frozen=True, slots=True)
class _Engine:
    """What an engine process says of itself; seconds since it began."""

    pid: int
    sound: float
    busy: float


@dataclass(frozen=True, slots=True)
class _Caption:
    """Times are seconds since 1970."""

    speaker: str
    text: str
    start: float
    end: float
    written: float
    received: float

    def tells(self, speaker: str, start: float, end: float) -> bool:
        return self.speaker == speaker and abs(self.start - start) < NEAR and abs(self.end - end) < NEAR


async def run(folder: Path, seconds: float, say: Say) -> Captioned:
    """Measure for ``seconds`` of the call."""
    load = os.getloadavg()[0]
    talks = {f"guest-{number + 1}": talk(f"guest-{number + 1}") for number in range(TALKERS)}
    async with _room() as url, HookReceiver() as hook:
        product = Product(
            folder / "captions",
            ["127.0.0.0/8"],
            speech__model=str(MODEL),
            speech__threads="1",
            guard__allow_private=json.dumps(["127.0.0.0/8"]),
            events__webhooks=json.dumps([{"url": hook.url, "secret": hook.secret, "api_key": "key"}]),
        )
        async with product:
            await _send(product, "start_closed_captions", connector={"type": "loopback", "url": url})
            await hook.until(lambda: len(_captions(hook)) >= WARM_UP, timeout=60)
            say(f"{TALKERS} talk in a call for {seconds:g} s")
            pids = {"worker": product.pid, "attendant": product.attending()}
            before = await _engine(product)
            pids["engine"] = before.pid
            used, began = Snapshot.take(pids), time.time()
            await asyncio.sleep(seconds)
            cores = Snapshot.take(pids).cores_since(used, seconds)
            after, ended = await _engine(product), time.time()
            await asyncio.sleep(LAST)
            await _send(product, "stop_closed_captions")
            told = _captions(hook)
    received, written, wanted, heard, sentences = [], [], [], [], 0
    for guest, each in talks.items():
        for said in each.said(began, ended):
            sentences += 1
            found = next((one for one in told if one.tells(guest, said.start, said.end)), None)
            if found is not None:
                received.append(found.received - said.end)
                written.append(found.written - said.end)
                wanted.append(said.text)
                heard.append(found.text.lower())
    return Captioned(
        seconds=seconds,
        load_before=load,
        sentences=sentences,
        found=len(received),
        word_errors=float(jiwer.wer(wanted, heard)),
        at_once=at_once(list(talks.values()), began, ended),
        silence_duration=Segmenting().silence_duration_ms / 1000,
        received=received,
        written=written,
        spoken=sum(said.end - said.start for each in talks.values() for said in each.said(began, ended)),
        cores=cores,
        real_time_factor=(after.busy - before.busy) / (after.sound - before.sound),
    )


@contextlib.asynccontextmanager
async def _room() -> AsyncIterator[str]:
    """Where those who talk are."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.talkers", "--guests", str(TALKERS), "--until-stdin-closes"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            port = json.loads(await process.stdout.readline())["port"]
        yield f"tcp://127.0.0.1:{port}"
    finally:
        await process.communicate(b"")


async def _send(product: Product, type_: str, **fields: Any) -> None:
    code, said = await product.send({"type": type_, "call_cid": CID, **fields})
    if code:
        raise RuntimeError(f"{type_} was refused: {said}")


def _captions(hook: HookReceiver) -> list[_Caption]:
    """What came, each event once."""
    shift = time.time() - time.monotonic()
    told: dict[str, _Caption] = {}
    for request in hook.requests:
        event = request.event
        if event["type"] == "call.closed_caption" and request.id not in told:
            caption = event["closed_caption"]
            times = (moment(caption["start_time"]), moment(caption["end_time"]), moment(event["created_at"]))
            told[request.id] = _Caption(caption["speaker_id"], caption["text"], *times, request.at + shift)
    return list(told.values())


async def _engine(product: Product) -> _Engine:
    reader, writer = await asyncio.open_unix_connection(str(product.folder / "run" / "speech" / "engine.sock"))
    try:
        hello, _ = await receive(reader)
        writer.write(message({"op": "ping"}))
        told, _ = await receive(reader)
    finally:
        writer.close()
    return _Engine(int(hello["pid"]), float(told["sound_seconds"]), float(told["busy_seconds"]))
