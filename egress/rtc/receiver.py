"""One received track: its buffer, its clock, its wishes to the sender, and who listens to it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable

from egress.rtc.buffer import FrameBuffer, settings_for
from egress.rtc.clock import ParticipantClock, TrackClock
from egress.rtc.keyframes import KeyframeRequests
from egress.rtc.packet import NTP_FRACTION, RtpPacket, unwrap
from egress.rtc.payload import PADDING, fragment, split_red
from egress.rtc.sdp import Section
from egress.rtc.track import EncodedFrame, FrameListener, Kind, TrackCounts

log = logging.getLogger(__name__)


class PeerTrack:
    """A track of a peer (a :class:`~egress.rtc.track.MediaTrack`). Fed and read on the event loop only."""

    def __init__(self, section: Section, delay: float, wake: Callable[[], None]) -> None:
        self.mid = section.mid
        self.section = section
        self._delay = delay
        self.buffer = FrameBuffer(section.kind, settings_for(section.kind, delay))
        self.keyframes = KeyframeRequests()
        primary = next(pt for pt, name in section.codecs.items() if name not in ("rtx", "red"))
        self._codec = section.codecs[primary]
        self.clock = TrackClock(section.clock_rates[primary])
        self.ssrc: int | None = None
        self.last_packet: float | None = None
        """Arrival of the newest packet."""
        self.audio_level: int | None = None
        self.bytes_received = 0
        self.bad_packets = 0
        self._wake = wake
        self._listeners: list[FrameListener] = []
        self._timed: int | None = None
        self._counted = TrackCounts()
        """Of the sources before this one."""

    @property
    def kind(self) -> Kind:
        return self.section.kind

    @property
    def codec(self) -> str:
        return self._codec

    @property
    def clock_rate(self) -> int:
        return self.clock.clock_rate

    @property
    def counts(self) -> TrackCounts:
        return (
            self._counted
            + self._buffered()
            + TrackCounts(keyframes_asked=self.keyframes.sent, bytes=self.bytes_received)
        )

    def _buffered(self) -> TrackCounts:
        c = self.buffer.counts
        return TrackCounts(c.received, c.repaired, c.lost, c.frames, c.frames_dropped)

    def join(self, group: ParticipantClock) -> None:
        self.clock.join(group)

    def listen(self, listener: FrameListener) -> Callable[[], None]:
        if not self._listeners:
            self.buffer.skip_all()
        self._listeners.append(listener)
        if self.kind == "video":
            self.request_keyframe()

        def end() -> None:
            with contextlib.suppress(ValueError):
                self._listeners.remove(listener)
            if not self._listeners:
                self.buffer.skip_all()
                self.keyframes.wanted = False

        return end

    def request_keyframe(self) -> None:
        if self.kind == "video":
            self.keyframes.want()
            self._wake()

    def begin_anew(self) -> None:
        """What comes next does not follow what came: hand on pictures from the next key frame on."""
        self.buffer.skip_all()
        self.request_keyframe()

    def on_packet(self, packet: RtpPacket) -> None:
        """Take in one packet of this track, be it primary, RTX or RED."""
        name = self.section.codecs.get(packet.payload_type)
        if name is None:
            return
        try:
            if name == "rtx":
                if not self._unwrap_rtx(packet):
                    return
                name = self.section.codecs[packet.payload_type]
            elif self.ssrc != packet.ssrc:
                self._begin(packet.ssrc)
            self.last_packet = packet.arrival
            self.bytes_received += len(packet.payload)
            if packet.audio_level is not None:
                self.audio_level = packet.audio_level
            if name == "red":
                self._take_red(packet)
            else:
                self._take(packet, name)
        except (ValueError, IndexError) as error:
            self.bad_packets += 1
            log.debug("track %s: packet %d is damaged: %s", self.mid, packet.seq, error)
            return
        self.deliver(packet.arrival)

    def _begin(self, ssrc: int) -> None:
        if self.ssrc is not None:
            self._counted += self._buffered()
            self.buffer = FrameBuffer(self.kind, settings_for(self.kind, self._delay))
            self._count_anew()
            self._timed = None
        self.ssrc = ssrc
        if self.kind == "video" and self._listeners:
            self.keyframes.want()

    def _count_anew(self) -> None:
        """Another source, another line of time stamps. Frames that wait elsewhere keep the clock they came with."""
        before, self.clock = self.clock, TrackClock(self.clock.clock_rate)
        self.clock.join(before.group)
        before.leave()

    def _unwrap_rtx(self, packet: RtpPacket) -> bool:
        """RFC 4588: the first two bytes are the sequence number of the packet that is sent again."""
        if len(packet.payload) < 2 or self.ssrc is None:
            return False
        packet.payload_type = self.section.rtx_of[packet.payload_type]
        packet.seq = int.from_bytes(packet.payload[:2], "big")
        packet.payload = packet.payload[2:]
        packet.ssrc = self.ssrc
        return True

    def _take(self, packet: RtpPacket, codec: str, *, repair: bool = False) -> None:
        if not repair and packet.payload:
            self._codec = codec
            self._time(packet)
        if not self._listeners:
            return
        piece = fragment(codec, packet.payload) if packet.payload else PADDING
        if self.buffer.add(packet, piece, repair=repair, near=self._timed) and self._timed is not None:
            self._count_anew()
            self.clock.on_packet(self._timed, packet.arrival)

    def _time(self, packet: RtpPacket) -> None:
        """Feed the clock once a frame, with the frame's first packet."""
        rtp_time = unwrap(packet.timestamp, self._timed, 32)
        if self._timed is None or rtp_time > self._timed or rtp_time < self._timed - 10 * self.clock_rate:
            self._timed = rtp_time
            self.clock.on_packet(rtp_time, packet.arrival)
            if packet.capture_ntp is not None:
                self.clock.on_capture_time(packet.capture_ntp * NTP_FRACTION, rtp_time, packet.arrival)

    def _take_red(self, packet: RtpPacket) -> None:
        blocks = split_red(packet.payload)
        primary = blocks[-1]
        name = self.section.codecs.get(primary.payload_type)
        if name is None or name in ("red", "rtx"):
            return
        for distance, block in zip(range(len(blocks) - 1, 0, -1), blocks, strict=False):
            if block.data:
                older = RtpPacket(
                    block.payload_type,
                    False,
                    (packet.seq - distance) & 0xFFFF,
                    (packet.timestamp - block.age) & 0xFFFFFFFF,
                    packet.ssrc,
                    block.data,
                    packet.arrival,
                )
                self._take(older, name, repair=True)
        packet.payload = primary.data
        self._take(packet, name)

    def deliver(self, now: float) -> None:
        """Hand on what is ready; called with each packet and by the peer's timer."""
        if not self._listeners:
            return
        waiting = self.buffer.needs_keyframe
        for frame in self.buffer.pop(now):
            waiting = False
            if frame.keyframe:
                self.keyframes.arrived(now)
            self._hand_on(frame)
        if self.kind == "video" and (waiting or self.buffer.needs_keyframe):
            self.keyframes.want()

    def _hand_on(self, frame: EncodedFrame) -> None:
        frame.clock = self.clock
        for listener in tuple(self._listeners):
            try:
                listener(frame)
            except Exception:
                # One listener's fault must not cost the others the frame, nor the peer its connection.
                log.exception("track %s: a listener failed", self.mid)

    def summary(self) -> str:
        """One line on what happened to the track's packets, for the log."""
        c = self.buffer.counts
        return (
            f"{self._codec}, {c.received} packets, {c.repaired} repaired, {c.lost} lost, {c.late} late, "
            f"{c.frames} frames, {c.frames_dropped} dropped, {self.keyframes.sent} key frames asked for, "
            f"{self.bad_packets} damaged"
        )

    def extended(self, rtp_timestamp: int) -> int:
        """A 32-bit RTP time stamp (of a sender report) as this track counts time."""
        return unwrap(rtp_timestamp, self._timed, 32)

    @property
    def timed(self) -> bool:
        """Whether anything was received yet, so that time stamps can be told."""
        return self._timed is not None
