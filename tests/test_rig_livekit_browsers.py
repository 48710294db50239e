"""Guests in real browsers meet on a real LiveKit, and tell what they see there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

import pytest
from livekit.protocol import models

from tests.rig import livekit, livekit_chromium, picture
from tests.rig.livekit import ROOM, LivekitServer
from tests.rig.livekit_chromium import Codec, LivekitChromium, LivekitChromiumGuest, Seen
from tests.rig.livekit_subscriber import LivekitSubscriber
from tests.rig.required import unless
from tests.test_rig_livekit import until

pytestmark = unless(livekit.why_not() or livekit_chromium.why_not())


@pytest.fixture
async def server() -> AsyncIterator[LivekitServer]:
    async with LivekitServer() as started:
        yield started


@pytest.fixture
async def browser(server: LivekitServer) -> AsyncIterator[LivekitChromium]:
    async with LivekitChromium(server) as started:
        yield started


async def test_what_one_guest_publishes_another_sees(server: LivekitServer, browser: LivekitChromium) -> None:
    ben = await browser.guest("ben", 5, video=False, audio=False, subscribe=True)
    ana = await browser.guest("ana", 0, name="Ána", metadata="{}", attributes={"table": "4"}, simulcast=False)
    [there] = [p for p in await server.participants(ROOM) if p.identity == "ana"]
    assert (there.name, there.metadata, dict(there.attributes)) == ("Ána", "{}", {"table": "4"})
    async with LivekitSubscriber(server) as subscriber:
        await until(lambda: subscriber.frames["ana", "camera"] > 30 and subscriber.frames["ana", "microphone"] > 30)
        assert subscriber.seen("ana") == [0]
    received = await ben.received()
    assert set(received) == {("ana", "camera"), ("ana", "microphone")}
    assert received["ana", "camera"].frames > 0
    assert received["ana", "camera"].width == 640
    assert received["ana", "microphone"].packets > 30
    sent = await ana.sent()
    assert [(s.codec, s.width) for s in sent.tracks["camera"]] == [("video/vp8", 640)]
    assert sent.tracks["camera"][0].frames > 30
    await ana.rejoin()
    await ana.leave()
    told = await until_told(ben, lambda seen: seen.left == ["ana", "ana"])
    assert (told.joined, told.participants, told.state) == (["ana", "ana"], [], "connected")
    assert {count["present"] for count in told.counts} == {1, 2}
    assert ana.errors == ben.errors == []


async def test_cameras_microphones_and_screens_go_on_and_off(server: LivekitServer, browser: LivekitChromium) -> None:
    ana = await browser.guest("ana", 0, simulcast=False)

    async def microphone(on: bool, how: Literal["mute", "remove"]) -> None:
        await ana.mute(not on, how)

    for what, switch in (("camera", ana.camera), ("microphone", microphone)):
        other = {"camera", "microphone"} - {what}
        await switch(False, "mute")
        await until_published(server, {what: True} | dict.fromkeys(other, False))
        await switch(True, "mute")
        await until_published(server, {"camera": False, "microphone": False})
        await switch(False, "remove")
        await until_published(server, dict.fromkeys(other, False))
        await switch(True, "remove")
        await until_published(server, {"camera": False, "microphone": False})
    await ana.screen(True, sound=True)
    everything = ("camera", "microphone", "screen_share", "screen_share_audio")
    await until_published(server, dict.fromkeys(everything, False))
    async with LivekitSubscriber(server) as subscriber:
        await until(lambda: subscriber.size("ana", "screen_share") == (1280, 720))
        assert subscriber.seen("ana", "screen_share") == [picture.CAMERAS]
        await until(lambda: subscriber.frames["ana", "screen_share_audio"] > 10)
    await ana.screen(False)
    await until_published(server, {"camera": False, "microphone": False})
    assert ana.errors == []


async def test_a_client_sees_recorders_speakers_and_data_but_not_who_is_hidden(
    server: LivekitServer, browser: LivekitChromium
) -> None:
    # Who speaks is told to those who hear it.
    ana = await browser.guest("ana", 0, video=False, audio=False, subscribe=True)
    ben = await browser.guest("ben", 1, video=False)
    before = await until_told(ana, lambda seen: seen.counts[-1] == {"told": 2, "present": 2})
    assert before.isRecording is False
    async with LivekitSubscriber(server, recorder=True):
        await until_told(ana, lambda seen: seen.isRecording)
        await server.send_data(ROOM, b"good morning", topic="captions")
        await ben.say("hello", topic="chat")
        await server.update_room_metadata(ROOM, "on air")
        await until_told(ana, lambda seen: len(seen.data) == 2 and seen.metadata == ["on air"])
        assert (await ana.room()).speakers == []
        await ben.speak(True)
        await until_told(ana, lambda seen: seen.speakers == [["ben"]])
    told = await until_told(ana, lambda seen: not seen.isRecording)
    assert told.recording == [True, False]
    assert {"topic": "captions", "payload": "good morning", "from": ""} in told.data
    assert {"topic": "chat", "payload": "hello", "from": "ben"} in told.data
    assert (told.joined, told.left, told.participants) == (["ben"], [], ["ben"])
    # The hidden one changed neither of the two numbers.
    assert told.counts == before.counts


@pytest.mark.parametrize("codec", ["h264", "vp9", "av1"])
async def test_browsers_publish_in_other_codecs_and_in_vp8_for_who_cannot_read_them(
    server: LivekitServer, browser: LivekitChromium, codec: Codec
) -> None:
    backup = codec != "h264"
    ana = await browser.guest("ana", 0, size=(320, 180), codec=codec, backup_codec=backup, simulcast=False, audio=False)
    async with LivekitSubscriber(server) as subscriber:
        # It reads VP8 and H.264.
        await until(lambda: subscriber.frames["ana", "camera"] > 10)
        assert subscriber.seen("ana") == [0]
    [there] = await server.participants(ROOM, hidden=False)
    codecs = {one.mime_type.lower() for one in there.tracks[0].codecs}
    assert codecs == ({f"video/{codec}", "video/vp8"} if backup else {f"video/{codec}"})
    assert codecs <= {stream.codec for stream in (await ana.sent()).tracks["camera"]}
    await ana.leave()
    if backup:
        await browser.guest("ben", 1, size=(320, 180), codec=codec, backup_codec=False, simulcast=False, audio=False)
        async with LivekitSubscriber(server) as subscriber:
            await until(lambda: "ben" in subscriber.participants)
            await asyncio.sleep(1.5)
            assert subscriber.frames["ben", "camera"] == 0


async def test_browsers_send_layers(server: LivekitServer, browser: LivekitChromium) -> None:
    ana = await browser.guest("ana", 0, size=(640, 360), audio=False)
    [there] = await server.until_participants(1, ROOM)
    assert [(layer.rid, layer.width) for layer in there.tracks[0].layers] == [("q", 320), ("h", 640)]
    async with LivekitSubscriber(server) as subscriber:
        await until(lambda: subscriber.size("ana") is not None)
        await subscriber.settings("ana", quality=models.LOW)
        await until(lambda: subscriber.size("ana") == (320, 180))
    assert {stream.rid for stream in (await ana.sent()).tracks["camera"]} == {"q", "h"}


async def until_told(guest: LivekitChromiumGuest, fulfilled: Callable[[Seen], bool], timeout: float = 10) -> Seen:
    """Wait until the guest's client saw something; returns all it saw."""
    deadline = time.monotonic() + timeout
    while not fulfilled(seen := await guest.room()):
        assert time.monotonic() < deadline, seen
        await asyncio.sleep(0.05)
    return seen


async def until_published(server: LivekitServer, tracks: dict[str, bool], timeout: float = 10) -> None:
    """Wait until the only visible participant has exactly these sources, muted or not."""
    deadline = time.monotonic() + timeout
    while True:
        [there] = await server.participants(ROOM, hidden=False)
        found = {models.TrackSource.Name(track.source).lower(): track.muted for track in there.tracks}
        if found == tracks:
            return
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.1)
