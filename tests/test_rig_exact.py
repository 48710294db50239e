"""Exact guests send what they say, when they say, on the clock they believe in."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import av
import numpy as np
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver
from aiortc.rtp import RtcpSrPacket

from egress.rtc import ice
from tests.rig import sound
from tests.rig.clocks import NTP_EPOCH, DeviceClock, epoch_offset, ntp
from tests.rig.exact import Camera, Microphone, Punctuality, exact
from tests.rig.loops import PACKETS, audio_loop, video_loop

SIZE = (320, 180)


class Reports:
    """Sender reports as they arrive: (true time, NTP as Unix time, RTP time)."""

    def __init__(self, receiver: RTCRtpReceiver) -> None:
        self.seen: list[tuple[float, float, int]] = []
        take = receiver._handle_rtcp_packet

        async def note(packet: Any) -> None:
            if isinstance(packet, RtcpSrPacket) and packet.sender_info.packet_count:
                told = packet.sender_info.ntp_timestamp / (1 << 32) - NTP_EPOCH
                self.seen.append((time.time(), told, packet.sender_info.rtp_timestamp))
            await take(packet)

        receiver._handle_rtcp_packet = note  # type: ignore[method-assign]


class Sending:
    """A device whose camera and microphone are connected to a plain aiortc peer over loopback."""

    def __init__(self, clock: DeviceClock) -> None:
        epoch = epoch_offset()
        self.marks: list[tuple[str, dict[str, Any]]] = []
        self.punctuality = Punctuality()
        rest = (clock, epoch, self.punctuality, lambda mark, told: self.marks.append((mark, told)))
        self.camera = Camera(video_loop(2, *SIZE), *rest)
        self.microphone = Microphone(audio_loop(2), audio_loop(None), *rest)
        self.received: dict[str, list[Any]] = {"video": [], "audio": []}
        self.reports: dict[str, Reports] = {}


@asynccontextmanager
async def sending(clock: DeviceClock) -> AsyncIterator[Sending]:
    made = Sending(clock)
    settings = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    here, there = RTCPeerConnection(settings), RTCPeerConnection(settings)
    tasks = []

    @there.on("track")
    def take(track: Any) -> None:
        async def collect() -> None:
            while True:
                made.received[track.kind].append(await track.recv())

        tasks.append(asyncio.create_task(collect()))

    for track in (made.camera, made.microphone):
        exact(here.addTransceiver(track, direction="sendonly").sender, track)
    await here.createOffer()
    for peer in (here, there):
        for transport in peer._RTCPeerConnection__iceTransports:  # type: ignore[attr-defined]
            ice.connection_of(transport.iceGatherer).networks = ["127.0.0.0/8"]
    await here.setLocalDescription(await here.createOffer())
    await there.setRemoteDescription(here.localDescription)
    for transport in there._RTCPeerConnection__iceTransports:  # type: ignore[attr-defined]
        ice.connection_of(transport.iceGatherer).networks = ["127.0.0.0/8"]
    await there.setLocalDescription(await there.createAnswer())
    await here.setRemoteDescription(there.localDescription)
    for line in there.getTransceivers():
        made.reports[line.kind] = Reports(line.receiver)
    try:
        yield made
    finally:
        await here.close()
        await there.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_clock_an_hour_ahead_shows_in_sender_reports_and_nowhere_else() -> None:
    async with sending(DeviceClock(math.floor(time.time()), offset=3600)) as sent:
        await asyncio.sleep(3.2)
    for kind, rate in (("video", 90_000), ("audio", 48_000)):
        seen = sent.reports[kind].seen
        assert seen
        for arrived, told, _ in seen:
            # The report pairs the capture of the last frame, up to a frame and the latency ago.
            assert -0.1 < told - 3600 - arrived < 0
        (_, first, first_rtp), (_, last, last_rtp) = seen[0], seen[-1]
        assert last - first == pytest.approx(((last_rtp - first_rtp) % (1 << 32)) / rate, abs=1e-4)
    beeps = [told["true"] for mark, told in sent.marks if mark == "beep"]
    flashes = [told["true"] for mark, told in sent.marks if mark == "flash"]
    assert len(beeps) >= 2
    assert beeps == pytest.approx([round(beep) for beep in beeps], abs=1e-6)
    assert flashes == pytest.approx([round(flash) for flash in flashes], abs=1e-6)
    assert sent.punctuality.summary()["frames"] > 200


async def test_sound_arrives_as_it_was_meant() -> None:
    async with sending(DeviceClock(math.floor(time.time()))) as sent:
        await asyncio.sleep(3.5)
        sent.microphone.muted = True
        await asyncio.sleep(0.8)
    samples = np.concatenate([f.to_ndarray().reshape(-1, 2)[:, 0] for f in sent.received["audio"]])
    heard: sound.Samples = (samples / 32768).astype(np.float32)
    # The first may be the rest of a beep that had begun before the connection stood.
    onsets = sound.onsets(sound.envelope(heard, sound.beep_frequency(2)))[1:]
    assert len(onsets) >= 2
    assert np.diff(onsets) == pytest.approx([1.0] * (len(onsets) - 1), abs=0.001)
    hum = sound.envelope(heard, sound.hum_frequency(2))
    assert sound.decibels(float(np.median(hum[200:3000]))) == pytest.approx(-38, abs=0.5)
    assert sound.decibels(float(hum[-600:-100].max())) < -70
    assert len(sent.received["video"]) > 80


async def test_a_key_frame_is_sent_within_a_tenth_of_a_second_of_being_asked_for() -> None:
    started = math.floor(time.time())
    camera = Camera(video_loop(2, *SIZE), DeviceClock(started), epoch_offset(), Punctuality(), lambda *told: None)
    decoder = av.CodecContext.create("vp8", "r")
    keys = []
    for index in range(45):
        if index == 10:
            camera.key_wanted()
        shipment = await camera.shipment()
        packet = av.Packet(shipment.data)
        [frame] = decoder.decode(packet)
        assert isinstance(frame, av.VideoFrame)
        if frame.key_frame:
            keys.append(index)
    assert keys[0] == 0
    assert any(10 <= key <= 13 for key in keys)
    assert camera.key_requests == 1


def test_a_drifting_device_delivers_too_much_per_true_second() -> None:
    clock = DeviceClock(started=1000.0, drift_ppm=100)
    assert clock.true(90.0) == pytest.approx(1090 - 0.009, abs=1e-5)
    assert clock.wall(clock.true(90.0)) == pytest.approx(1090.0)


def test_a_step_moves_the_wall_clock_from_then_on() -> None:
    clock = DeviceClock(started=1000.0, offset=1.0, step_after=10.0, step=-5.0)
    assert clock.wall(1009.9) == pytest.approx(1010.9)
    assert clock.wall(1010.1) == pytest.approx(1006.1)
    assert clock.true(20.0) == 1020.0


def test_ntp_counts_from_1900() -> None:
    assert ntp(0.5) >> 32 == NTP_EPOCH
    assert ntp(0.5) & 0xFFFFFFFF == 1 << 31


def test_levels_of_a_loop_tell_beep_hum_and_silence() -> None:
    voice, silence = audio_loop(3), audio_loop(None)
    assert len(voice.packets) == len(voice.levels) == PACKETS
    assert voice.levels[0] == pytest.approx(-23, abs=1)
    assert voice.levels[20] == pytest.approx(-41, abs=1)
    assert set(silence.levels) == {-127}
