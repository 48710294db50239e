"""Tracks that hand out encoded loops at exact times, and an aiortc sender that reports the device's clock.

A :class:`Device` is what a guest holds: one clock, one camera, one microphone. Its tracks serve any aiortc peer
connection, whatever the signalling; :func:`exact` turns the connection's senders into ones that send frames untouched.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, cast

import av
from aiortc import MediaStreamTrack, RTCRtpSender
from aiortc.codecs import get_encoder
from aiortc.codecs.base import Encoder
from aiortc.rtcrtpsender import RTCEncodedFrame
from aiortc.rtp import RtcpSrPacket

from tests.rig import picture
from tests.rig.clocks import DeviceClock, ntp
from tests.rig.loops import KEY_EVERY, PACKETS, AudioLoop, VideoLoop

LATENCY = 0.020
"""Seconds from a picture's, or a packet of sound's, first moment to the wire: sound is sampled for 20 ms, coding a
picture takes about as long. Equal for both, so that an SFU that stamps arrivals sees them aligned."""

DTX_EVERY = 20
"""Of a silent microphone with discontinuous transmission one packet in so many is sent: Opus renews its noise each
400 ms."""

Note = Callable[[str, dict[str, Any]], None]


@dataclass(slots=True)
class Punctuality:
    """How late frames reached the socket, in seconds."""

    late: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Milliseconds; only frames after a connection's first count."""
        ordered = sorted(self.late) or [0.0]

        def at(share: float) -> float:
            return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 2)

        return {"frames": len(self.late), "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0)}


@dataclass(slots=True)
class Shipment:
    """One encoded frame to send now."""

    data: bytes
    ticks: int
    due: float
    """True time at which it should leave."""
    number: int
    """Place in its second."""
    second: int
    """Seconds of the device since its start."""
    level: int | None


class ExactTrack(MediaStreamTrack):
    """A camera or microphone of the rig. Frame ``n`` is due at a fixed time; a late one is sent late, none left out."""

    rate: int
    per_second: int

    def __init__(self, clock: DeviceClock, epoch: float, punctuality: Punctuality, note: Note) -> None:
        super().__init__()
        self.clock = clock
        self.sending = asyncio.Event()
        self.sending.set()
        self._epoch = epoch
        self._punctuality = punctuality
        self._note = note
        self._next: int | None = None
        self._last: Shipment | None = None

    def true_now(self) -> float:
        return time.monotonic() + self._epoch

    async def shipment(self) -> Shipment:
        """Wait until the next frame is due. Being called again tells that the one before has reached the socket."""
        self._account()
        if not self.sending.is_set():
            self._next = None
            await self.sending.wait()
        if self._next is None:
            elapsed = (self.true_now() - self.clock.started) * (1 + self.clock.drift_ppm * 1e-6)
            self._next = max(0, int(elapsed * self.per_second) + 1)
            self._begin(self._next)
        while self._leaves_out(self._next):
            self._next += 1
        index = self._next
        self._next += 1
        number = index % self.per_second
        due = self.clock.true(index / self.per_second) + LATENCY
        wait = due - self.true_now()
        if wait > 0:
            await asyncio.sleep(wait)
        data, level = self._frame(number)
        ticks = index * self.rate // self.per_second
        self._last = Shipment(data, ticks, due, number, index // self.per_second, level)
        return self._last

    def captured(self, ticks: int) -> float:
        """True time of an RTP time (counted from the device's start)."""
        return self.clock.true(ticks / self.rate)

    def _account(self) -> None:
        last, self._last = self._last, None
        if last is None:
            return
        sent = self.true_now()
        self._punctuality.late.append(sent - last.due)
        if last.number == 0:
            mark = "flash" if self.kind == "video" else "beep"
            self._note(mark, {"true": last.due - LATENCY, "sent": sent, "second": last.second})

    def _begin(self, index: int) -> None:
        """Sending starts (again) with that frame."""

    def _leaves_out(self, index: int) -> bool:
        """Whether nothing is sent at that frame's time."""
        return False

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        raise AssertionError("a track of the rig is a camera or a microphone")

    async def recv(self) -> av.Packet[Any]:
        """For senders of aiortc's own kind, which lose the audio level and the device's clock."""
        shipment = await self.shipment()
        packet = av.Packet(shipment.data)
        packet.pts, packet.time_base = shipment.ticks, Fraction(1, self.rate)
        return packet


class Camera(ExactTrack):
    kind = "video"
    rate = 90_000
    per_second = picture.FPS

    def __init__(self, pictures: VideoLoop, *rest: Any) -> None:
        super().__init__(*rest)
        self._pictures = self._coming = pictures
        self._group = 0
        self._key_wanted = True
        self.key_requests = 0

    def change(self, pictures: VideoLoop) -> None:
        """Send other pictures, from the next place where a group starts."""
        self._coming = pictures

    def key_wanted(self) -> None:
        """The other side asked for a key frame."""
        self.key_requests += 1
        self._key_wanted = True

    def _begin(self, index: int) -> None:
        # A stream begins with a key frame: wait for the next place where a group starts.
        self._next = -(-index // KEY_EVERY) * KEY_EVERY
        self._key_wanted = True

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        wanted = self._key_wanted or self._coming is not self._pictures
        if number == 0 or (wanted and number % KEY_EVERY == 0):
            self._group, self._key_wanted, self._pictures = number, False, self._coming
        return self._pictures.groups[self._group][number - self._group], None


class Microphone(ExactTrack):
    kind = "audio"
    rate = 48_000
    per_second = PACKETS

    def __init__(self, voice: AudioLoop, silence: AudioLoop, *rest: Any, dtx: bool = False) -> None:
        super().__init__(*rest)
        self._voice = voice
        self._silence = silence
        self._dtx = dtx
        self.muted = False

    def change(self, voice: AudioLoop) -> None:
        """Sound otherwise, from the next packet on."""
        self._voice = voice

    def _leaves_out(self, index: int) -> bool:
        return self._dtx and self.muted and index % DTX_EVERY != 0

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        loop = self._silence if self.muted else self._voice
        return loop.packets[number], loop.levels[number]


class Speaker(Microphone):
    """A microphone into which somebody speaks, in a loop of some whole seconds that began with the device."""

    def _frame(self, number: int) -> tuple[bytes, int | None]:
        assert self._next is not None
        if self.muted:
            return super()._frame(number)
        at = (self._next - 1) % len(self._voice.packets)
        return self._voice.packets[at], self._voice.levels[at]


class ExactSender(RTCRtpSender):
    """Sends shipments as they are, with their audio level, and reports the device's clock."""

    exact_track: ExactTrack
    exact_encoder: Encoder | None
    exact_last: int | None

    async def _next_encoded_frame(self, codec: Any) -> RTCEncodedFrame | None:
        shipment = await self.exact_track.shipment()
        if self.exact_encoder is None:
            self.exact_encoder = get_encoder(codec)
        packet = av.Packet(shipment.data)
        packet.pts, packet.time_base = shipment.ticks, Fraction(1, self.exact_track.rate)
        payloads, _ = self.exact_encoder.pack(packet)
        self.exact_last = shipment.ticks
        return RTCEncodedFrame(payloads, shipment.ticks & 0xFFFFFFFF, cast(int, shipment.level))

    def _send_keyframe(self) -> None:
        if isinstance(self.exact_track, Camera):
            self.exact_track.key_wanted()

    async def _send_rtcp(self, packets: list[Any]) -> None:
        for packet in packets:
            # aiortc pairs the time of sending with the RTP time of what was sent; a device knows when it was captured.
            if isinstance(packet, RtcpSrPacket) and self.exact_last is not None:
                wall = self.exact_track.clock.wall(self.exact_track.captured(self.exact_last))
                packet.sender_info.ntp_timestamp = ntp(wall)
        await super()._send_rtcp(packets)


def exact(sender: RTCRtpSender, track: ExactTrack) -> None:
    """Make a sender that was just made for ``track`` an exact one."""
    sender.__class__ = ExactSender
    assert isinstance(sender, ExactSender)
    sender.exact_track = track
    sender.exact_encoder = None
    sender.exact_last = None
