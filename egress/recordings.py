"""All recordings of one call: begun when they can be, changed and ended as they are told."""

from __future__ import annotations

import asyncio
import logging
import time

from egress.atelier import Atelier
from egress.beginning import may_begin, may_orient
from egress.call.model import CallEvent, TrackType, Wants
from egress.call.state import CallState, TrackState
from egress.composite import CompositeEgress, Tell, utc
from egress.director import larger
from egress.logs import about
from egress.media.stage import Stage
from egress.media.video_source import TrackKey
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.reports import Refused
from egress.sources import Sources
from layouts.options import LayoutError
from layouts.scene import CallView

log = logging.getLogger(__name__)


class Recordings:
    """Event loop only; times are ``time.monotonic()``."""

    def __init__(
        self, job: Job, state: CallState, stage: Stage, sources: Sources, atelier: Atelier, tell: Tell
    ) -> None:
        self.egresses: dict[str, CompositeEgress] = {}
        self._job = job
        self._state = state
        self._stage = stage
        self._sources = sources
        self._atelier = atelier
        self._tell = tell

    @property
    def running(self) -> bool:
        """Whether anything is recorded now."""
        return any(egress.started and not egress.stopping for egress in self.egresses.values())

    @property
    def orienting(self) -> bool:
        """Whether a canvas waits for the shapes of the first pictures."""
        return any(egress.production.orients for egress in self.egresses.values())

    def start(self, spec: CompositeRecording) -> None:
        """Begin an egress as soon as the call is attended; a repeated order changes nothing."""
        if spec.egress_id in self.egresses:
            return
        if spec.video.fps != self._stage.fps:
            problem = f"this call is composed at {self._stage.fps} pictures a second"
            self._refuse("start", "fps_differs", problem, spec.egress_id)
            return
        try:
            with about(egress_id=spec.egress_id):
                self.egresses[spec.egress_id] = self._made(spec)
        except LayoutError as error:
            self._refuse("start", "bad_layout", str(error), spec.egress_id)

    def _made(self, spec: CompositeRecording) -> CompositeEgress:
        folder = self._job.spool / spec.egress_id
        if spec.page is None:
            return CompositeEgress(spec, folder, self._job.epoch, self._stage, self._atelier, self._tell)
        # What drives a browser takes long to load, and few calls need it.
        from egress.page.recording import PageRecording

        return PageRecording(spec, folder, self._job, self._atelier, self._tell)

    def _refuse(self, op: str, code: str, message: str, egress_id: str) -> None:
        self._tell(Refused(at=utc(time.time()), op=op, code=code, error=message, egress_id=egress_id))

    def change(self, egress_id: str, layout: LayoutSettings) -> bool:
        """Draw an egress by another layout from the next look on; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return False
        try:
            egress.production.change(layout)
        except LayoutError as error:
            self._refuse("update", "bad_layout", str(error), egress_id)
        return True

    def stop(self, egress_id: str, reason: str) -> bool:
        """End an egress; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return False
        egress.stop(reason)
        return True

    def hear(self, event: CallEvent, now: float) -> None:
        """Something happened in the call, and its state knows it."""
        for egress in self.egresses.values():
            egress.hear(event, now)

    def direct(self, view: CallView, now: float) -> dict[TrackKey, Wants]:
        """Look at the call: scenes of what is recorded, and how large they want each track."""
        wanted: dict[TrackKey, Wants] = {}
        for egress in self.egresses.values():
            if not egress.over.is_set():
                egress.production.update(view, now)
                wishes = egress.director.wishes() if egress.director is not None else {}
                for key, wish in wishes.items():
                    wanted[key] = larger(wanted.get(key), wish)
        return wanted

    def look(self, now: float) -> None:
        """Look at how the call comes in."""
        sizes = self._sources.sizes()
        for egress in self.egresses.values():
            egress.look(self._state, sizes, now)

    def begin(self, view: CallView, waited: float | None, away: str | None, now: float) -> None:
        """Begin what can begin ``waited`` seconds after the room was joined, None before that.

        ``away`` says why the SFU is out of reach, None when it is not.
        """
        for egress in self.egresses.values():
            if egress.started or egress.over.is_set():
                continue
            if egress.production.orients and may_orient(waited, map(self._track, egress.production.shown())):
                # The canvas is turned as most of the first pictures are.
                egress.production.orient(view, now)
            if self._can_begin(egress, waited):
                egress.begin(self._state, away, egress.ready_at)
                log.info("recording %s, %.0f ms in the call", egress.spec.egress_id, (waited or 0.0) * 1000)

    def _can_begin(self, egress: CompositeEgress, waited: float | None) -> bool:
        if egress.spec.page is not None:
            return egress.ready_at is not None
        if egress.production.orients:
            return False
        painted = egress.director is None or egress.director.ready
        return may_begin(waited, painted=painted, come=self._sources.have_come(egress.production.shown()))

    def _track(self, key: TrackKey) -> TrackState | None:
        session_id, name = key
        return self._state.track(session_id, TrackType(name))

    def progress(self, participants: int) -> None:
        for egress in self.egresses.values():
            egress.progress(participants)

    def over(self, code: str, reason: str, *, wanted: bool) -> None:
        """The call is over."""
        for egress in self.egresses.values():
            if egress.started:
                egress.stop(reason, "" if wanted else code)
            else:
                egress.fail(code or "call_ended", reason)

    async def close(self, reason: str) -> None:
        """End everything, and finish every file."""
        for egress in self.egresses.values():
            egress.stop(reason)
        await asyncio.gather(*(egress.over.wait() for egress in self.egresses.values()))
        await asyncio.gather(*(egress.close() for egress in self.egresses.values()))
