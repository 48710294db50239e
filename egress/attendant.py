"""Attends one call: joins its room, follows its state, and has its tracks received and its egresses run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from egress.atelier import Atelier
from egress.call.connector import Attendance, Attending, ConnectorError, connector
from egress.call.model import (
    REMOVED,
    CallEvent,
    Ended,
    Joined,
    TrackUnreadable,
)
from egress.call.state import CallState
from egress.composite import CompositeEgress, Tell
from egress.media.stage import Stage
from egress.protocol.directions import Directions
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.specs import EgressSpec
from egress.reach import Reach
from egress.recordings import Recordings
from egress.sources import Sources
from egress.speech_egress import SpeechEgress
from egress.telling import RoomState, Telling, telling
from egress.transcribing import Transcribing
from egress.warned import Warnings

log = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between looks at the call; a change is in the picture's plan that soon."""
CONNECT_TIMEOUT = 30.0
"""Seconds in which the room must be reached for the first time."""


class Attendant:
    """The hidden participant. Everything here runs on the event loop."""

    def __init__(self, job: Job, tell: Tell) -> None:
        self.job = job
        self.state = CallState()
        self.ended = asyncio.Event()
        """Set when the call is over, or was never to be had."""
        self.end_code = ""
        self.end_reason = "the call was left"
        self.room_ended = False
        """The room is over, and so is the call's session."""
        self.telling: Telling | None = None
        """Where the room is told what is made of it."""
        self._warnings = Warnings(tell)
        self.transcribing = Transcribing(job, self.state, tell, self._show_caption)
        """All that is made of speech."""
        fps = next((spec.video.fps for spec in job.egresses if isinstance(spec, CompositeRecording)), 30)
        self._stage = Stage(fps, job.delay)
        self.state.direct(job.directions)
        self.transcribing.direct(job.directions)
        self._atelier = Atelier(job.guard.guard(), self._warnings.unavailable, self._warnings.layout)
        self._sources = Sources(self.state, self._stage)
        self.recordings = Recordings(job, self.state, self._stage, self._sources, self._atelier, tell)
        """All that is made of pictures and sound."""
        self._attendance: Attendance | None = None
        self._reach = Reach(tell)
        self._tasks: list[asyncio.Task[None]] = []

    def open(self) -> None:
        """Join, and begin what the job asks for."""
        log.info("attending %s through %s", self.job.call_cid, self.job.connector["type"])
        for spec in self.job.egresses:
            self.start(spec)
        self._tasks = [asyncio.create_task(self._attend()), asyncio.create_task(self._direct())]

    def start(self, spec: EgressSpec) -> None:
        """Begin an egress as soon as the call is attended; a repeated order changes nothing."""
        if isinstance(spec, CompositeRecording):
            self.recordings.start(spec)
        else:
            self.transcribing.start(spec)

    def update(self, egress_id: str, layout: LayoutSettings) -> bool:
        """Draw an egress by another layout from now on; False if there is none of that id."""
        found = self.recordings.change(egress_id, layout)
        if found:
            self._look_at_once()
        return found

    def direct(self, directions: Directions) -> None:
        """Pin and moderate as is said now, in every program."""
        self.state.direct(directions)
        self.transcribing.direct(directions)
        self._sources.restrain(time.monotonic())
        self._look_at_once()

    def _look_at_once(self) -> None:
        """Let what was said be in the picture's plan now."""
        try:
            self._look(time.monotonic())
        except Exception:
            log.exception("the call could not be looked at")

    def stop(self, egress_id: str, reason: str) -> bool:
        """End an egress; False if there is none of that id."""
        return self.recordings.stop(egress_id, reason) or self.transcribing.stop(egress_id, reason)

    def set_language(self, egress_id: str, language: str) -> bool:
        """What is spoken from now on; False if there is no such egress."""
        return self.transcribing.set_language(egress_id, language)

    @property
    def idle(self) -> bool:
        """Whether nothing is being recorded or finished."""
        return all(e.over.is_set() for e in self._all())

    @property
    def recorded(self) -> float:
        """Seconds recorded live by the egress that began first (what is composed runs the delay behind)."""
        return max((e.recorded for e in self._all()), default=0.0)

    def _all(self) -> list[CompositeEgress | SpeechEgress]:
        return [*self.recordings.egresses.values(), *self.transcribing.egresses.values()]

    async def close(self, reason: str) -> None:
        """Finish every file and leave the call."""
        await asyncio.gather(self.recordings.close(reason), self.transcribing.close(reason))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._sources.close()
        await asyncio.gather(self._say_goodbye(), self._leave(), self._atelier.close())
        await asyncio.to_thread(self._stage.close)

    async def _say_goodbye(self) -> None:
        if self.telling is not None:
            self._tell_room()
            await self.telling.close(silently=self.room_ended)

    async def _leave(self) -> None:
        if self._attendance is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(3):
                    await self._attendance.close()

    async def _attend(self) -> None:
        try:
            kind = connector(self.job.connector["type"])
            address = kind.Address.model_validate(self.job.connector)
            self.telling = telling(kind, address, self.job.call_cid)
            recording = any(isinstance(spec, CompositeRecording) for spec in self.job.egresses)
            attending = Attending(self.job.call_cid, self.job.ice, self.job.delay, recording)
            self._attendance = kind.attend(address, attending)
            timeout = asyncio.get_running_loop().call_later(CONNECT_TIMEOUT, self._never_connected)
            try:
                async for event in self._attendance.events():
                    self._on_event(event)
                    if isinstance(event, Ended):
                        self._put_out(event)
                        return
            finally:
                timeout.cancel()
            self._over("", "the connector has nothing more to tell")
        except ConnectorError as error:
            self._over(error.code, str(error))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in ("connector", *first["loc"]))
            self._over("bad_connector", f"{where}: {first['msg']}")
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("the connector failed")
            self._over("connector_failed", f"the connector failed: {error!r}")

    def _tell_room(self) -> None:
        # Nobody is there to be told when the room has ended.
        if self.telling is not None and not self.room_ended:
            self.telling.state(RoomState(recording=self.recordings.running, transcribing=self.transcribing.running))

    def _show_caption(self, caption: Mapping[str, Any]) -> None:
        if self.telling is not None and not self.room_ended:
            self.telling.caption(caption)

    def _never_connected(self) -> None:
        if not self._reach.joined:
            why = f": {self._reach.away}" if self._reach.away else ""
            self._over("sfu_unreachable", f"the room could not be joined within {CONNECT_TIMEOUT:.0f} s{why}")

    def _put_out(self, end: Ended) -> None:
        self.room_ended = not end.code
        default = "removed by an administrator" if end.code == REMOVED else "the room has ended"
        # What is recorded is whole up to here: an end that somebody wanted is no failure.
        self._over(end.code, end.reason or default, wanted=True)

    def _over(self, code: str, reason: str, *, wanted: bool = False) -> None:
        if self.ended.is_set():
            return
        self.end_code, self.end_reason = code, reason
        log.info("the call is over: %s %s", code, reason)
        self.recordings.over(code, reason, wanted=wanted)
        self.transcribing.over(code, reason, wanted=wanted)
        self.ended.set()

    def _on_event(self, event: CallEvent) -> None:
        now = time.monotonic()
        log.debug("%s", event)
        self._reach.hear(event, now)
        self._sources.let_go(event, now)
        self.state.apply(event, now)
        self.recordings.hear(event, now)
        self.transcribing.hear(event)
        self._sources.take_up(event, now)
        if isinstance(event, Joined) and self.telling is not None:
            self.telling.came(event.participant.user_id)
        elif isinstance(event, TrackUnreadable) and (there := self.state.participants.get(event.session_id)):
            self._warnings.unreadable(event, there.participant)

    async def _direct(self) -> None:
        """Look at the call again and again: scenes, wishes, beginnings, progress."""
        next_progress = 0.0
        while True:
            now = time.monotonic()
            try:
                self._look(now)
            except Exception:
                log.exception("the call could not be looked at")
            present = len(self.state.participants)
            self._reach.count(present, now)
            if now >= next_progress:
                next_progress = now + 1.0
                self.recordings.progress(present)
                self.transcribing.progress(present)
            await asyncio.sleep(LOOK)

    def _look(self, now: float) -> None:
        if not self.state.listen_to_told_levels(now):
            self._sources.listen_without_levels(now)
        self._sources.see_shapes(urgent=self.recordings.orienting)
        view = self.state.view(now)
        self._sources.want(self.recordings.direct(view, now), self._attendance, now)
        self.recordings.look(now)
        if self._reach.joined:
            self.transcribing.look()
        self.recordings.begin(view, self._reach.since(now), self._reach.away, now)
        self._tell_room()
