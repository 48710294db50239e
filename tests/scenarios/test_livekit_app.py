"""An app of one's own draws a call on a real LiveKit: let in by a token made for it, recorded as it shows the call.

Needs Chromium, Xvfb and PulseAudio beside the server.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.rig import livekit_chromium, npm, web_page
from tests.rig.guests import Guests, GuestSpec
from tests.rig.judge import Stats, judge
from tests.rig.livekit import LivekitServer
from tests.rig.product import Product
from tests.rig.required import unless
from tests.rig.web_page import PageServer

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    unless(web_page.why_not() or livekit_chromium.why_not()),
]

RIG = Path(web_page.__file__).parent
ANA = 0


async def test_the_app_joins_with_the_token_that_was_made_for_it_and_is_recorded_from_its_first_picture(
    livekit: LivekitServer, tmp_path: Path
) -> None:
    client = npm.modules(RIG / "livekit_page") / "livekit-client" / "dist" / "livekit-client.umd.js"
    files = {"/app": RIG / "livekit_app.html", "/livekit-client.js": client}
    allowed = json.dumps(["127.0.0.0/8", f"{livekit.address}/32"])
    settings = {"guard__allow_private": allowed}
    async with (
        PageServer(files=files) as server,
        Product(tmp_path, [livekit.host_network], **settings) as product,
        Guests(livekit.call([GuestSpec("ana", ANA)])) as guests,
    ):
        await guests.do("ana", "join")
        layout = {"name": "custom", "external_app_url": server.url("/app")}
        code, said = await product.send(
            {
                "type": "start_recording",
                "call_cid": "default:app",
                "connector": livekit.connector(),
                "recording": {"layout": layout},
                "app": {"await_start_signal": True},
            }
        )
        assert code == 0, said
        await product.event("call.recording_started", timeout=60)
        await asyncio.sleep(12)
        code, said = await product.send({"type": "stop_recording", "call_cid": "default:app"})
        assert code == 0, said
        await product.event("call.recording_ready")
        await guests.close()
    (path,) = product.files()
    judged = judge(path)
    print(judged.summary())
    assert judged.video_duration > 10
    assert judged.presence(ANA, 0.5) > 0.9
    offsets = Stats.of(judged.av_offsets(ANA, 3.0))
    assert offsets.count >= 5
    print(f"A/V offset {offsets}")
    # As far apart as the browser plays them, by its own buffers: what is recorded adds next to nothing to that.
    assert abs(offsets.median) <= 0.300
