"""A track as LiveKit publishes it: known before it is subscribed to, the same across subscriptions and reconnects."""

from __future__ import annotations

from collections.abc import Callable

from egress.rtc.clock import ParticipantClock, TrackClock
from egress.rtc.receiver import PeerTrack
from egress.rtc.track import FrameListener, Kind, TrackCounts

CLOCK_RATES: dict[Kind, int] = {"audio": 48_000, "video": 90_000}


class LivekitTrack:
    """A :class:`~egress.rtc.track.MediaTrack` whose source comes and goes.

    ``on_needed`` is called when the first listener comes or the last one goes: that decides the subscription.
    """

    def __init__(self, kind: Kind, codec: str, on_needed: Callable[[], None]) -> None:
        self.kind: Kind = kind
        self._published_codec = codec
        self._on_needed = on_needed
        self._idle_clock = TrackClock(CLOCK_RATES[kind])
        self._group: ParticipantClock | None = None
        self._source: PeerTrack | None = None
        self._listeners: dict[int, tuple[FrameListener, Callable[[], None] | None]] = {}
        self._next = 0
        self._heard_before: float | None = None
        self._counts_before = TrackCounts()
        """Of the sources that are gone."""

    @property
    def needed(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    @property
    def source(self) -> PeerTrack | None:
        """What is received of it now."""
        return self._source

    @property
    def codec(self) -> str:
        return self._published_codec if self._source is None else self._source.codec

    @property
    def clock_rate(self) -> int:
        return CLOCK_RATES[self.kind]

    @property
    def clock(self) -> TrackClock:
        return self._idle_clock if self._source is None else self._source.clock

    @property
    def last_packet(self) -> float | None:
        newest = None if self._source is None else self._source.last_packet
        return self._heard_before if newest is None else newest

    @property
    def counts(self) -> TrackCounts:
        return self._counts_before if self._source is None else self._counts_before + self._source.counts

    def join(self, group: ParticipantClock) -> None:
        self._group = group
        if self._source is not None:
            self._source.join(group)

    def listen(self, listener: FrameListener) -> Callable[[], None]:
        number, self._next = self._next, self._next + 1
        ends = None if self._source is None else self._source.listen(listener)
        self._listeners[number] = (listener, ends)
        if len(self._listeners) == 1:
            self._on_needed()

        def end() -> None:
            known = self._listeners.pop(number, None)
            if known is None:
                return
            if known[1] is not None:
                known[1]()
            if not self._listeners:
                self._on_needed()

        return end

    def request_keyframe(self) -> None:
        if self._source is not None:
            self._source.request_keyframe()

    def attach(self, source: PeerTrack) -> None:
        """It is received by this from now on."""
        if source is self._source:
            return
        self.detach()
        self._source = source
        if self._group is not None:
            source.join(self._group)
        for number, (listener, _) in self._listeners.items():
            self._listeners[number] = (listener, source.listen(listener))

    def detach(self) -> None:
        """It is received no more."""
        self._counts_before, self._heard_before = self.counts, self.last_packet
        self._source = None
        for number, (listener, ends) in self._listeners.items():
            if ends is not None:
                ends()
            self._listeners[number] = (listener, None)
