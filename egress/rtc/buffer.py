"""Puts packets in order and frames together, by time and not by packet count; decides what to ask for again.

A frame leaves the moment its last packet (marker bit) is there and all before it has left or been given up, so a screen
share of one picture in two seconds, or the last word before silence, waits for nothing. A missing packet is asked for
again by timer, for sound as for pictures, until its deadline. All state is plain data and time is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from egress.rtc.packet import RtpPacket, unwrap
from egress.rtc.payload import Fragment
from egress.rtc.track import EncodedFrame, Kind

MAX_JUMP = 3000
"""Sequence numbers by which a stream may jump before it counts as a new one."""
MAX_HOLE = 500
"""Packets missing in a row that are worth asking for; a larger hole is an outage, and is given up at once."""


@dataclass(frozen=True, slots=True)
class BufferSettings:
    """Times in seconds. ``hold`` is how long a missing packet is waited for: less than composition runs behind."""

    hold: float
    capacity: int
    first_nack: float = 0.012
    retry_min: float = 0.03
    retry_max: float = 0.2
    retry_start: float = 0.08
    max_retries: int = 10


MARGIN = 0.25
"""Seconds before composition at which a frame has to leave the buffer."""


def settings_for(kind: Kind, delay: float) -> BufferSettings:
    """Wait for missing packets as long as composition, ``delay`` seconds behind live, can use them.

    That is worth it: an SFU may answer only every fifth of a second for the same packet (Janus does), so with 5 % loss
    both ways a wait of a third of a second loses one packet in a hundred of those lost, and of 0.75 s none.
    """
    hold = max(0.1, delay - MARGIN)
    if kind == "audio":
        return BufferSettings(hold=hold, capacity=256, first_nack=0.025)
    return BufferSettings(hold=hold, capacity=4096)


@dataclass(slots=True)
class _Missing:
    since: float
    next_ask: float
    asked: int = 0
    last_ask: float = 0.0


@dataclass(slots=True)
class _Slot:
    packet: RtpPacket
    fragment: Fragment
    rtp_time: int


@dataclass(slots=True)
class BufferCounts:
    """What happened to a stream's packets since it began."""

    received: int = 0
    repaired: int = 0
    lost: int = 0
    late: int = 0
    duplicates: int = 0
    frames: int = 0
    frames_dropped: int = 0


class FrameBuffer:
    """Reorders one stream (one SSRC) and assembles its frames."""

    def __init__(self, kind: Kind, settings: BufferSettings) -> None:
        self.kind = kind
        self.settings = settings
        self.counts = BufferCounts()
        self.needs_keyframe = kind == "video"
        self._slots: dict[int, _Slot] = {}
        self._missing: dict[int, _Missing] = {}
        self._next: int | None = None
        self._highest = 0
        self._last_time: int | None = None
        self._retry = self.settings.retry_start
        self._rotation = 0
        self._torn = True
        """Whether ``_next`` may lie inside a frame whose beginning is not to be had."""
        self._keys: set[int] = set()
        """Where key frames surely begin, of the packets that wait."""

    def add(self, packet: RtpPacket, fragment: Fragment, *, repair: bool = False, near: int | None = None) -> bool:
        """Take in a packet; ``repair`` marks one rebuilt from redundancy. Returns True when the stream began anew.

        ``near`` is a time stamp as the caller counts them without wrapping, so that both count alike.
        """
        now = packet.arrival
        restarted = False
        seq = unwrap(packet.seq, self._highest if self._next is not None else None, 16)
        if self._next is None:
            self._begin(seq)
        elif abs(seq - self._highest) > MAX_JUMP:
            if repair:
                return False
            self._restart(packet.seq)
            seq = packet.seq
            restarted = True
        assert self._next is not None
        if not repair:
            self.counts.received += 1
        if seq < self._next or seq in self._slots:
            if not repair:
                if seq in self._slots:
                    self.counts.duplicates += 1
                else:
                    self.counts.late += 1
            return restarted
        if seq > self._highest + MAX_HOLE:
            self.counts.lost += seq - self._highest - 1
            self._abandon(seq)
        if seq > self._highest:
            for gone in range(max(self._highest + 1, self._next), seq):
                self._missing[gone] = _Missing(now, now + self.settings.first_nack)
            self._highest = seq
        missing = self._missing.pop(seq, None)
        if repair:
            # Mostly in time: what was lost is rebuilt from the packet behind it, before anybody missed it.
            self.counts.repaired += 1
        elif missing is not None and missing.asked:
            self.counts.repaired += 1
            if missing.asked == 1:
                # Only an answer to the first question tells the round trip.
                took = now - missing.last_ask
                self._retry += (1.5 * took - self._retry) / 8
        rtp_time = unwrap(packet.timestamp, near if self._last_time is None else self._last_time, 32)
        self._last_time = rtp_time
        self._slots[seq] = _Slot(packet, fragment, rtp_time)
        if fragment.keyframe and fragment.first:
            self._keys.add(seq)
        if len(self._slots) > self.settings.capacity:
            if self.kind == "audio":
                self._give_up(self._next)
            else:
                self._abandon(self._highest + 1)
        return restarted

    def _begin(self, seq: int) -> None:
        self._next = seq
        self._highest = seq

    def _restart(self, seq: int) -> None:
        self._abandon(seq)
        self._last_time = None
        self._begin(seq)

    def _abandon(self, following: int | None) -> None:
        """Give up all that waits and all that is missing; go on at ``following``, None for whatever comes next."""
        self.counts.lost += len(self._missing)
        self.counts.frames_dropped += self.kind == "video" and bool(self._slots)
        self._slots.clear()
        self._missing.clear()
        self._keys.clear()
        self._next = following
        self._torn = True
        self.needs_keyframe = self.kind == "video"

    def wants_again(self, now: float) -> list[int]:
        """16-bit sequence numbers to ask for now (RFC 4585 NACK)."""
        if not self._missing:
            return []
        wanted = []
        retry = min(max(self._retry, self.settings.retry_min), self.settings.retry_max)
        for seq, missing in self._missing.items():
            if now >= missing.next_ask and missing.asked < self.settings.max_retries:
                missing.asked += 1
                missing.last_ask = now
                missing.next_ask = now + retry
                wanted.append(seq & 0xFFFF)
        return wanted

    def next_event(self) -> float | None:
        """When to look again although no packet came: the next question or the next deadline."""
        if not self._missing:
            return None
        first = next(iter(self._missing.values()))
        soonest = first.since + self.settings.hold
        for missing in self._missing.values():
            if missing.asked < self.settings.max_retries and missing.next_ask < soonest:
                soonest = missing.next_ask
        return soonest

    def pop(self, now: float) -> list[EncodedFrame]:
        """Frames that are complete and in order, oldest first. Overdue packets are given up."""
        frames: list[EncodedFrame] = []
        while self._next is not None:
            if self.needs_keyframe and self._keys:
                # Nothing before a key frame is of use any more, so nothing missing there is waited for.
                self._go_on_at(min(self._keys))
                self._torn = False
            if self._next in self._slots:
                taken = self._take_frame()
                if taken is not None:
                    if isinstance(taken, EncodedFrame):
                        frames.append(taken)
                    continue
            # The first missing packet is the next one, or lies inside the frame that begins there.
            first = next(iter(self._missing.items()), None)
            if first is None or now < first[1].since + self.settings.hold:
                break
            self._give_up(first[0])
        return frames

    def _take_frame(self) -> EncodedFrame | bool | None:
        """The frame that begins at ``_next``: None if not complete, True if it was consumed without a frame."""
        assert self._next is not None
        first = self._slots[self._next]
        if not first.packet.payload:  # padding alone
            del self._slots[self._next]
            self._next += 1
            return True
        if self.kind == "audio":
            del self._slots[self._next]
            self._next += 1
            self.counts.frames += 1
            return EncodedFrame(
                data=first.fragment.data,
                rtp_time=first.rtp_time,
                arrival=first.packet.arrival,
                keyframe=True,
                audio_level=first.packet.audio_level,
            )
        seq = self._next
        while True:
            slot = self._slots.get(seq)
            if slot is None:
                return None
            if slot.rtp_time != first.rtp_time:
                last = seq - 1  # a sender without marker bits
                break
            if slot.packet.marker:
                last = seq
                break
            seq += 1
        slots = [self._slots[s] for s in range(self._next, last + 1)]
        self._go_on_at(last + 1)
        torn = not slots[0].fragment.starts or (self._torn and not slots[0].fragment.first)
        counted, self._torn = self._torn, False
        keyframe = any(s.fragment.keyframe for s in slots)
        if torn or (self.needs_keyframe and not keyframe):
            self.counts.frames_dropped += not (torn and counted)
            self.needs_keyframe = True
            return True
        self.needs_keyframe = False
        self.counts.frames += 1
        for slot in slots:
            if slot.packet.rotation is not None:
                self._rotation = slot.packet.rotation
        return EncodedFrame(
            data=b"".join(s.fragment.data for s in slots) if len(slots) > 1 else slots[0].fragment.data,
            rtp_time=first.rtp_time,
            arrival=max(s.packet.arrival for s in slots) if len(slots) > 1 else slots[0].packet.arrival,
            keyframe=keyframe,
            rotation=self._rotation,
        )

    def _give_up(self, seq: int) -> None:
        """Go on after a packet that will not come: at the next packet (sound) or the next frame (pictures)."""
        following = seq + 1
        if self.kind == "audio":
            # The audio before the hole has left already; go on behind it.
            following = min(self._slots, default=self._highest + 1)
        else:
            self.counts.frames_dropped += not self._torn
            self.needs_keyframe = self._torn = True
        self.counts.lost += sum(s < following for s in self._missing)
        self._go_on_at(following)

    def _go_on_at(self, seq: int) -> None:
        """Make ``seq`` the next one and forget what lies before it."""
        assert self._next is not None
        for gone in [s for s in self._missing if s < seq]:
            del self._missing[gone]
        if len(self._slots) < seq - self._next:
            for stale in [s for s in self._slots if s < seq]:
                del self._slots[stale]
        else:
            for stale in range(self._next, seq):
                self._slots.pop(stale, None)
        self._keys = {s for s in self._keys if s >= seq} if self._keys else self._keys
        self._next = seq

    def skip_all(self) -> None:
        """Drop what waits (nobody listens); begin anew with what comes next, pictures with a key frame."""
        self._abandon(None)
