"""The two clocks: sender reports align a participant's tracks, least delay ties the participant to this machine.

Inside a participant, sender reports near each moment say which picture belongs to which sound, whosever clock they
carry. Between participants, and to wall time, only this worker's monotonic clock counts: a participant happened
``least delay`` before their packets came. So a guest whose clock is an hour wrong, steps or drifts changes nothing.

A report's error is one-sided (an SFU writes it after the packet it names), so the lower envelope of the last few is
taken; a sender's audio clock may settle over seconds, so the envelope is short. Corrections are slewed once a track
has played for a while, because a jump would be heard. All state is plain data and time is an argument; every time is
in seconds.
"""

from __future__ import annotations

from collections import deque

REPORT_WINDOW = 4.5
"""Seconds of sender reports whose lower envelope counts (always at least the last one)."""
DELAY_WINDOW = 8.0
"""Seconds over which the least delay is sought; between one and two windows are looked at."""
SETTLING = 2.0
"""Seconds after a track's first frame in which its clock may jump."""
SLEW = 0.005
"""Seconds a second by which a settled clock may be corrected."""
JUMP = 0.3
"""Seconds of error beyond which a settled clock jumps all the same."""
STEP = 0.25
"""Seconds by which a sender's wall clock must move between reports to count as set anew."""
LAG = 1.5
"""Seconds by which every frame of a second must be late before a track's time stamps count as having jumped back; by
that much too early, and they have jumped ahead at once, because no network is that much faster than it was."""


class LowerEnvelope:
    """The least of the values told in the last one to two windows."""

    def __init__(self, window: float) -> None:
        self._window = window
        self._current: float | None = None
        self._previous: float | None = None
        self._since = 0.0

    def add(self, value: float, now: float) -> None:
        if self._current is None:
            self._since = now
            self._current = value
        elif now - self._since > self._window:
            self._previous, self._current, self._since = self._current, value, now
        elif value < self._current:
            self._current = value

    def shift(self, by: float) -> None:
        if self._current is not None:
            self._current += by
        if self._previous is not None:
            self._previous += by

    @property
    def value(self) -> float | None:
        if self._current is None:
            return None
        return self._current if self._previous is None else min(self._current, self._previous)


class ParticipantClock:
    """What the tracks of one participant share: the steps of their sender's clock, and their least delay."""

    def __init__(self) -> None:
        self.tracks: list[TrackClock] = []
        self._steps = 0.0
        self._last_difference: float | None = None
        self.delay = LowerEnvelope(DELAY_WINDOW)

    def normalize(self, ntp: float, media: float, before: float | None, now: float) -> float:
        """What to add to media time to get the sender's time, with every step of the sender's clock so far taken out.

        ``ntp`` is of the sender's clock when its track was at ``media`` (both seconds); ``before`` is what was returned
        for the track's last report. A step moves a report against the media *and* against our clock: a report that was
        only held up moves against our clock alone, and time stamps that begin anew move against the media alone.
        """
        difference = ntp - self._steps - now
        jump = 0.0 if self._last_difference is None else difference - self._last_difference
        moved = jump if before is None else ntp - self._steps - media - before
        if abs(jump) > STEP and abs(moved) > STEP and abs(jump - moved) <= abs(moved) / 2:
            self._steps += moved
            difference -= moved
        self._last_difference = difference
        return ntp - self._steps - media


class TrackClock:
    """Turns one track's RTP time stamps into seconds of ``time.monotonic()``."""

    def __init__(self, clock_rate: int) -> None:
        self.clock_rate = clock_rate
        self.group = ParticipantClock()
        self.group.tracks.append(self)
        self.captured = False
        """Whether frames tell their capture time themselves."""
        self._reports: deque[tuple[float, float]] = deque(maxlen=16)
        self._sender_shift: float | None = None
        self._alone = LowerEnvelope(DELAY_WINDOW)
        self._shift: float | None = None
        self._first = 0.0
        self._adjusted = 0.0
        self._lag_since: float | None = None
        self._last_arrival_shift: float | None = None

    def join(self, group: ParticipantClock) -> None:
        """Share ``group`` with the participant's other tracks. To be called before frames are timed."""
        if group is self.group:
            return
        self.leave()
        self.group = group
        group.tracks.append(self)
        self._reports.clear()
        self._sender_shift = None

    def leave(self) -> None:
        """The track is gone; its group forgets it."""
        if self in self.group.tracks:
            self.group.tracks.remove(self)

    def reset(self) -> None:
        """Time stamps begin anew (another source behind the same track)."""
        self._reports.clear()
        self._sender_shift = None
        self._alone = LowerEnvelope(DELAY_WINDOW)
        self._shift = None
        self._lag_since = None
        self._last_arrival_shift = None

    def on_packet(self, rtp_time: int, arrival: float) -> None:
        """A frame's first packet came: feeds the least delay."""
        media = rtp_time / self.clock_rate
        shift = arrival - media
        if self._jumped(shift, arrival):
            self.reset()
        self._last_arrival_shift = shift
        self._alone.add(shift, arrival)
        if self._sender_shift is not None:
            self.group.delay.add(shift - self._sender_shift, arrival)
        if self._shift is None:
            self._first = self._adjusted = arrival
            self._shift = self._target()
        elif arrival - self._adjusted >= 0.02:
            self._adjust(arrival)

    def _jumped(self, shift: float, now: float) -> bool:
        least = self._alone.value
        if least is not None and shift < least - LAG:
            return True
        if least is None or shift - least < LAG:
            self._lag_since = None
            return False
        if self._lag_since is None:
            self._lag_since = now
        return now - self._lag_since > 1.0

    def on_capture_time(self, ntp: float, rtp_time: int, now: float) -> None:
        """A frame said itself when it was captured (abs-capture-time): a report of the first sender, through any SFU.

        From the first of these on, sender reports of the track are not needed any more.
        """
        self.captured = True
        self.on_sender_report(ntp, rtp_time, now)

    def on_sender_report(self, ntp: float, rtp_time: int, now: float) -> None:
        """A sender report: at ``ntp`` (seconds, any epoch) of the sender's clock it was ``rtp_time``."""
        before = self._reports[-1][1] if self._reports else None
        sender_shift = self.group.normalize(ntp, rtp_time / self.clock_rate, before, now)
        if self._reports and abs(sender_shift - self._reports[-1][1]) > STEP:
            # The time stamps jumped: earlier reports speak of another line, and so does the delay seen by it.
            self._reports.clear()
            self._sender_shift = None
            self._alone = LowerEnvelope(DELAY_WINDOW)
            self._doubt_delay(sender_shift, now)
        self._reports.append((now, sender_shift))
        while len(self._reports) > 1 and self._reports[0][0] < now - REPORT_WINDOW:
            self._reports.popleft()
        first = self._sender_shift is None
        self._sender_shift = min(shift for _, shift in self._reports)
        if first:
            least = self._alone.value
            if least is not None:
                self.group.delay.add(least - self._sender_shift, now)

    def _doubt_delay(self, sender_shift: float, now: float) -> None:
        """Seek the least delay anew when packets are later than it could be, had the reports before been right."""
        least = self.group.delay.value
        if least is None or self._last_arrival_shift is None:
            return
        seen = self._last_arrival_shift - sender_shift
        if seen - least > STEP:
            self.group.delay = LowerEnvelope(DELAY_WINDOW)
            self.group.delay.add(seen, now)

    def _target(self) -> float:
        delay = self.group.delay.value
        if self._sender_shift is not None and delay is not None:
            return self._sender_shift + delay
        alone = self._alone.value
        assert alone is not None
        return alone

    def _adjust(self, now: float) -> None:
        assert self._shift is not None
        error = self._target() - self._shift
        limit = SLEW * (now - self._adjusted)
        self._adjusted = now
        if now - self._first < SETTLING or abs(error) > JUMP:
            self._shift += error
        else:
            self._shift += max(-limit, min(limit, error))

    def time_of(self, rtp_time: int) -> float:
        """When that happened, in seconds of ``time.monotonic()``. Raises LookupError before the first packet."""
        if self._shift is None:
            raise LookupError("the track has received nothing yet")
        return rtp_time / self.clock_rate + self._shift
