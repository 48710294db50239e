"""What LiveKit's own client publishes by its defaults, or by special wishes, received by the attendance."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from egress.call.livekit.track import LivekitTrack
from egress.call.model import TrackAdded, TrackType, TrackUnreadable
from tests.call.listener import Listener
from tests.call.livekit_call import AUDIO, VIDEO, attend, session_of
from tests.rig import livekit_chromium
from tests.rig.livekit import LivekitServer, why_not
from tests.rig.livekit_chromium import Codec, LivekitChromium
from tests.rig.required import require
from tests.rig.trouble import Spell, Trouble, arm

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def livekit() -> AsyncIterator[LivekitServer]:
    require(why_not() or livekit_chromium.why_not())
    async with LivekitServer() as server:
        yield server


def media(call: Listener, session_id: str, type_: TrackType) -> LivekitTrack:
    added = [e for e in call.told(TrackAdded) if (e.session_id, e.type) == (session_id, type_)]
    assert isinstance(added[-1].media, LivekitTrack)
    return added[-1].media


async def test_sound_that_is_lost_is_repaired_by_red(livekit: LivekitServer) -> None:
    room = "red"
    # Lost on the way to us, while nothing that we ask for gets through.
    trouble = Trouble([Spell(loss=0.1, outgoing=False)])
    async with LivekitChromium(livekit, room) as chromium:
        await chromium.guest("ana", 0, video=False, dtx=False)
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, AUDIO, 20)
            source = media(call, a, AUDIO).source
            assert source is not None
            assert "red" in source.section.codecs.values()
            source.buffer.settings = type(source.buffer.settings)(hold=0.1, capacity=256, max_retries=0)
            disarm = arm(trouble)
            try:
                await asyncio.sleep(6.0)
            finally:
                disarm()
            counts = source.counts
            times = [frame.rtp_time for frame in call.frames[a, AUDIO]]
    missing = sum((after - before) // 960 - 1 for before, after in itertools.pairwise(times))
    print(f"{trouble.lost} datagrams lost; {counts.repaired} packets repaired, {missing} missing of {len(times)}")
    assert counts.repaired >= 10
    assert missing <= 0.03 * len(times)


@pytest.mark.parametrize("codec", ["vp9", "av1"])
async def test_the_backup_codec_is_received_where_there_is_one(livekit: LivekitServer, codec: Codec) -> None:
    room = f"backup-{codec}"
    async with LivekitChromium(livekit, room) as chromium:
        await chromium.guest("ana", 0, size=(320, 180), codec=codec, simulcast=False, audio=False)
        async with attend(livekit, room) as call:
            a = await session_of(call, "ana")
            await call.receives(a, VIDEO, 30, timeout=15)
            assert media(call, a, VIDEO).codec == "vp8"
            assert call.frames[a, VIDEO][0].keyframe
    assert not call.told(TrackUnreadable)


async def test_without_one_the_track_is_told_to_be_unreadable(livekit: LivekitServer) -> None:
    room = "no-backup"
    async with LivekitChromium(livekit, room) as chromium:
        await chromium.guest("ana", 0, size=(320, 180), codec="vp9", backup_codec=False, simulcast=False, audio=False)
        async with attend(livekit, room) as call:
            told = await call.hears(TrackUnreadable)
    assert (told.type, told.codec) == (VIDEO, "vp9")
    assert "VP9" in told.reason
    assert call.error is None
