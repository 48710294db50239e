"""Who says nothing has no captions: over a real SFU, beside somebody who speaks. Run by ``make soak``."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
import numpy as np
import pytest

from egress.media.decode import SAMPLE_RATE
from egress.speech.contract import SAMPLE_RATE as HEARD_RATE
from egress.speech.contract import Sound
from tests.rig.guests import Guests, GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.product import Product
from tests.speech.sounds import speechless, stereo
from workers.demo import MODEL

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.soak]

CID = "default:speechless"
SEEDS = range(2, 8)


async def test_ten_minutes_of_silence_tones_noise_and_music_on_a_real_sfu_are_no_words(
    janus: JanusServer, tmp_path: Path
) -> None:
    sounds = [speechless(seed) for seed in SEEDS]
    seconds = [len(sound) / HEARD_RATE for sound in sounds]
    assert sum(seconds) >= 600
    specs = [
        GuestSpec(f"noisy-{seed}", seed, says=str(_file(tmp_path / f"{seed}.opus", sound)), video=False)
        for seed, sound in zip(SEEDS, sounds, strict=True)
    ]
    specs.append(GuestSpec("ana", 0, says="guest-1", video=False))
    settings = {"speech__model": str(MODEL), "speech__threads": "1"}
    async with (
        Product(tmp_path / "product", [janus.host_network], **settings) as product,
        Guests(janus.call(specs)) as guests,
    ):
        message = {"type": "start_closed_captions", "call_cid": CID, "connector": janus.connector()}
        code, told = await product.send(message)
        assert code == 0, told
        await product.event("call.closed_captions_started")
        await guests.everybody("join")
        await asyncio.sleep(max(seconds) + 2)
        code, told = await product.send({"type": "stop_closed_captions", "call_cid": CID})
        assert code == 0, told
        await product.event("call.closed_captions_stopped")
        captions = [event["closed_caption"] for event in product.events("call.closed_caption")]
        await guests.close()

    print(f"{sum(seconds) / 60:.1f} minutes of no speech, beside {len(captions)} captions of who spoke")
    assert [caption for caption in captions if caption["speaker_id"] != "ana"] == []
    assert len(captions) >= 0.9 * max(seconds) / 3


def _file(path: Path, sound: Sound) -> Path:
    """The sound as Opus packets of 20 ms."""
    with av.open(str(path), "w", format="ogg") as file:
        stream = file.add_stream("libopus", rate=SAMPLE_RATE, options={"application": "audio", "frame_duration": "20"})
        stream.layout = "stereo"
        stream.bit_rate = 64_000
        samples = (np.clip(stereo(sound), -1, 1) * 32_767).astype(np.int16).reshape(1, -1)
        for at in range(0, samples.shape[1], 1920):
            frame = av.AudioFrame.from_ndarray(samples[:, at : at + 1920], format="s16", layout="stereo")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at // 2
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path
