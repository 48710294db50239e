"""A composite recording: one program into one chain of files, from its start to its last report."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from egress.atelier import Atelier
from egress.call.model import CallEvent
from egress.call.state import CallState
from egress.director import Director
from egress.media.program import Program, ProgramListener
from egress.media.stage import Stage
from egress.outputs.parts import PartPlan
from egress.outputs.recording import ClosedPart, OpenedPart, Recording, RecordingListener
from egress.production import Production
from egress.protocol.reception import Reception
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    PartClosed,
    PartOpened,
    Progress,
    Received,
    Report,
)
from egress.reception.log import PictureSizes, ReceptionLog

log = logging.getLogger(__name__)

Tell = Callable[[Report], None]

SO_FAR = 15.0
"""Seconds between reports of how the call came in so far: for so long nothing is known of it when we are killed."""


def utc(seconds: float) -> datetime:
    """Seconds since 1970 as a time."""
    return datetime.fromtimestamp(seconds, UTC)


class CompositeEgress:
    """States: waiting for the call, recording, finishing, over. Event loop only; threads come in by the loop."""

    def __init__(
        self,
        spec: CompositeRecording,
        folder: Path,
        epoch: int,
        stage: Stage,
        atelier: Atelier,
        tell: Tell,
    ) -> None:
        self.spec = spec
        self.started = False
        self.stopping = False
        self.over = asyncio.Event()
        self.ready_at: float | None = None
        """When that which is recorded was ready by itself (monotonic seconds); None where the call decides."""
        self._stage = stage
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._begun_at: float | None = None
        self._failure: tuple[str, str] | None = None
        self._reception: ReceptionLog | None = None
        self._next_so_far = 0.0
        suffix = "mp4" if spec.quality.size[0] else spec.audio.audio_only_format
        self._recording = Recording(
            folder,
            plan=PartPlan.every(spec.roll_over, spec.video.fps),
            suffix=suffix,
            bitrate=spec.audio.bitrate,
            first_part=spec.first_part,
            prefix=f"e{epoch}",
            listener=_Parts(self),
        )
        self.production = Production(spec, atelier, self._made)

    def _made(self, size: tuple[int, int]) -> Program:
        return Program(
            self.spec.egress_id,
            size,
            video=self.spec.video,
            audio=self.spec.audio,
            output=self._recording,
            listener=_Life(self),
        )

    @property
    def program(self) -> Program:
        return self.production.program

    @property
    def director(self) -> Director | None:
        """Who decides what is shown; None where there is no picture, or a page makes it."""
        return self.production.director

    @property
    def recorded(self) -> float:
        """Seconds since the first picture was taken."""
        return 0.0 if self._begun_at is None else time.time() - self._begun_at

    def begin(self, state: CallState, away: str | None, at: float | None = None) -> None:
        """Record the call from now on, or since ``at`` (monotonic seconds, just past).

        ``away`` says why the SFU is out of reach, None when it is not.
        """
        self.started = True
        now = time.monotonic() if at is None else at
        self._begun_at = self._stage.start(self.program, now)
        # What is said of participants does not reach into a page.
        restrained = self.spec.page is None
        self._reception = ReceptionLog(state, now, self._begun_at, away, self._stage.delay, restrained=restrained)
        self._next_so_far = now + SO_FAR
        chosen = self.production.quality if self.spec.layout.detect_orientation else None
        self._tell(EgressStarted(at=utc(self._begun_at), egress_id=self.spec.egress_id, quality=chosen))

    async def close(self) -> None:
        """Let go of what is this recording's alone, once it is over."""

    def stop(self, reason: str, code: str = "", at: float | None = None) -> None:
        """Record nothing more; the last file follows. With a ``code`` that end is a failure, told after the file.

        ``at`` (monotonic seconds, just past) is when it ends; None is now.
        """
        if self.stopping or self.over.is_set():
            return
        self.stopping = True
        self._failure = (code, reason) if code else None
        self._received()
        self._tell(EgressStopped(at=utc(time.time()), egress_id=self.spec.egress_id, reason=reason))
        if self.started:
            self._end_program(time.monotonic() if at is None else at)
        elif code:
            self.fail(code, reason)
        else:
            self._end()
            self._stage.stop(self.program, time.monotonic())
            self._tell_end()

    def _end_program(self, at: float) -> None:
        self._stage.stop(self.program, at)

    def fail(self, code: str, message: str) -> None:
        """End with an error. What was closed before stays good."""
        if self.over.is_set():
            return
        self.stopping = True
        self._end()
        self._stage.stop(self.program, time.monotonic())
        self._tell(
            EgressFailed(
                at=utc(time.time()),
                egress_id=self.spec.egress_id,
                code=code,
                error=message,
                reception=self._received(),
            )
        )

    def hear(self, event: CallEvent, now: float) -> None:
        """Something happened in the call (monotonic seconds)."""
        if self._reception is not None:
            self._reception.hear(event, now)

    def look(self, state: CallState, sizes: PictureSizes, now: float) -> None:
        """Look at how the call comes in."""
        if self._reception is not None:
            self._reception.look(state, sizes, now)

    def _received(self) -> Reception | None:
        """How what is recorded came in, until the first time that this is asked."""
        return None if self._reception is None else self._reception.close(time.monotonic())

    def _tell_end(self) -> None:
        self._tell(EgressEnded(at=utc(time.time()), egress_id=self.spec.egress_id, reception=self._received()))

    def progress(self, participants: int) -> None:
        """Tell how far the recording is, if it runs, and now and then how the call came in."""
        if self._begun_at is None or self.over.is_set():
            return
        self._tell(
            Progress(
                at=utc(time.time()),
                egress_id=self.spec.egress_id,
                recorded=round(self.program.ticks / self.program.fps, 3),
                size=self._recording.size,
                participants=participants,
                pictures=self.program.pictures,
                pictures_dropped=self.program.dropped,
                media_delay=round(self._stage.counts.last_late, 3),
            )
        )
        now = time.monotonic()
        if self._reception is not None and not self.stopping and now >= self._next_so_far:
            self._next_so_far = now + SO_FAR
            so_far = self._reception.so_far(now)
            self._tell(Received(at=utc(time.time()), egress_id=self.spec.egress_id, reception=so_far))

    def _post(self, function: Callable[..., None], *args: object) -> None:
        """Call on the event loop, from any thread."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            log.warning("the attendant was gone before %s could be told", getattr(function, "__name__", function))

    def _opened(self, part: OpenedPart) -> None:
        self._tell(
            PartOpened(
                at=utc(time.time()),
                egress_id=self.spec.egress_id,
                part=part.number,
                path=part.path,
                start_time=utc(part.start_time),
            )
        )

    def _closed(self, part: ClosedPart) -> None:
        self._tell(
            PartClosed(
                at=utc(time.time()),
                egress_id=self.spec.egress_id,
                part=part.number,
                path=part.path,
                start_time=utc(part.start_time),
                end_time=utc(part.end_time),
                size=part.size,
                duration=part.duration,
            )
        )

    def _ended(self) -> None:
        if self.over.is_set():
            return
        if self._failure is not None:
            self.fail(*self._failure)
            return
        self._end()
        self._tell_end()

    def _end(self) -> None:
        self.over.set()
        self.production.put_away()


class _Parts(RecordingListener):
    """Files' life, from the writer's thread to the loop."""

    def __init__(self, egress: CompositeEgress) -> None:
        self._egress = egress

    def opened(self, part: OpenedPart) -> None:
        self._egress._post(self._egress._opened, part)

    def closed(self, part: ClosedPart) -> None:
        self._egress._post(self._egress._closed, part)


class _Life(ProgramListener):
    """The program's life, from the encode thread to the loop."""

    def __init__(self, egress: CompositeEgress) -> None:
        self._egress = egress

    def ended(self) -> None:
        self._egress._post(self._egress._ended)

    def failed(self, code: str, message: str) -> None:
        self._egress._post(self._egress.fail, code, message)
