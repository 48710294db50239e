"""A room full of guests of whom four are shown: what is not seen is not received."""

from __future__ import annotations

import asyncio
import math
import time

import pytest

from egress.call.model import TrackType, Wants
from tests.connectors.attended import LARGEST, Attended
from tests.connectors.call import AUDIO, VIDEO
from tests.connectors.shown import longest_gap, pictures, wrong
from tests.connectors.site import Site
from tests.connectors.sites import connectors
from tests.rig.guests import GuestSpec
from tests.rig.picture import CAMERAS

pytestmark = pytest.mark.asyncio(loop_scope="session")

MOST = 20
SHOWN = [f"guest-{number}" for number in (1, 3, 5, 7)]
WATCHED = 3.0
"""Seconds for which it is looked at what comes."""


@connectors(pause=True)
async def test_of_many_guests_only_those_who_are_shown_are_received(site: Site) -> None:
    names = [f"guest-{number}" for number in range(1, min(MOST, site.most_guests) + 1)]
    guests = [
        GuestSpec(name, number % CAMERAS, width=320, height=180, bitrate=300_000) for number, name in enumerate(names)
    ]

    def wanted(user: str, type_: TrackType) -> Wants | None:
        return LARGEST if type_ is AUDIO or user in SHOWN else None

    async with site.room(guests) as room:
        await asyncio.gather(*(room.join(name) for name in names))
        async with Attended(site, room.address, wanted) as call:
            began = time.monotonic()
            assert set(await call.flows(SHOWN, began, 15.0)) == set(SHOWN)
            assert await call.until(lambda: all(_frames(call, name, AUDIO) for name in names))
            # What was under way before a wish was taken comes yet.
            await asyncio.sleep(1.5)
            hidden = [call.tracks(name, VIDEO)[0] for name in names if name not in SHOWN]
            start, before = time.monotonic(), [track.media.last_packet for track in hidden]
            await asyncio.sleep(WATCHED)
            end, after = time.monotonic(), [track.media.last_packet for track in hidden]
            asked = time.monotonic()
            call.show(hidden[0], LARGEST)
            await call.until(lambda: hidden[0].frames)

    assert len(hidden) == len(names) - len(SHOWN)
    assert before == after, "not one packet"
    for name in names:
        [voice] = call.tracks(name, AUDIO)
        assert longest_gap(voice.between(start, end), 48_000) < 0.15, name
        assert len(voice.between(start, end)) > 0.8 * WATCHED * 50, name
    for name in SHOWN:
        [camera] = call.tracks(name, VIDEO)
        assert len(camera.between(start, end)) > 0.8 * WATCHED * 30, name
        shown, bad = pictures(camera.between(0.0, end), "vp8")
        assert not bad
        assert wrong(shown, names.index(name) % CAMERAS) == []
    first = hidden[0].first_since(asked)
    assert first is not None and first.keyframe
    assert first.arrival - asked < 1.0
    assert hidden[0].between(0.0, asked) == []
    assert len(hidden[0].between(asked, math.inf)) == len(hidden[0].frames)
    assert call.left_over == []


def _frames(call: Attended, user: str, type_: TrackType) -> bool:
    return any(track.frames for track in call.tracks(user, type_))
