"""The demo call: a room process, synthetic guests, real WebRTC over 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import psutil
import pytest
from pydantic import ValidationError

from egress.call.connector import Attending, ConnectorError, connector
from egress.call.loopback.cache import cached_content, folder, pack, unpack
from egress.call.loopback.cast import CAST, MOST_GUESTS
from egress.call.loopback.guests import FPS, HEIGHT, KEY_INTERVAL, LOOP, WIDTH, Content
from egress.call.loopback.lines import LINES, TURN
from egress.call.loopback.wire import Wire
from egress.call.model import (
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    Participant,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackRemoved,
    TrackType,
    Wants,
)
from egress.rtc.ice_settings import IceSettings
from tests.call.listener import Listener

AUDIO, VIDEO = TrackType.AUDIO, TrackType.VIDEO
ATTENDING = Attending("default:demo", IceSettings())


def attend(**address: Any) -> Listener:
    found = connector("loopback")
    return Listener(found.attend(found.Address(type="loopback", **address), ATTENDING))


class RoomProcess:
    """A room that tests script by its commands."""

    def __init__(self, process: asyncio.subprocess.Process, port: int) -> None:
        self.process = process
        self.port = port
        self.url = f"tcp://127.0.0.1:{port}"

    async def command(self, **message: Any) -> dict[str, Any]:
        wire = await Wire.open(self.port)
        wire.send(message)
        answer = await wire.read()
        await wire.close()
        assert answer is not None
        return answer


@pytest.fixture
async def room() -> AsyncIterator[RoomProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-m", "egress.call.loopback.room", "--guests", "2", "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    yield RoomProcess(process, json.loads(await process.stdout.readline())["port"])
    _, complaints = await process.communicate(b"")
    assert complaints == b""


async def test_every_guest_is_received_from_a_room_of_its_own() -> None:
    async with attend(guests=3) as call:
        await call.until(lambda: len(call.told(TrackAdded)) == 6, timeout=30)
        for number in (1, 2, 3):
            await call.receives(f"guest-{number}", AUDIO, 10)
        for number in (1, 2):
            await call.receives(f"guest-{number}", VIDEO, 10)
        sound, picture = await asyncio.gather(call.rate("guest-1", AUDIO), call.rate("guest-1", VIDEO))
        process = call.attendance._process  # type: ignore[attr-defined]

    assert isinstance(call.events[0], Connected)
    assert [e.participant.name for e in call.told(Joined)] == [guest.name for guest in CAST[:3]]
    assert 45 <= sound <= 55
    assert FPS - 4 <= picture <= FPS + 4
    assert call.frames["guest-1", VIDEO][0].keyframe
    assert not psutil.pid_exists(process.pid)


async def test_the_last_guest_comes_with_the_camera_off_and_switches_it_on(room: RoomProcess) -> None:
    async with attend(url=room.url) as call:
        await call.hears(TrackMuted, session_id="guest-2", type=VIDEO, muted=True)
        await call.receives("guest-1", VIDEO, 20)
        assert call.frames.get(("guest-2", VIDEO), []) == []
        await call.hears(TrackMuted, timeout=8, session_id="guest-2", type=VIDEO, muted=False)
        await call.receives("guest-2", VIDEO, 10)

    assert call.frames["guest-2", VIDEO][0].keyframe


async def test_guests_speak_in_turns_and_the_muted_ones_do_not(room: RoomProcess) -> None:
    async with attend(url=room.url) as call:
        await call.hears(Speaking, levels={"guest-1": 0.7})
        await call.hears(Speaking, levels={"guest-2": 0.7})
        await room.command(op="mute", guest="guest-2", track="audio", muted=True)
        await call.hears(TrackMuted, session_id="guest-2", type=AUDIO, muted=True)
        await call.until(lambda: call.told(Speaking)[-1] == Speaking({"guest-1": 0.7}))


async def test_guests_come_and_go_by_command(room: RoomProcess) -> None:
    address = connector("loopback").Address(url=room.url)
    async with attend(url=room.url) as call:
        await call.until(lambda: len(call.told(Joined)) == 2)
        added = await room.command(op="add", name="Ída Örn")
        await call.hears(Joined, participant=Participant("guest-3", "guest-3", "Ída Örn", ("user",)))
        await call.receives("guest-3", VIDEO, 5)
        watched = await connector("loopback").watch(address)
        await room.command(op="remove", guest="guest-1")
        await call.hears(Left, session_id="guest-1")
        assert {e.type for e in call.told(TrackRemoved)} == {AUDIO, VIDEO}

    assert added["guest"]["id"] == "guest-3"
    assert [p.name for p in watched] == [CAST[0].name, CAST[1].name, "Ída Örn"]
    assert [p.user_id for p in await connector("loopback").watch(address)] == ["guest-2", "guest-3"]


async def test_a_picture_that_is_not_wanted_is_not_sent(room: RoomProcess) -> None:
    async with attend(url=room.url) as call:
        await call.receives("guest-1", VIDEO, 5)
        call.attendance.wants("guest-1", VIDEO, None)
        await asyncio.sleep(0.3)
        assert await call.rate("guest-1", VIDEO, 0.5) == 0
        call.attendance.wants("guest-1", VIDEO, Wants(320, 180, 15))
        await call.receives("guest-1", VIDEO, 5)
        assert await call.rate("guest-1", AUDIO) > 40


async def test_a_room_that_is_named_is_waited_for_when_it_goes(room: RoomProcess) -> None:
    async with attend(url=room.url) as call:
        await call.until(lambda: len(call.told(TrackAdded)) == 4)
        await room.command(op="end")
        await call.hears(Disconnected)
        await call.until(lambda: {e.session_id for e in call.told(Left)} == {"guest-1", "guest-2"})
        # Nobody is told to have left while the room was still to be had.
        order = [type(event) for event in call.events if isinstance(event, Disconnected | Left)]
        assert order == [Disconnected, Left, Left]
    with pytest.raises(OSError):
        await connector("loopback").watch(connector("loopback").Address(url=room.url))


async def test_a_room_that_is_closed_ends_the_call_and_is_gone_for_who_looks(room: RoomProcess) -> None:
    address = connector("loopback").Address(url=room.url)
    async with attend(url=room.url) as call:
        await call.until(lambda: len(call.told(TrackAdded)) == 4)
        assert (await room.command(op="close"))["event"] == "done"
        await call.hears(Ended)
    assert not call.told(Disconnected)
    with pytest.raises(ConnectorError) as refused:
        await connector("loopback").watch(address)
    assert refused.value.code == "room_not_found"
    async with attend(url=room.url) as late:
        await late.hears(Ended)


async def test_a_room_may_begin_empty() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "egress.call.loopback.room", "--guests", "0", "--until-stdin-closes"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    room = RoomProcess(process, json.loads(await process.stdout.readline())["port"])
    address = connector("loopback").Address(url=room.url)
    assert await connector("loopback").watch(address) == []
    await room.command(op="add")
    assert [p.user_id for p in await connector("loopback").watch(address)] == ["guest-1"]
    await process.communicate(b"")


async def test_a_room_of_its_own_that_dies_ends_the_call() -> None:
    async with attend(guests=1) as call:
        await call.until(lambda: len(call.told(TrackAdded)) == 2, timeout=30)
        call.attendance._process.kill()  # type: ignore[attr-defined]
        await call.hears(Ended)

    assert Left("guest-1") in call.events


async def test_a_room_refuses_what_it_does_not_know(room: RoomProcess) -> None:
    for nonsense in (
        {"op": "dance"},
        {},
        {"op": "remove", "guest": "nobody"},
        {"op": "mute", "guest": "guest-1", "track": "smell", "muted": True},
        {"op": "answer", "guest": "guest-1", "sdp": "v=0"},
    ):
        assert (await room.command(**nonsense))["event"] == "error"
    assert len((await room.command(op="guests"))["guests"]) == 2


async def test_who_will_be_there_is_known_before_the_room_is() -> None:
    found = connector("loopback")

    assert [p.name for p in await found.watch(found.Address(guests=2))] == [CAST[0].name, CAST[1].name]


@pytest.mark.parametrize(
    ("address", "field"),
    [
        ({"guests": 0}, "guests"),
        ({"guests": MOST_GUESTS + 1}, "guests"),
        ({"url": "tcp://10.0.0.1:5000"}, "url"),
        ({"url": "tcp://example.org:5000"}, "url"),
        ({"url": "http://127.0.0.1:5000"}, "url"),
        ({"url": "tcp://127.0.0.1"}, "url"),
        ({"url": "tcp://127.0.0.1:99999"}, "url"),
        ({"host": "127.0.0.1"}, "host"),
    ],
)
def test_a_wrong_address_is_refused_by_the_name_of_its_field(address: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        connector("loopback").Address.model_validate({"type": "loopback", **address})

    assert {error["loc"][0] for error in refused.value.errors()} == {field}


def test_a_guest_looks_and_sounds_alive() -> None:
    shown = cached_content(CAST[1])
    pictures = _decoded(shown.talking_pictures)
    voice, silence = _heard(shown.voice), _heard(shown.silence)

    assert len(pictures) == LOOP * FPS
    assert pictures[0].shape == (HEIGHT, WIDTH)
    assert all(np.abs(a.astype(int) - b).mean() > 0.05 for a, b in zip(pictures[:-1:6], pictures[6::6], strict=False))
    assert len(voice) == len(LINES[CAST[1].id]) * TURN * 48_000
    assert 0.02 < float(np.sqrt(np.mean(voice**2))) < 0.3
    assert float(np.abs(voice).max()) < 0.95, "nothing clips"
    assert float(np.abs(silence).max()) < 0.01


def test_loops_can_be_entered_at_each_key_frame() -> None:
    shown = cached_content(CAST[1])

    for pictures in (shown.talking_pictures, shown.listening_pictures):
        # RFC 6386, 9.1: the lowest bit of the first byte is clear in a key frame.
        keys = {n for n, picture in enumerate(pictures) if not picture[0] & 1}
        assert keys >= set(range(0, LOOP * FPS, KEY_INTERVAL))


def test_content_is_kept_for_the_next_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    made = cached_content(CAST[0])
    (kept,) = folder().iterdir()

    assert cached_content(CAST[0]) == made
    kept.write_bytes(kept.read_bytes()[:-7])
    assert len(cached_content(CAST[0]).voice) == len(made.voice), "a damaged file is made anew"


@pytest.mark.parametrize("cut", [0, 3, 16, 17, 30])
def test_cut_content_is_not_taken(cut: int) -> None:
    data = pack(Content([b"abc"], [b"d"], [b"ef"], [b"g"]))

    assert unpack(data) == Content([b"abc"], [b"d"], [b"ef"], [b"g"])
    with pytest.raises(ValueError, match="data"):
        unpack(data[:cut])


def _decoded(pictures: list[bytes]) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    decoder = av.CodecContext.create("vp8", "r")
    assert isinstance(decoder, av.VideoCodecContext)
    return [frame.to_ndarray()[:HEIGHT] for data in pictures for frame in decoder.decode(av.Packet(data))]


def _heard(packets: list[bytes]) -> np.ndarray[Any, np.dtype[np.float64]]:
    decoder = av.CodecContext.create("opus", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.sample_rate = 48_000
    decoder.layout = "mono"
    frames = [frame.to_ndarray()[0] for data in packets for frame in decoder.decode(av.Packet(data))]
    return np.concatenate(frames).astype(float)
