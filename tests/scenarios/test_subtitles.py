"""One loopback call, recorded and written down in two languages: subtitles are shown when the film has the speech.

The real engine hears the Opus that was received, a scripted translator makes the other language of its text.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from egress.call.loopback.lines import LINES
from tests.rig import chromium
from tests.rig.judge_sound import read_sound
from tests.rig.loopback import LoopbackRoom
from tests.rig.player import Played, play
from tests.rig.product import Product, moment, path_of
from tests.rig.required import unless
from tests.rig.sound import RATE
from tests.scenarios.call import ATTEMPTS
from workers.demo import MODEL

pytestmark = pytest.mark.asyncio(loop_scope="session")

CID = "default:subtitles"
GUESTS = 2
SENTENCES = 5
LOUD = 0.01
"""Of full scale, in a film's sound: a coder's noise is below it."""
PAUSE = 0.5
"""Seconds between two sentences at the least; between words of one are fewer."""
IN_STEP = 0.2


@dataclass(slots=True)
class Call:
    film: Path
    captions: list[dict[str, Any]]
    transcripts: dict[str, Path]
    """By language; the one of what was said is ``""``."""
    manifest: dict[str, Any]

    def lines(self, language: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.transcripts[language].read_text().splitlines()]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def call(tmp_path_factory: pytest.TempPathFactory) -> Call:
    folder = tmp_path_factory.mktemp("subtitles")
    german = folder / "german"
    german.mkdir()
    (german / "wallflower.json").write_text(json.dumps({"engine": "scripted", "texts": {}}))
    settings = {
        "speech__model": str(MODEL),
        "speech__threads": "1",
        "speech__formats": '["vtt"]',
        "speech__translators": json.dumps({"de": str(german)}),
    }
    async with LoopbackRoom(guests=GUESTS) as room, Product(folder / "data", ["127.0.0.0/8"], **settings) as product:
        return await _act(product, {"type": "loopback", "url": room.url})


async def _act(product: Product, address: dict[str, Any]) -> Call:
    async def send(type_: str, **fields: Any) -> None:
        code, said = await product.send({"type": type_, "call_cid": CID, **fields})
        assert code == 0, said

    await send("update_call", settings={"transcription": {"translation": {"enabled": True, "languages": ["de"]}}})
    await send("start_recording", connector=address, recording={"quality": "360p"})
    await send("start_closed_captions", connector=address, enable_transcription=True)
    await product.event("call.closed_caption", 2 * SENTENCES, timeout=60)
    await send("stop_recording")
    ready = await product.event("call.recording_ready")
    await send("stop_closed_captions", stop_transcription=True)
    await product.event("call.transcription_ready", 2)
    told = product.events("call.transcription_ready")
    transcripts = {event["call_transcription"].get("language", ""): path_of(event) for event in told}
    manifest = transcripts[""].with_suffix(".manifest.json")
    async with asyncio.timeout(10):
        while not manifest.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    captions = [event["closed_caption"] for event in product.events("call.closed_caption")]
    return Call(path_of(ready), captions, transcripts, json.loads(manifest.read_text()))


def _onsets(film: Path) -> list[float]:
    """When somebody begins to speak, in seconds of the film: what is loud after a pause."""
    sound = read_sound(film)
    assert sound is not None
    loud = np.flatnonzero(np.abs(sound.mono) > LOUD) / RATE
    return [float(at) for at, before in zip(loud[1:], loud[:-1], strict=True) if at - before > PAUSE]


async def test_a_translation_is_a_caption_of_its_own_with_a_start_of_its_own(call: Call) -> None:
    spoken = [one for one in call.captions if not one["translated"]]
    german = [one for one in call.captions if one["translated"]]

    assert {one["language"] for one in spoken} == {"en"}
    assert {one["language"] for one in german} == {"de"}
    assert [one["text"] for one in german] == [f"de: {one['text']}" for one in spoken]
    assert [one["speaker_id"] for one in german] == [one["speaker_id"] for one in spoken]
    assert len({(one["speaker_id"], one["start_time"]) for one in call.captions}) == len(call.captions)
    for source, translation in zip(spoken, german, strict=True):
        assert 0 < moment(translation["start_time"]) - moment(source["start_time"]) < 0.01


async def test_each_language_has_a_transcript(call: Call) -> None:
    spoken = [one for one in call.captions if not one["translated"]]
    assert set(call.transcripts) == {"", "de"}
    said, german = call.lines(""), call.lines("de")

    assert [line["text"] for line in said] == [one["text"] for one in spoken]
    assert [line["text"] for line in german] == [f"de: {line['text']}" for line in said]
    assert [line["speaker_id"] for line in german] == [line["speaker_id"] for line in said]
    assert all(line["text"] in call.transcripts["de"].with_suffix(".vtt").read_text() for line in german)


@unless(chromium.why_not())
async def test_a_browser_shows_each_subtitle_when_the_film_has_the_speech(call: Call) -> None:
    (beside,) = call.manifest["recordings"]
    onsets = _onsets(call.film)
    played = await _played(call, -beside["offset"])
    known = {line for guest in list(LINES)[:GUESTS] for line in LINES[guest]}
    shown = {min(onsets, key=lambda at, cue=cue: abs(at - cue.at)): cue for cue in played.shown}  # type: ignore[misc]
    off = {at: cue.at - at for at, cue in shown.items()}
    print(f"cues come {', '.join(f'{1000 * one:+.0f}' for one in off.values())} ms after the speech")

    assert played.size == (640, 360)
    assert len(played.shown) == len(shown) >= SENTENCES - 1
    assert sum(cue.text.split(">")[1].split("<")[0] in known for cue in played.shown) >= len(shown) - 1
    assert all(abs(one) <= IN_STEP for one in off.values())
    first, last = min(shown), max(shown)
    assert [at for at in onsets if first <= at <= last] == sorted(shown)


async def _played(call: Call, shift: float) -> Played:
    for attempt in range(1, ATTEMPTS + 1):
        played = await play(call.film, call.transcripts[""].with_suffix(".vtt"), shift)
        if played.late <= IN_STEP / 2:
            return played
        print(f"show {attempt} proves nothing: timers were {played.late:.3f} s late")
    raise AssertionError(f"the machine is too busy: {played}")
