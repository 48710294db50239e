"""What comes of one kind of track of a participant, however often it is published anew."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace

from egress.call.model import TrackType
from egress.call.state import TrackState
from egress.protocol.reception import PictureSize, TrackReception
from egress.reception.bounds import LONGEST_ID, LONGEST_REASON, MOST_SIZES, MOST_SPELLS_IN_ALL, Room
from egress.reception.spells import SpellLog, WallClock
from egress.rtc.track import MediaTrack, TrackCounts

SILENT = 2.0
"""Seconds without a packet that are worth telling. A silent guest's Opus still sends one every 0.4 s (DTX)."""


@dataclass(slots=True)
class _Size:
    first: float
    seconds: float = 0.0


class TrackLog:
    """One kind of track of a participant."""

    def __init__(self, type_: TrackType, room: Room) -> None:
        self.type = type_
        self.silent = SpellLog(room)
        self.paused = SpellLog(room)
        self.sizes: dict[tuple[int, int], _Size] = {}
        self.unlisted_sizes: set[tuple[int, int]] = set()
        self.unreadable: str | None = None
        self._codec = ""
        self._media: MediaTrack | None = None
        self._counts = TrackCounts()
        self._before = TrackCounts()
        """What the media had counted when this began."""
        self._expected_since: float | None = None
        self._size: tuple[int, int] | None = None
        self._size_since = 0.0

    def begin(self, media: MediaTrack, now: float) -> None:
        """It is published (anew)."""
        self.end(now)
        self._media, self._before = media, media.counts
        self.unreadable = None

    def cannot_be_read(self, codec: str, reason: str, now: float) -> None:
        self.end(now)
        self._codec, self.unreadable = codec[:LONGEST_ID], reason[:LONGEST_REASON]

    def end(self, now: float) -> None:
        """It is not published any more."""
        self.silent.end(now)
        self.paused.end(now)
        self._show(None, now)
        self._expected_since = None
        if self._media is not None:
            self._counts += self._media.counts - self._before
            self._codec = self._media.codec
            self._media = None

    def until(self, now: float, room: Room) -> TrackLog:
        """As if it had ended now."""
        ended = copy(self)
        ended.silent, ended.paused = self.silent.until(now, room), self.paused.until(now, room)
        ended.sizes = {size: replace(known) for size, known in self.sizes.items()}
        ended.end(now)
        return ended

    def look(self, state: TrackState, size: tuple[int, int] | None, now: float) -> None:
        media = self._media
        if media is None:
            return
        expected = not (state.muted or state.paused) and (self.type.is_audio or state.wanted)
        if not expected:
            self._expected_since = None
            self.silent.end(now)
        else:
            if self._expected_since is None:
                self._expected_since = now
            heard = max(media.last_packet or 0.0, self._expected_since)
            if now - heard >= SILENT and self.type in (TrackType.AUDIO, TrackType.VIDEO):
                self.silent.begin(heard)
            else:
                self.silent.end(min(now, heard))
        self._show(size if expected and self.silent.since is None else None, now)

    def _show(self, size: tuple[int, int] | None, now: float) -> None:
        if size == self._size:
            return
        if self._size is not None and (known := self.sizes.get(self._size)) is not None:
            known.seconds += now - self._size_since
        self._size, self._size_since = size, now
        if size is None or size in self.sizes:
            return
        if len(self.sizes) < MOST_SIZES:
            self.sizes[size] = _Size(now)
        elif len(self.unlisted_sizes) < MOST_SPELLS_IN_ALL:
            self.unlisted_sizes.add(size)

    def told(self, clock: WallClock) -> TrackReception:
        counts = self._counts
        return TrackReception(
            type=self.type.value,
            codec=self._codec,
            packets=counts.packets,
            repaired=counts.repaired,
            lost=counts.lost,
            frames=counts.frames,
            frames_dropped=counts.frames_dropped,
            keyframes_asked=counts.keyframes_asked,
            bytes=counts.bytes,
            silent=clock.spells(self.silent),
            paused=clock.spells(self.paused),
            unreadable=self.unreadable,
            sizes=[
                PictureSize(width=width, height=height, first=clock.at(size.first), seconds=round(size.seconds, 3))
                for (width, height), size in self.sizes.items()
            ],
            sizes_left_out=len(self.unlisted_sizes),
        )
