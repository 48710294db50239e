"""A language that the loaded model does not know is refused with what to do, and costs nothing that runs."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from egress.call.loopback.lines import LINES
from tests.rig.loopback import LoopbackRoom
from tests.rig.product import Product
from workers.demo import MODEL

CID = "default:languages"


@pytest.mark.asyncio(loop_scope="session")
async def test_who_asks_an_english_model_for_french_is_told_and_auto_is_english(tmp_path: Path) -> None:
    settings = {"speech__model": str(MODEL), "speech__threads": "1"}
    async with LoopbackRoom(guests=2) as room, Product(tmp_path, ["127.0.0.0/8"], **settings) as product:
        address = {"type": "loopback", "url": room.url}

        async def send(type_: str, **fields: Any) -> None:
            code, said = await product.send({"type": type_, "call_cid": CID, **fields})
            assert code == 0, said

        await send("start_closed_captions", connector=address, egress_id="first", language="fr")
        failed = await product.event("call.closed_captions_failed")
        await send("start_closed_captions", connector=address, egress_id="second", language="auto")
        await product.event("call.closed_caption", 2, timeout=60)
        await send("start_transcription", connector=address, egress_id="third", language="fr")
        refused = await product.event("call.transcription_failed")
        await send("update_transcription", language="de")
        warnings = [await product.event("egress.warning", number) for number in (1, 2)]
        # Neither what begins beside it nor the next attendant is asked for the refused language.
        await send("start_transcription", egress_id="fourth")
        await product.event("call.transcription_started")
        os.kill(product.attending(), signal.SIGKILL)
        there = len(product.events("call.closed_caption"))
        await product.event("call.closed_caption", there + 2, timeout=60)
        await send("stop_closed_captions", stop_transcription=True)
        await product.event("call.closed_captions_stopped")
        await product.event("call.transcription_ready")
        failures = [event["egress_id"] for event in product.events() if event["type"].endswith("_failed")]
        captions = [event["closed_caption"] for event in product.events("call.closed_caption")]

    assert failures == ["first", "third"]
    for told in (failed, refused):
        assert told["error_code"] == "language_not_understood"
        assert "does not understand 'fr', only en: name one of these or auto" in told["error"]
    assert [warned["code"] for warned in warnings] == ["language_not_understood"] * 2
    assert all("it goes on in 'auto'" in warned["message"] for warned in warnings)
    assert {caption["language"] for caption in captions} == {"en"}
    # The last one may have been stopped in the middle of a sentence.
    known = [line for guest in ("guest-1", "guest-2") for line in LINES[guest]]
    right = [caption for caption in captions if any(line.startswith(caption["text"]) for line in known)]
    assert len(right) >= 0.7 * len(captions)
