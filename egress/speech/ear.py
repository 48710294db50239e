"""One track heard: its packets decoded where something may be heard, laid out as windows, judged, cut into segments.

What the sender says is quiet costs nothing: packets without sound (DTX), and packets whose header tells a low level.
Of the others, windows of near silence or steady noise are decoded
and not judged. The last quiet packets are kept, because the soft
beginning of a word may be in them.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from typing import cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from egress.rtc.clock import TrackClock
from egress.rtc.track import EncodedFrame, MediaTrack
from egress.speech.activity import WINDOW, Detector, Voice
from egress.speech.contract import Sound
from egress.speech.resample import FACTOR, IN_RATE, Decimator
from egress.speech.segments import Segmenter, Speech

log = logging.getLogger(__name__)

MAX_WAITING = 1500
"""Packets that may wait (30 s of 20 ms)."""
QUIET_LEVEL = 65
"""RFC 6464 level (-dBov) from which on a packet is taken for silence."""
EMPTY_PACKET = 3
"""Bytes up to which an Opus packet carries no sound."""
HANGOVER = 10
"""Quiet packets in a row after which no more are decoded: the end of a word is quiet too."""
KEPT = 10
"""Quiet packets that are kept undecoded."""
NEAR_SILENCE = 0.0006
"""Root mean square under which a window is not judged (-64 dBFS)."""
ABOVE_FLOOR = 1.6
"""Times as loud as the quietest of late (4 dB) under which a window is not judged either: the noise of a room."""
NEAR_HANGOVER = 8
"""Such windows in a row after which no more are judged."""
FLOOR_WINDOWS = 64
"""Windows (2 s) over which the quietest is sought; between one and two times as many are looked at."""
SHORT_GAP = 0.1
"""Seconds that may be missing without the sound being another one behind it."""
HOLD = 0.3
"""Seconds by which a packet may come later than the one before it; only after that is it taken for silence."""
AT_ONCE = 4
"""Windows that wait for each other, so that an inference is worth its call."""
AT_ONCE_SPEAKING = 2


class Ear:
    """``take`` belongs to the event loop, everything else to the listening thread."""

    def __init__(self, track: MediaTrack, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.muted = False
        self.decoded = 0
        """Packets decoded."""
        self.judged = 0
        """Windows judged by the detector."""
        self.packets = 0
        self.decode_errors = 0
        self.overflowed = 0
        self._track = track
        self._waiting: deque[EncodedFrame] = deque(maxlen=MAX_WAITING)
        self._context = _mono_decoder()
        self._decimator = Decimator()
        self._voice = Voice()
        self._held: deque[EncodedFrame] = deque(maxlen=KEPT)
        self._quiet = 0
        self._silent_until = -math.inf
        """Until when the sender said that nothing is to be heard."""
        self._heard_at = -math.inf
        """When something that may be speech came last (monotonic seconds)."""
        self._expected: int | None = None
        self._clock: TrackClock | None = None
        self._loose: list[Sound] = []
        self._pending: Sound = np.zeros(0, np.float32)
        self._pending_rtp = 0.0
        self._near = 0
        self._floor = _Floor()

    def take(self, frame: EncodedFrame) -> None:
        """A packet came."""
        if len(self._waiting) == MAX_WAITING:
            self.overflowed += 1
        self._waiting.append(frame)

    def listen(self, detector: Detector, now: float) -> list[Speech]:
        """Hear what has come by ``now`` (monotonic seconds); returns what that closes."""
        closed: list[Speech] = []
        before = self.decoded
        while self._waiting:
            frame = self._waiting.popleft()
            self.packets += 1
            if self.muted:
                self._quiet = HANGOVER
                self._held.clear()
                continue
            if _is_quiet(frame):
                self._quiet += 1
                if self._quiet > HANGOVER:
                    self._held.append(frame)
                    self._silent_until = (frame.clock or self._track.clock).time_of(frame.rtp_time)
                    continue
            else:
                self._quiet = 0
                while self._held:
                    closed += self._hear(self._held.popleft(), detector)
            closed += self._hear(frame, detector)
            self._heard_at = max(self._heard_at, frame.arrival)
        self._resample()
        # What is there waits for more only while more comes.
        at_once = 1 if self.decoded == before else AT_ONCE_SPEAKING if self.segmenter.speaking else AT_ONCE
        closed += self._judge(detector, at_once)
        if self.segmenter.speaking:
            closed += self.segmenter.overdue(self._silent_until, now - self._heard_at - HOLD)
        return closed

    def close(self, detector: Detector) -> list[Speech]:
        """Nothing more will come."""
        closed = self.listen(detector, 0.0)
        closed += self._flush(detector)
        return closed + self.segmenter.stop()

    def _hear(self, frame: EncodedFrame, detector: Detector) -> list[Speech]:
        """Decode one packet and join it to what came before."""
        closed: list[Speech] = []
        clock = frame.clock or self._track.clock
        gap = 0 if self._expected is None else frame.rtp_time - self._expected
        if self._expected is None or clock is not self._clock or not 0 <= gap <= SHORT_GAP * self._track.clock_rate:
            if self._expected is not None and clock is self._clock and -self._track.clock_rate < gap < 0:
                return []  # what was heard already
            closed = self._flush(detector)
            self._clock = clock
            self._pending_rtp = frame.rtp_time
            self._decimator.reset()
            self._voice.reset()
        elif gap:
            self._loose.append(np.zeros(gap * IN_RATE // self._track.clock_rate, np.float32))
        sound = self._decode(frame.data)
        self._loose.append(sound)
        self._expected = frame.rtp_time + round(len(sound) * self._track.clock_rate / IN_RATE)
        return closed

    def _decode(self, data: bytes) -> Sound:
        self.decoded += 1
        try:
            frames = self._context.decode(av.Packet(data)) if data else []
        except av.FFmpegError as error:
            self.decode_errors += 1
            log.debug("an audio packet cannot be decoded: %s", error)
            frames = []
        parts = [_mono(frame) for frame in frames]
        return np.concatenate(parts) if parts else np.zeros(0, np.float32)

    def _resample(self) -> None:
        if self._loose:
            made = self._decimator.take(np.concatenate(self._loose))
            self._loose.clear()
            self._pending = np.concatenate([self._pending, made]) if len(self._pending) else made

    def _flush(self, detector: Detector) -> list[Speech]:
        """Judge what is there, however little: what comes next does not follow it."""
        self._resample()
        if len(self._pending):
            missing = -len(self._pending) % WINDOW
            self._pending = np.concatenate([self._pending, np.zeros(missing, np.float32)])
        return self._judge(detector, 1)

    def _judge(self, detector: Detector, at_once: int) -> list[Speech]:
        count = len(self._pending) // WINDOW
        if count < at_once or self._clock is None:
            return []
        windows = self._pending[: count * WINDOW].reshape(count, WINDOW)
        self._pending = self._pending[count * WINDOW :]
        rms = np.sqrt(np.einsum("ij,ij->i", windows, windows) / WINDOW)
        floor = self._floor.under(float(rms.min()), count)
        near = max(NEAR_SILENCE, ABOVE_FLOOR * floor)
        if not self.segmenter.speaking and self._near >= NEAR_HANGOVER and float(rms.max()) < near:
            self._voice.reset()
            probabilities: Sound = np.zeros(count, np.float32)
        else:
            probabilities = detector.probabilities(self._voice, windows)
            self.judged += count
        closed: list[Speech] = []
        step = WINDOW * FACTOR * self._track.clock_rate / IN_RATE
        for window, loud, probability in zip(windows, rms, probabilities, strict=True):
            self._near = self._near + 1 if loud < near else 0
            when = self._clock.time_of(cast(int, self._pending_rtp))
            closed += self.segmenter.push(when, window, float(probability))
            self._pending_rtp += step
        return closed


class _Floor:
    """How loud the quietest windows of late were; before it knows, it says that all are loud."""

    __slots__ = ("_before", "_current", "_seen")

    def __init__(self) -> None:
        self._before = 0.0
        self._current = math.inf
        self._seen = 0

    def under(self, least: float, count: int) -> float:
        """The floor, with ``count`` more windows whose quietest was ``least``."""
        self._current = min(self._current, least)
        self._seen += count
        floor = min(self._before, self._current)
        if self._seen >= FLOOR_WINDOWS:
            self._before, self._current, self._seen = self._current, math.inf, 0
        return floor


def _is_quiet(frame: EncodedFrame) -> bool:
    return len(frame.data) <= EMPTY_PACKET or (frame.audio_level is not None and frame.audio_level >= QUIET_LEVEL)


def _mono_decoder() -> AudioCodecContext:
    context: AudioCodecContext = av.CodecContext.create("libopus", "r")
    context.layout = "mono"
    context.sample_rate = IN_RATE
    return context


def _mono(frame: av.AudioFrame) -> Sound:
    if frame.layout.nb_channels == 1 and frame.format.name == "s16":
        # What the decoder gives for what it was asked; the general way costs as much again as decoding.
        raw = np.frombuffer(bytes(frame.planes[0]), np.int16, frame.samples)
        sound: Sound = raw.astype(np.float32) * np.float32(1 / 32768)
        return sound
    told = frame.to_ndarray()
    channels = frame.layout.nb_channels
    split = told if frame.format.is_planar else told.reshape(-1, channels).T
    scale = np.float32(1 / 32768) if told.dtype == np.int16 else np.float32(1)
    return cast(Sound, (split.astype(np.float32) * scale).mean(axis=0))
