"""A program: one composed picture and one mix, encoded once, given to its outputs.

Ticks come from the stage on the media thread; encoding has a thread of its own behind a short queue. When the encoder
cannot follow, pictures are left out and counted, sound never is.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Mapping
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from av.packet import Packet

from egress.media.compositor import Compositor, Decor
from egress.media.decode import Samples
from egress.media.encode import AacEncoder, EncodeError, VideoEncoder
from egress.media.mixer import NOBODY
from egress.media.video_source import Picture, TrackKey
from egress.outputs.output import Output, OutputError, ProgramFormat
from egress.protocol.encoding import AudioEncoding, VideoEncoding

log = logging.getLogger(__name__)

MAX_PICTURES = 10
"""Composed pictures that may wait for the encoder."""
MAX_TICKS = 900
"""Ticks that may wait for the encoder (sound alone is small); past that the media thread waits as well."""


class ProgramListener:
    """Told of a program's life, on the encode thread."""

    def ended(self) -> None:
        """Everything is flushed and every output is closed."""

    def failed(self, code: str, message: str) -> None:
        """The program or its output is over before its time; ``ended`` does not follow."""


@dataclass(slots=True)
class _Tick:
    number: int
    frame: av.VideoFrame | None
    sound: Samples
    position: int


class Program:
    """Composes and encodes. ``schedule`` is for any thread, ``tick`` and ``end`` for the media thread."""

    def __init__(
        self,
        name: str,
        size: tuple[int, int],
        *,
        video: VideoEncoding,
        audio: AudioEncoding,
        output: Output,
        listener: ProgramListener,
    ) -> None:
        self.name = name
        self.size = size
        self.fps = video.fps
        self.pictures = 0
        self.dropped = 0
        self.ticks = 0
        self._video = video
        self._audio = audio
        self._output = output
        self._listener = listener
        self._compositor = Compositor(*size) if size[0] else None
        self._scenes: deque[tuple[float, Decor]] = deque(maxlen=256)
        self._unheard: deque[tuple[float, frozenset[str]]] = deque(maxlen=256)
        self._left_out: frozenset[str] = NOBODY
        self._when = 0.0
        self._keyframe_due = False
        self._queue: deque[_Tick | None] = deque()
        self._changed = threading.Condition()
        self._waiting_pictures = 0
        self._over = False
        self._owed: Mapping[TrackKey, Picture] | None = None
        self._reason: OutputError | None = None
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._encode,), name=f"encode-{name}", daemon=True
        )
        self._epoch = 0.0

    @property
    def over(self) -> bool:
        """Whether the program failed and takes nothing more."""
        return self._over

    def schedule(self, when: float, decor: Decor) -> None:
        """Show a scene from ``when`` (monotonic seconds) on; to be called in the order of time."""
        self._scenes.append((when, decor))

    def leave_out(self, when: float, session_ids: frozenset[str]) -> None:
        """Mix without these participants from ``when`` (monotonic seconds) on; to be called in the order of time."""
        self._unheard.append((when, session_ids))

    def left_out(self, when: float) -> frozenset[str]:
        """Whose voices the tick of ``when`` leaves out. Media thread only, in the order of time."""
        while self._unheard and self._unheard[0][0] <= when:
            self._left_out = self._unheard.popleft()[1]
        return self._left_out

    def begin(self, epoch: float) -> None:
        """Tick 0 is taken at wall-clock time ``epoch``."""
        self._epoch = epoch
        self._thread.start()

    def tick(
        self,
        when: float,
        pictures: Mapping[TrackKey, Picture],
        sound: Samples,
        position: int,
        *,
        patience: float,
    ) -> None:
        """Make the next picture, as the call was at ``when``.

        ``patience`` is for how many seconds the encoder may be waited for; when that is nothing, or over, the picture
        is left out. So a short stall costs no picture, and a machine that is too slow some, but never sound.
        """
        number = self.ticks
        self.ticks += 1
        self._when = when
        frame = None
        if self._compositor is not None:
            while self._scenes and self._scenes[0][0] <= when:
                decor = self._scenes.popleft()[1]
                if not self._scenes or self._scenes[0][0] > when:
                    self._compositor.show(decor, when)
            if patience <= 0 or not self._room_within(patience):
                self.dropped += 1
                self._owed = pictures
            else:
                frame = self._compositor.compose(pictures, when)
                self.pictures += 1
                self._owed = None
        with self._changed:
            while len(self._queue) >= MAX_TICKS and not self._over:
                self._changed.wait()
            self._queue.append(_Tick(number, frame, sound, position))
            self._waiting_pictures += frame is not None
            self._changed.notify_all()

    def _room_within(self, seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._waiting_pictures < MAX_PICTURES or self._over, seconds)

    def end(self) -> None:
        """No more ticks: flush and close. A picture left out at the very end is made after all, so the film lasts."""
        last = None
        if self._compositor is not None and self._owed is not None and not self._over:
            silence = np.zeros((0, 2), np.float32)
            last = _Tick(self.ticks - 1, self._compositor.compose(self._owed, self._when), silence, 0)
            self.pictures += 1
            self.dropped -= 1
        with self._changed:
            if last is not None:
                self._queue.append(last)
                self._waiting_pictures += 1
            self._queue.append(None)
            self._changed.notify_all()

    def abandon(self, code: str, message: str) -> None:
        """Nothing more can be made: close what there is, and tell why."""
        self._reason = OutputError(code, message)
        self._over = True
        self.end()

    # On the encode thread.

    def _encode(self) -> None:
        try:
            video = VideoEncoder(*self.size, self._video) if self._compositor else None
            audio = None if self._output.needs_sound else AacEncoder(self._audio)
            self._output.open(
                ProgramFormat(self.fps, self._epoch, video.stream if video else None, audio.stream if audio else None)
            )
            while (item := self._next()) is not None:
                self._encode_tick(item, video, audio)
            self._send(video.flush() if video else [], audio.flush() if audio else [])
            if self._reason is not None:
                raise self._reason
            self._output.finish(self.ticks)
        except OutputError as error:
            self._fail(error.code, str(error))
        except (av.FFmpegError, EncodeError) as error:
            self._fail("encoder_failed", f"the encoder of {self.name} failed: {error}")
        except Exception as error:
            log.exception("program %s failed", self.name)
            self._fail("internal_error", f"the program {self.name} failed: {error}")
        else:
            self._listener.ended()

    def _fail(self, code: str, message: str) -> None:
        with self._changed:
            self._over = True
            self._queue.clear()
            self._changed.notify_all()
        if code not in ("disk_full", "spool_error"):
            try:
                self._output.finish(self.ticks)
            except (OutputError, OSError, RuntimeError) as error:
                log.warning("the output of %s could not be closed: %s", self.name, error)
        self._listener.failed(code, message)

    def _next(self) -> _Tick | None:
        with self._changed:
            while not self._queue:
                self._changed.wait()
            item = self._queue.popleft()
            if item is not None and item.frame is not None:
                self._waiting_pictures -= 1
            self._changed.notify_all()
            return item

    def _encode_tick(self, tick: _Tick, video: VideoEncoder | None, audio: AacEncoder | None) -> None:
        packets: list[Packet[Any]] = []
        if video is not None:
            self._keyframe_due = self._keyframe_due or self._output.wants_keyframe(tick.number)
            if tick.frame is not None:
                packets = video.encode(tick.frame, tick.number, keyframe=self._keyframe_due)
                self._keyframe_due = False
        self._send(packets, audio.encode(tick.sound) if audio else [])
        if self._output.needs_sound and len(tick.sound):
            self._output.on_sound(tick.sound, tick.position)

    def _send(self, video: list[Packet[Any]], audio: list[Packet[Any]]) -> None:
        for packet in video:
            self._output.on_video(packet)
        for packet in audio:
            self._output.on_audio(packet)
