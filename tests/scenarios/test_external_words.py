"""Where an outside recogniser hears the call, its sentences alone are captions and transcript, and no engine runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.rig.engines import engines
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product, path_of

SAID = [("zoe", "Good morning."), ("max", "Hello!"), ("zoe", "Shall we begin?")]


@pytest.mark.asyncio(loop_scope="session")
async def test_what_others_heard_is_told_and_written_and_nothing_else(tmp_path: Path) -> None:
    settings = {"speech__external": "true", "speech__formats": '["txt"]'}
    async with LoopbackRoom(guests=2) as room, Product(tmp_path, ["127.0.0.0/8"], **settings) as product:

        async def send(type_: str, **fields: Any) -> None:
            code, said = await product.send({"type": type_, "call_cid": "default:outside", **fields})
            assert code == 0, said

        address = {"type": "loopback", "url": room.url}
        await send("start_transcription", connector=address, enable_closed_captions=True)
        await product.event("call.transcription_started")
        for who, text in SAID:
            await send("send_closed_caption", speaker_id=who, text=text, user={"name": who.title()})
        await product.event("call.closed_caption", len(SAID))
        running = engines(tmp_path)
        await send("stop_transcription", stop_closed_captions=True)
        ready = await product.event("call.transcription_ready")
        told = [event["closed_caption"] for event in product.events("call.closed_caption")]

    transcript = path_of(ready)
    lines = _lines(transcript)
    assert running == []
    assert [(caption["speaker_id"], caption["text"], caption["service"]) for caption in told] == [
        (who, text, "external") for who, text in SAID
    ]
    assert [(line["speaker_id"], line["text"]) for line in lines] == SAID
    assert [product.events(f"call.{kind}_failed") for kind in ("transcription", "closed_captions")] == [[], []]


def _lines(transcript: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in transcript.read_text().splitlines()]
