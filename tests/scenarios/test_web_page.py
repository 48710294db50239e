"""A web page recorded from a message on the queue to the file in the store: when, how evenly, in step with its sound.

Needs Chromium, Xvfb and PulseAudio; no call server.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np

from tests.rig.judge import Stats, judge
from tests.rig.product import Product
from tests.rig.required import unless
from tests.rig.web_page import AFTER, BEFORE, DURING, PageServer, counted, why_not

pytestmark = unless(why_not())

SECONDS = 30
NEAR = 0.2


async def test_a_page_is_recorded_from_start_to_end_signal_evenly_and_in_step_with_its_sound(tmp_path: Path):
    async with PageServer() as server, Product(tmp_path, [], guard__allow_private='["127.0.0.0/8"]') as product:
        code, said = await product.send(
            {
                "type": "start_web_recording",
                "call_cid": "default:page",
                "page_url": server.url(seconds=SECONDS),
                "await_start_signal": True,
            }
        )
        assert code == 0, said
        await product.event("call.recording_started")
        # Nobody stops it: the page says that it is over.
        stopped = await product.event("call.recording_stopped", timeout=SECONDS + 20)
        assert stopped["recording_type"] == "composite"
        await product.event("call.recording_ready")
        (egress,) = await _completed(product)
        assert egress["kind"] == "web_recording"
    (path,) = product.files()
    judged = judge(path)
    print(judged.summary())
    assert judged.pictures is not None
    assert (judged.pictures.width, judged.pictures.height) == (1280, 720)
    assert abs(judged.video_duration - SECONDS) < 2 * NEAR
    assert abs(judged.audio_duration - judged.video_duration) < 0.06

    # START was said on a whole second, END on another: by the picture, no more than 0.2 s of before and after are seen.
    first, number = next((t, n) for t, n, _ in judged._seen(DURING) if n >= 0)
    assert first - number / 30 < NEAR
    assert judged.presence(BEFORE) * judged.video_duration < NEAR
    assert judged.presence(AFTER) * judged.video_duration < NEAR
    seen = judged.views(DURING)
    assert judged.video_duration - seen[-1][1] < NEAR

    numbers = counted(path)
    steps = np.diff(numbers) % 1024
    unique = 1 + int((steps > 0).sum())
    print(f"{unique / judged.video_duration:.2f} unique pictures a second")
    # 28 on a machine at rest; a busy one must still be far from a slide show.
    assert unique / judged.video_duration >= 24

    offsets = Stats.of(judged.av_offsets(DURING))
    print(f"A/V offset {offsets}")
    assert offsets.count >= SECONDS - 3
    assert offsets.p95 <= 0.080
    # A browser on a busy machine stutters; what it plays is recorded without a hole.
    silences = judged.silences(DURING, 0.5, judged.video_duration - 0.5)
    print(f"the hum is gone {silences}")
    assert sum(end - start for start, end in silences) < 0.2


async def _completed(product: Product) -> list[dict[str, object]]:
    async with asyncio.timeout(10):
        while (found := await product.egresses())[0]["state"] != "complete":  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        return found
