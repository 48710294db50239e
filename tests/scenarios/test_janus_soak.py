"""Ten minutes in one call: nothing grows, nothing drifts, nothing is lost. Run by ``make soak``."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from tests.rig.guests import GuestSpec
from tests.rig.janus import JanusServer
from tests.rig.judge import Stats
from tests.scenarios.call import Script, record

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.soak]

MINUTES = 10


async def test_ten_minutes_leave_memory_and_clocks_where_they_were(janus: JanusServer, tmp_path: Path) -> None:
    specs = [GuestSpec("ana", 0), GuestSpec("ben", 1, drift_ppm=100.0), GuestSpec("cem", 2, clock_offset=-3600.0)]
    resident: list[int] = []

    async def script(script: Script) -> None:
        for minute in range(1, MINUTES + 1):
            await script.at(60 * minute)
            resident.append(max(psutil.Process(pid).memory_info().rss for pid in script.product.attendants()))

    done = await record(tmp_path, specs, script, sfu=janus)

    print([f"{size >> 20} MiB" for size in resident])
    # A busy moment fills queues of pictures once, and what they took stays taken; a leak would go on.
    assert resident[-1] - resident[1] < 40 << 20
    judged = done.judged
    assert judged.audio_duration == pytest.approx(judged.video_duration, abs=0.1)
    assert judged.longest_video_gap() <= 0.101
    for guest in range(3):
        assert judged.presence(guest, 0.5, judged.video_duration) >= 0.98
        last = [abs(offset) for offset in judged.av_offsets(guest)][-60:]
        assert Stats.of(last).p95 <= 0.040
