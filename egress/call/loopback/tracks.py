"""What a guest sends to one listener: loops entered at a key frame, paced by the clock, never encoded again."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from aiortc import MediaStreamTrack
from av import Packet

from egress.call.loopback.guests import FPS, KEY_INTERVAL, LOOP, SAMPLE_RATE, Content
from egress.call.loopback.lines import PACKET_MS, TURN

VIDEO_CLOCK = 90_000

Speaks = Callable[[float], bool]
"""Whether the guest speaks at so many seconds of the room's time."""


class Timeline:
    """The room's time for one listener: shifted by less than a key frame interval, so that it begins with one."""

    def __init__(self, zero: float) -> None:
        step = KEY_INTERVAL / FPS
        now = time.monotonic()
        self.begin = math.floor((now - zero) / step) * step
        self._origin = now - self.begin

    async def until(self, at: float) -> None:
        delay = self._origin + at - time.monotonic()
        if delay > 0:
            await asyncio.sleep(delay)

    def now(self) -> float:
        return time.monotonic() - self._origin


class Picture(MediaStreamTrack):
    """A guest's camera. While ``sending`` is clear nothing is sent; it goes on with a key frame."""

    kind = "video"

    def __init__(self, content: Content, timeline: Timeline, speaks: Speaks) -> None:
        super().__init__()
        self.sending = asyncio.Event()
        self.sending.set()
        self._content = content
        self._timeline = timeline
        self._speaks = speaks
        self._number = round(timeline.begin * FPS)
        self._pictures = content.listening_pictures
        self._stalled = False

    async def recv(self) -> Packet[Any]:
        if not self.sending.is_set() or self._timeline.now() - self._number / FPS > 1.0:
            # Switched off, or the machine was asleep: go on where the others are.
            await self.sending.wait()
            self._number = math.ceil(self._timeline.now() * FPS / KEY_INTERVAL) * KEY_INTERVAL
        await self._timeline.until(self._number / FPS)
        if self._number % KEY_INTERVAL == 0:
            speaks = self._speaks(self._number / FPS)
            self._pictures = self._content.talking_pictures if speaks else self._content.listening_pictures
        packet = Packet(self._pictures[self._number % (LOOP * FPS)])
        packet.pts = self._number * VIDEO_CLOCK // FPS
        packet.time_base = Fraction(1, VIDEO_CLOCK)
        self._number += 1
        return packet


class Voice(MediaStreamTrack):
    """A guest's microphone: a sentence each turn, else silence; always sent."""

    kind = "audio"

    def __init__(self, content: Content, timeline: Timeline, speaks: Speaks) -> None:
        super().__init__()
        self._content = content
        self._timeline = timeline
        self._speaks = speaks
        self._number = round(timeline.begin * 1000 / PACKET_MS)
        self._turn: int | None = None
        """The turn of the room that was ours last."""
        self._turns = -1

    async def recv(self) -> Packet[Any]:
        at = self._number * PACKET_MS / 1000
        if self._timeline.now() - at > 1.0:
            self._number = math.ceil(self._timeline.now() * 1000 / PACKET_MS)
            at = self._number * PACKET_MS / 1000
        await self._timeline.until(at)
        packet = Packet(self._sound(at))
        packet.pts = self._number * PACKET_MS * SAMPLE_RATE // 1000
        packet.time_base = Fraction(1, SAMPLE_RATE)
        self._number += 1
        return packet

    def _sound(self, at: float) -> bytes:
        if not self._speaks(at):
            silence = self._content.silence
            return silence[self._number % len(silence)]
        turn = int(at / TURN)
        if turn != self._turn:
            self._turn, self._turns = turn, self._turns + 1
        each = round(TURN * 1000 / PACKET_MS)
        voice = self._content.voice
        return voice[(self._turns * each + self._number - round(turn * TURN * 1000 / PACKET_MS)) % len(voice)]
