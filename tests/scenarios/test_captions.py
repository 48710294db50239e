"""What the guests of a loopback call say becomes captions and a transcript, whatever is killed meanwhile.

The real engine hears the Opus that was received. A guest's sentence begins at a known moment of the room's time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
import pytest
import pytest_asyncio

from egress.call.loopback.guests import FPS, KEY_INTERVAL
from egress.call.loopback.lines import LEAD, LINES, TURN
from tests.rig.engines import kill_engine
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product, moment, path_of
from tests.rig.spoken import heard
from workers.demo import MODEL

CID = "default:words"
GUESTS = 3
LOST = 3
"""Sentences that the death of an attendant may cost: the one being spoken, and those until the next one hears."""


@dataclass(slots=True)
class Said:
    """A caption. Times are seconds since 1970."""

    speaker: str
    text: str
    start: float
    end: float
    told: float

    @classmethod
    def of(cls, event: dict[str, Any]) -> Said:
        caption = event["closed_caption"]
        start, end = moment(caption["start_time"]), moment(caption["end_time"])
        return cls(caption["speaker_id"], caption["text"], start, end, moment(event["created_at"]))


@dataclass(slots=True)
class Spoken:
    """The whole call."""

    began: float
    """When the room's time began."""
    events: list[dict[str, Any]]
    captions: list[Said]
    external: list[dict[str, Any]]
    lines: list[dict[str, Any]]
    transcript: Path
    killed: dict[str, float]
    exits: int
    spooled: list[Path]
    again: list[float]
    """When captions were told that came a second time."""

    def turn(self, said: Said) -> int:
        return round((said.start - self.began - LEAD) / TURN)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(tmp_path_factory: pytest.TempPathFactory) -> Spoken:
    folder = tmp_path_factory.mktemp("words")
    settings = {"speech__model": str(MODEL), "speech__threads": "1", "speech__formats": '["srt", "vtt", "txt"]'}
    async with LoopbackRoom(guests=GUESTS) as room:
        async with Product(folder, ["127.0.0.0/8"], **settings) as product:
            spoken = await _act(product, room)
            spoken.exits = await product.stop()
        return spoken


async def _act(product: Product, room: LoopbackRoom) -> Spoken:
    killed: dict[str, float] = {}
    address = {"type": "loopback", "url": room.url}

    async def send(type_: str, **fields: Any) -> None:
        code, said = await product.send({"type": type_, "call_cid": CID, **fields})
        assert code == 0, said

    async def more(count: int) -> None:
        there = len(product.events("call.closed_caption"))
        await product.event("call.closed_caption", there + count, timeout=60)

    await send("start_closed_captions", connector=address, egress_id="seen", enable_transcription=True)
    await product.event("call.closed_captions_started")
    await more(5)
    for what, kill in _KILLS.items():
        killed[what] = time.time()
        await kill(product)
        await more(4)
    await send("send_closed_caption", speaker_id="elsewhere", text="Said by another.", service="theirs")
    await more(2)
    await send("stop_closed_captions", stop_transcription=True)
    ready = await product.event("call.transcription_ready")
    transcript = path_of(ready)
    for _ in range(100):
        if transcript.with_suffix(".manifest.json").exists():
            break
        await asyncio.sleep(0.1)
    captions, again = _by_id(product.events("call.closed_caption"))
    return Spoken(
        began=room.attended[0],
        events=product.events(),
        captions=[Said.of(e) for e in captions if e["closed_caption"]["service"] == "faster-whisper"],
        external=[e["closed_caption"] for e in captions if e["closed_caption"]["service"] == "theirs"],
        lines=_lines(transcript),
        transcript=transcript,
        killed=killed,
        exits=-1,
        spooled=product.spooled(),
        again=again,
    )


def _by_id(events: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[float]]:
    """The captions, each once, and when those were told that came again.

    A worker that is killed between telling an event and writing that down tells it once more, as the same event.
    """
    captions: dict[str, dict[str, Any]] = {}
    again = []
    for event in events:
        caption = event["closed_caption"]
        if captions.setdefault(caption["id"], event) is not event:
            assert captions[caption["id"]] == event
            again.append(moment(event["created_at"]))
    return list(captions.values()), again


async def _kill_attendant(product: Product) -> None:
    os.kill(product.attending(), signal.SIGKILL)


async def _kill_engine(product: Product) -> None:
    kill_engine(product.folder)


def _lines(transcript: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.read_text().splitlines()]


async def _kill_worker(product: Product) -> None:
    await product.kill()
    await product.start()


_KILLS: dict[str, Callable[[Product], Awaitable[None]]] = {
    "attendant": _kill_attendant,
    "engine": _kill_engine,
    "worker": _kill_worker,
}


def test_each_step_is_told_once(call: Spoken) -> None:
    told = [event["type"] for event in call.events if event["type"] != "call.closed_caption"]

    assert sorted(told) == [
        "call.closed_captions_started",
        "call.closed_captions_stopped",
        "call.transcription_ready",
        "call.transcription_started",
        "call.transcription_stopped",
    ]
    assert call.exits == 0
    assert call.spooled == []


def test_words_are_right_and_are_those_of_their_speaker(call: Spoken) -> None:
    guests = list(LINES)[:GUESTS]
    expected, told = [], []
    for said in call.captions[:-1]:  # the last one may have been cut off by the stop
        assert said.speaker == guests[call.turn(said) % GUESTS]
        text = said.text.strip().lower()
        expected.append(min(LINES[said.speaker], key=lambda line, text=text: jiwer.wer(line, text)))  # type: ignore[misc]
        told.append(text)

    assert jiwer.wer(expected, told) <= 0.1, list(zip(expected, told, strict=True))


def test_nothing_is_told_twice_and_little_is_lost(call: Spoken) -> None:
    turns = [call.turn(said) for said in call.captions]
    assert len(set(turns)) == len(turns)
    assert all(call.killed["worker"] - 1.0 < told < call.killed["worker"] for told in call.again)
    lost = sorted(set(range(min(turns), max(turns))) - set(turns))
    at = (call.killed["attendant"] - call.began) / TURN

    assert [turn for turn in lost if not at - 1.5 <= turn <= at + LOST] == []


def test_times_are_those_of_the_speech(call: Spoken) -> None:
    starts, ends = [], []
    for of_one in (True, False):  # attendant, and the one after it
        told = [said for said in call.captions[:-1] if (said.start < call.killed["attendant"]) is of_one]
        truths = [call.began + call.turn(said) * TURN + LEAD for said in told]
        # Each listener hears the room's time shifted by less than a key frame interval, and always by the same.
        shift = float(np.median([said.start - truth for said, truth in zip(told, truths, strict=True)]))
        assert -0.05 <= shift < KEY_INTERVAL / FPS + 0.05
        for said, truth in zip(told, truths, strict=True):
            starts.append(abs(said.start - truth - shift))
            sounding = {line: end - LEAD for line, _, end in heard(said.speaker)}.get(said.text.strip().lower())
            if sounding is not None:
                ends.append(abs(said.end - truth - shift - sounding))

    assert len(ends) >= 10
    assert np.percentile(starts, 95) <= 0.15
    assert np.percentile(ends, 95) <= 0.15


def test_captions_come_while_the_call_goes_on(call: Spoken) -> None:
    waits = [said.told - said.end for said in call.captions]
    print(f"from the end of speech to the event: median {statistics.median(waits):.2f} s, all {np.round(waits, 2)}")

    assert statistics.median(waits) < 3


def test_the_transcript_has_what_captions_told(call: Spoken) -> None:
    told = sorted((s.start, s.speaker, s.text) for s in call.captions)
    told += [(moment(c["start_time"]), c["speaker_id"], c["text"]) for c in call.external]

    assert [(moment(line["start_time"]), line["speaker_id"], line["text"]) for line in call.lines] == sorted(told)
    assert {line["type"] for line in call.lines} == {"speech"}
    assert [(c["speaker_id"], c["text"], c["translated"]) for c in call.external] == [
        ("elsewhere", "Said by another.", False)
    ]


def test_subtitles_and_a_manifest_lie_beside_the_transcript(call: Spoken) -> None:
    vtt, srt, text = (call.transcript.with_suffix(f".{name}").read_text() for name in ("vtt", "srt", "txt"))
    manifest = json.loads(call.transcript.with_suffix(".manifest.json").read_text())

    assert vtt.startswith("WEBVTT\n")
    assert all(said.text in srt and said.text in text for said in call.captions)
    assert manifest["kind"] == "transcription"
    assert sorted(Path(file["key"]).suffix for file in manifest["files"]) == [".jsonl", ".srt", ".txt", ".vtt"]
