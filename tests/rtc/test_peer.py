"""A receiver and aiortc's own peer connection as publisher, over 127.0.0.1."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from typing import Any

import aioice.ice
import pytest
import pytest_asyncio
from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRrPacket, RtcpRtpfbPacket, unpack_remb_fci

from egress.rtc.ice_settings import LOOPBACK
from egress.rtc.peer import PeerReceiver
from egress.rtc.receiver import PeerTrack
from egress.rtc.sdp import SdpError
from egress.rtc.track import EncodedFrame
from tests.rtc.publisher import Publisher, only_loopback, until, vp8_pictures


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return vp8_pictures()


class Call:
    """A publisher and a receiver that keeps every frame."""

    def __init__(self) -> None:
        self.publisher = Publisher()
        self.frames: dict[str, list[EncodedFrame]] = {}
        self.added: list[str] = []
        self.removed: list[str] = []
        self.closed: list[str] = []
        self.receiver = PeerReceiver(
            LOOPBACK, on_track=self._on_track, on_removed=self.removed.append, on_closed=self.closed.append
        )

    def _on_track(self, mid: str, track: PeerTrack) -> None:
        self.added.append(mid)
        self.frames[mid] = []
        track.listen(self.frames[mid].append)

    async def close(self) -> None:
        await self.receiver.close()
        await self.publisher.close()


@pytest_asyncio.fixture
async def call(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Call]:
    only_loopback(monkeypatch)
    made = Call()
    yield made
    await made.close()


async def test_encoded_frames_arrive_as_they_were_sent(call: Call, pictures: list[bytes]):
    call.publisher.microphone()
    call.publisher.camera(pictures)
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: len(call.frames["1"]) >= 20 and len(call.frames["0"]) >= 20)
    sound, seen = call.frames["0"], call.frames["1"]
    assert seen[0].keyframe
    assert all(frame.data in pictures for frame in seen)
    order = [pictures.index(frame.data) for frame in seen]
    assert [(b - a) % len(pictures) for a, b in itertools.pairwise(order)] == [1] * (len(order) - 1)
    assert {frame.data for frame in sound} == {b"\xf8\xff\xfe"}
    assert [b.rtp_time - a.rtp_time for a, b in itertools.pairwise(sound)] == [960] * (len(sound) - 1)
    video = call.receiver.tracks["1"]
    assert (video.kind, video.codec, video.clock_rate) == ("video", "vp8", 90_000)
    assert video.clock.time_of(seen[-1].rtp_time) <= seen[-1].arrival + 0.001
    assert call.receiver.transport.faults == 0


async def test_sections_come_and_go_with_later_offers(call: Call, pictures: list[bytes]):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    camera = call.publisher.camera(pictures)
    await call.publisher.negotiate(call.receiver)
    await until(lambda: call.frames.get("1"))
    camera.sender.replaceTrack(None)
    camera.direction = "inactive"
    await call.publisher.negotiate(call.receiver)
    assert (call.added, call.removed) == (["0", "1"], ["1"])
    assert set(call.receiver.tracks) == {"0"}
    heard = len(call.frames["0"])
    await until(lambda: len(call.frames["0"]) > heard + 5)
    assert call.closed == []


async def test_offers_that_come_while_connecting_leave_no_track_without_media(call: Call, pictures: list[bytes]):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)
    for _ in range(3):  # none of these waits for the connection to stand
        call.publisher.camera(pictures)
        await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: all(len(frames) >= 3 for frames in call.frames.values()))
    assert set(call.frames) == {"0", "1", "2", "3"}


async def test_the_same_offer_again_changes_nothing(call: Call):
    call.publisher.microphone()
    first = await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: call.frames["0"])
    track = call.receiver.tracks["0"]
    second = await call.receiver.answer(call.publisher.pc.localDescription.sdp)
    assert call.receiver.tracks["0"] is track
    assert call.added == ["0"]
    # The session's version counts up (RFC 8829, 5.3.1), the rest stays.
    assert first.splitlines()[2:] == second.splitlines()[2:]
    assert first.splitlines()[1] != second.splitlines()[1]


async def test_five_percent_loss_is_repaired(call: Call, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch):
    dice = random.Random(4)
    lost = 0
    receive = aioice.ice.StunProtocol.datagram_received

    def lossy(self: Any, data: bytes, addr: Any) -> None:
        nonlocal lost
        mine = self.receiver is call.receiver._gatherer._connection
        if mine and 127 < data[0] < 192 and not 192 <= data[1] <= 223 and dice.random() < 0.05:
            lost += 1
            return
        receive(self, data, addr)

    monkeypatch.setattr(aioice.ice.StunProtocol, "datagram_received", lossy)
    call.publisher.camera(pictures)
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: lost >= 5 and len(call.frames["0"]) >= 60)
    order = [pictures.index(frame.data) for frame in call.frames["0"]]
    assert [(b - a) % len(pictures) for a, b in itertools.pairwise(order)] == [1] * (len(order) - 1)
    assert call.receiver.tracks["0"].buffer.counts.repaired >= 3


async def test_a_listener_that_fails_costs_the_others_nothing(call: Call, caplog: pytest.LogCaptureFixture):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)

    def fails(frame: EncodedFrame) -> None:
        raise RuntimeError("a bad listener")

    track = call.receiver.tracks["0"]
    first: list[EncodedFrame] = []
    end = track.listen(fails)
    track.listen(first.append)
    await call.receiver.connected()
    await until(lambda: len(first) >= 5)
    end()
    end()
    assert "a bad listener" in caplog.text
    assert call.closed == []


async def test_the_other_side_going_is_told_once(call: Call):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)
    await until(lambda: call.frames["0"])
    await call.publisher.close()
    await until(lambda: call.closed)
    await call.receiver.close()
    assert len(call.closed) == 1


async def test_closing_twice_and_before_connecting_is_harmless(call: Call):
    with pytest.raises(ConnectionError):
        await asyncio.gather(call.receiver.connected(), call.receiver.close())
    await call.receiver.close()
    with pytest.raises(SdpError):
        await call.receiver.answer("v=0")
    assert call.closed == []


async def test_closing_while_connecting_ends_the_wait(call: Call):
    call.publisher.microphone()
    await call.publisher.pc.setLocalDescription(await call.publisher.pc.createOffer())
    await call.receiver.answer(call.publisher.pc.localDescription.sdp)
    waiting = asyncio.create_task(call.receiver.connected())
    await asyncio.sleep(0)
    await call.receiver.close()
    with pytest.raises(ConnectionError):
        await waiting
    assert call.closed == []


async def test_a_bad_offer_leaves_the_connection_as_it_was(call: Call):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    with pytest.raises(SdpError):
        await call.receiver.answer("v=0\r\nnonsense")
    heard = len(call.frames["0"])
    await until(lambda: len(call.frames["0"]) > heard + 3)


@pytest.mark.parametrize("candidate", ["nonsense", "1 1 udp", "1 1 udp x 127.0.0.1 y typ host"])
async def test_a_candidate_that_cannot_be_read_is_an_sdp_error(call: Call, candidate: str):
    with pytest.raises(SdpError):
        await call.receiver.add_candidate(candidate)


async def test_media_that_cannot_be_handled_is_counted_and_does_not_end_the_connection(call: Call):
    call.publisher.microphone()
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: call.frames["0"])
    handle, faults = call.receiver.transport._on_rtp, 0

    def sometimes(data: bytes, arrival: float) -> None:
        nonlocal faults
        if faults < 3:
            faults += 1
            raise RuntimeError("a packet of death")
        handle(data, arrival)

    call.receiver.transport._on_rtp = sometimes
    heard = len(call.frames["0"])
    await until(lambda: len(call.frames["0"]) > heard + 5)
    assert call.receiver.transport.faults == 3
    with contextlib.suppress(ConnectionError):
        await call.receiver.connected()
    assert call.closed == []


async def test_every_compound_begins_with_a_report_on_the_stream_it_speaks_about(call: Call, pictures: list[bytes]):
    sent: list[bytes] = []
    send = call.receiver.transport.send_rtcp

    def spy(packets: list[bytes]) -> None:
        sent.append(b"".join(packets))
        send(packets)

    call.receiver.transport.send_rtcp = spy  # type: ignore[method-assign]
    call.publisher.microphone()
    call.publisher.camera(pictures)
    await call.publisher.negotiate(call.receiver)
    await call.receiver.connected()
    await until(lambda: len(call.frames["1"]) >= 10)
    call.receiver.tracks["1"].request_keyframe()
    await until(lambda: any(c[33:34] == b"\xce" and c[32] & 0x1F == 15 for c in sent) and len(sent) > 4, timeout=6)
    kinds = set()
    for compound in sent:
        first, *rest = RtcpPacket.parse(compound)
        assert isinstance(first, RtcpRrPacket)
        [report] = first.reports
        for packet in rest:
            kinds.add((type(packet), packet.fmt))
            if isinstance(packet, RtcpRtpfbPacket) or packet.fmt == 1:
                assert packet.media_ssrc == report.ssrc
            if isinstance(packet, RtcpPsfbPacket) and packet.fmt == 15:
                assert report.ssrc in unpack_remb_fci(packet.fci)[1]
    assert (RtcpPsfbPacket, 1) in kinds
    assert (RtcpPsfbPacket, 15) in kinds


async def test_a_peer_closed_while_it_connects_leaves_nothing_running(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = asyncio.all_tasks()
    call.publisher.microphone()
    start, shaking = call.receiver.transport.start, asyncio.Event()

    async def start_all_the_same(remote: Any) -> None:
        """As aiortc does when it is cancelled in the moment in which it hears from the other side."""
        shaking.set()
        going = asyncio.create_task(start(remote))
        while not going.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.shield(going)

    monkeypatch.setattr(call.receiver.transport, "start", start_all_the_same)
    await call.publisher.negotiate(call.receiver)
    await shaking.wait()
    await call.receiver.close()
    assert [task for task in asyncio.all_tasks() - before if "PeerReceiver" in repr(task)] == []
