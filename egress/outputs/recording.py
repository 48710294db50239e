"""Files of a composite recording: written by a thread of its own, rolled over at cuts, playable whenever power fails.

The encode thread only puts packets on a queue. The queue is bounded in bytes: a disk that cannot follow for minutes
ends this recording with that reason, and nothing else.
"""

from __future__ import annotations

import errno
import logging
import queue
import threading
import time
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
from av.packet import Packet

from egress.media.decode import Samples
from egress.outputs.files import AudioFile, Mp4File, RecordingFile
from egress.outputs.output import OutputError, ProgramFormat
from egress.outputs.parts import PartPlan

log = logging.getLogger(__name__)

MAX_WAITING = 64 * 1024 * 1024
"""Bytes that may wait for the disk."""


@dataclass(frozen=True, slots=True)
class OpenedPart:
    number: int
    path: Path
    start_time: float
    """Seconds since 1970, as every time here."""


@dataclass(frozen=True, slots=True)
class ClosedPart:
    """A complete file. ``end_time`` is when its last picture (or sample) was taken."""

    number: int
    path: Path
    start_time: float
    end_time: float
    size: int
    duration: float


class RecordingListener:
    """Told what becomes of the files, on the writer's thread."""

    def opened(self, part: OpenedPart) -> None: ...
    def closed(self, part: ClosedPart) -> None: ...
    def failed(self, code: str, message: str) -> None: ...


@dataclass(slots=True)
class _Video:
    packet: Packet[Any]


@dataclass(slots=True)
class _Audio:
    packet: Packet[Any]


@dataclass(slots=True)
class _Sound:
    samples: Samples
    position: int


@dataclass(slots=True)
class _Finish:
    ticks: int


_Item = _Video | _Audio | _Sound | _Finish


class Recording:
    """An :class:`~egress.outputs.output.Output` that writes MP4 files, or MP3 or M4A where there is no picture."""

    def __init__(
        self,
        folder: Path,
        *,
        plan: PartPlan,
        suffix: str,
        bitrate: int,
        first_part: int,
        prefix: str,
        listener: RecordingListener,
    ) -> None:
        self.needs_sound = suffix == "mp3"
        self.size = 0
        """Bytes written so far, all files together."""
        self._folder = folder
        self._plan = plan
        self._suffix = suffix
        self._bitrate = bitrate
        self._first_part = first_part
        self._prefix = prefix
        self._listener = listener
        self._format: ProgramFormat | None = None
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._waiting = 0
        self._error: OutputError | None = None
        self._thread = threading.Thread(
            target=copy_context().run, args=(self._run,), name=f"write-{prefix}", daemon=True
        )
        self._files: dict[int, RecordingFile] = {}
        self._video_part = 0
        self._audio_part = 0
        self._last_audio: Packet[Any] | None = None
        self._closed_size = 0

    # On the encode thread.

    def open(self, format: ProgramFormat) -> None:
        self._format = format
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError("spool_error", f"the spool folder {self._folder} cannot be made: {error}") from error
        self._thread.start()

    def wants_keyframe(self, tick: int) -> bool:
        return self._plan.is_cut(tick)

    def on_video(self, packet: Packet[Any]) -> None:
        self._put(_Video(packet), packet.size)

    def on_audio(self, packet: Packet[Any]) -> None:
        if not self.needs_sound:
            self._put(_Audio(packet), packet.size)

    def on_sound(self, sound: Samples, position: int) -> None:
        self._put(_Sound(sound, position), sound.nbytes)

    def _put(self, item: _Item, size: int) -> None:
        if self._error is not None:
            raise self._error
        self._waiting += size
        if self._waiting > MAX_WAITING:
            self._error = OutputError(
                "spool_too_slow", f"the spool took no data for {MAX_WAITING >> 20} MiB of recording"
            )
            raise self._error
        self._queue.put(item)

    def finish(self, ticks: int) -> None:
        self._queue.put(_Finish(ticks))
        self._thread.join()
        if self._error is not None:
            raise self._error

    # On the writer's thread.

    def _run(self) -> None:
        try:
            while True:
                item = self._queue.get()
                if isinstance(item, _Finish):
                    self._close_all(item.ticks)
                    return
                if isinstance(item, _Sound):
                    self._write_sound(item)
                    self._waiting -= item.samples.nbytes
                else:
                    self._waiting -= item.packet.size
                    if isinstance(item, _Video):
                        self._write_video(item.packet)
                    else:
                        self._write_audio(item.packet)
                self.size = self._closed_size + sum(f.written for f in self._files.values())
        except Exception as error:
            # Whatever it was, a recording that is not written must not look like one that is.
            if not isinstance(error, OSError | av.FFmpegError):
                log.exception("the writer of %s failed", self._prefix)
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
        code = "disk_full" if full else "spool_error"
        message = f"the spool folder {self._folder} cannot be written: {error}"
        if full:
            message = f"the disk of the spool folder {self._folder} is full"
        log.error("%s", message)
        self._error = OutputError(code, message)
        for part in sorted(self._files):
            # What is on the disk can be played; closing it makes it tidy, where there is room for that.
            try:
                self._close(part, None)
            except (OSError, av.FFmpegError) as again:
                log.warning("part %d stays as it is: %s", part + self._first_part, again)
        self._listener.failed(code, message)

    def _file(self, part: int) -> RecordingFile:
        file = self._files.get(part)
        if file is not None:
            return file
        assert self._format is not None
        number = part + self._first_part
        start = self._start_time(part)
        # The name tells what nobody may live to report.
        path = self._folder / f"{self._prefix}-{number:05}-{round(start * 1000)}.{self._suffix}"
        if self._suffix == "mp3":
            file = AudioFile(path, self._bitrate)
        else:
            file = Mp4File(path, self._format.video, self._format.audio)
        self._files[part] = file
        self._listener.opened(OpenedPart(number, path, start))
        return file

    def _start_time(self, part: int) -> float:
        assert self._format is not None
        return self._format.epoch + self._plan.first_tick(part) / self._format.fps

    def _write_video(self, packet: Packet[Any]) -> None:
        assert packet.pts is not None
        part = self._plan.part_of_tick(packet.pts)
        if packet.is_keyframe and part > self._video_part:
            self._video_part = part
            self._close_before()
        file = self._file(self._video_part)
        file.write_video(packet, self._plan.first_tick(self._video_part))

    def _write_audio(self, packet: Packet[Any]) -> None:
        assert packet.pts is not None
        part = self._plan.part_of_sample(packet.pts)
        first = self._plan.first_sample(part)
        if part > self._audio_part:
            self._audio_part = part
            if self._last_audio is not None:
                # A decoder needs the frame before to make the first one right; the edit list hides it.
                self._file(part).write_audio(self._last_audio, first)
            self._close_before()
        self._last_audio = packet
        self._file(part).write_audio(packet, first)

    def _write_sound(self, item: _Sound) -> None:
        position, samples = item.position, item.samples
        while len(samples):
            part = self._plan.part_of_sample(position)
            room = self._plan.first_sample(part + 1) - position
            self._audio_part = self._video_part = part
            self._file(part).write_sound(samples[:room], position - self._plan.first_sample(part))
            self._close_before()
            position += min(room, len(samples))
            samples = samples[room:]

    def _close_before(self) -> None:
        assert self._format is not None
        done = self._audio_part if self._format.video is None else min(self._audio_part, self._video_part)
        for part in [p for p in sorted(self._files) if p < done]:
            self._close(part, self._plan.first_tick(part + 1))

    def _close_all(self, ticks: int) -> None:
        for part in sorted(self._files):
            self._close(part, min(ticks, self._plan.first_tick(part + 1)))

    def _close(self, part: int, end_tick: int | None) -> None:
        """Close a file; ``end_tick`` is None where the end has to be taken from what was written."""
        assert self._format is not None
        file = self._files.pop(part)
        began = time.monotonic()
        file.close()
        size = file.path.stat().st_size
        self._closed_size += size
        self.size = self._closed_size + sum(f.written for f in self._files.values())
        first = self._plan.first_tick(part)
        if end_tick is None:
            end_tick = first + round(file.seconds * self._format.fps)
        duration = (end_tick - first) / self._format.fps
        start = self._start_time(part)
        end = start + max(0.0, duration - 1 / self._format.fps)
        log.info(
            "closed %s: %.2f s, %d bytes, in %.0f ms", file.path.name, duration, size, (time.monotonic() - began) * 1000
        )
        self._listener.closed(
            ClosedPart(part + self._first_part, file.path, start, end, size, duration),
        )
