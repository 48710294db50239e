"""Attends one call: keeps its state, receives what is seen or heard, and runs every egress of it."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from egress.atelier import Atelier
from egress.call.connector import Attendance, Attending, ConnectorError, connector
from egress.call.model import (
    REMOVED,
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    TrackAdded,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
    Wants,
)
from egress.call.state import CallState
from egress.composite import CompositeEgress, Tell, utc
from egress.director import larger
from egress.first_shapes import FirstShapes
from egress.logs import about
from egress.media.audio_source import AudioSource
from egress.media.stage import Stage
from egress.media.video_source import TrackKey, VideoSource
from egress.presence import Presence
from egress.protocol.directions import Directions, ModeratedVideo
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.reports import Connected as ConnectedReport
from egress.protocol.reports import Disconnected as DisconnectedReport
from egress.protocol.reports import Presence as PresenceReport
from egress.protocol.reports import Refused
from egress.protocol.specs import EgressSpec
from egress.rtc.track import EncodedFrame
from egress.telling import RoomState, Telling, telling
from egress.transcribing import SpeechEgress, Transcribing
from egress.warned import Warnings
from layouts.options import LayoutError
from layouts.scene import CallView

log = logging.getLogger(__name__)

LOOK = 0.05
"""Seconds between looks at the call; a change is in the picture's plan that soon."""
FIRST_MEDIA = 0.25
"""Seconds after joining in which tracks may still be told before a recording begins."""
FIRST_PICTURE = 0.8
"""Seconds after joining after which a recording begins even if a picture has not come."""
FIRST_SHAPES = 1.5
"""Seconds after joining for which a recording waits whose canvas is to be turned as the first pictures are."""
FIRST_DRAWING = 10.0
"""Seconds after joining after which a recording begins even if nothing is painted."""
CONNECT_TIMEOUT = 30.0
"""Seconds in which the room must be reached for the first time."""


class Attendant:
    """The hidden participant. Everything here runs on the event loop."""

    def __init__(self, job: Job, tell: Tell) -> None:
        self.job = job
        self.state = CallState()
        self.egresses: dict[str, CompositeEgress] = {}
        self.ended = asyncio.Event()
        """Set when the call is over, or was never to be had."""
        self.end_code = ""
        self.end_reason = "the call was left"
        self.room_ended = False
        """The room is over, and so is the call's session."""
        self.telling: Telling | None = None
        """Where the room is told what is made of it."""
        self._tell = tell
        self._warnings = Warnings(tell)
        self.transcribing = Transcribing(job, self.state, tell, self._show_caption)
        """All that is made of speech."""
        fps = next((spec.video.fps for spec in job.egresses if isinstance(spec, CompositeRecording)), 30)
        self._stage = Stage(fps, job.delay)
        self.state.direct(job.directions)
        self.transcribing.direct(job.directions)
        self._atelier = Atelier(job.guard.guard(), self._warnings.unavailable, self._warnings.layout)
        self._attendance: Attendance | None = None
        self._video: dict[TrackKey, VideoSource] = {}
        self._audio: dict[tuple[str, TrackType], AudioSource] = {}
        self._seen: dict[TrackKey, float] = {}
        self._wishes: dict[TrackKey, Wants | None] = {}
        self._kept_back: dict[str, ModeratedVideo] = {}
        self._shapes = FirstShapes()
        self._opened_at = 0.0
        self._connected_at: float | None = None
        self._out_of_reach = ""
        """Why the SFU could not be reached the last time."""
        self._presence = Presence()
        self._away: str | None = None
        """Why the SFU is out of reach; None when it is not."""
        self._tasks: list[asyncio.Task[None]] = []
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Join, and begin what the job asks for."""
        self._opened_at = time.monotonic()
        log.info("attending %s through %s", self.job.call_cid, self.job.connector["type"])
        for spec in self.job.egresses:
            self.start(spec)
        self._tasks = [asyncio.create_task(self._attend()), asyncio.create_task(self._direct())]

    def start(self, spec: EgressSpec) -> None:
        """Begin an egress as soon as the call is attended; a repeated order changes nothing."""
        if not isinstance(spec, CompositeRecording):
            self.transcribing.start(spec)
            return
        if spec.egress_id in self.egresses:
            return
        if spec.video.fps != self._stage.fps:
            problem = f"this call is composed at {self._stage.fps} pictures a second"
            self._refuse("start", "fps_differs", problem, spec.egress_id)
            return
        folder = self.job.spool / spec.egress_id
        try:
            with about(egress_id=spec.egress_id):
                if spec.page is not None:
                    # What drives a browser takes long to load, and few calls need it.
                    from egress.page.recording import PageRecording

                    self.egresses[spec.egress_id] = PageRecording(spec, folder, self.job, self._atelier, self._tell)
                    return
                self.egresses[spec.egress_id] = CompositeEgress(
                    spec, folder, self.job.epoch, self._stage, self._atelier, self._tell
                )
        except LayoutError as error:
            self._refuse("start", "bad_layout", str(error), spec.egress_id)

    def _refuse(self, op: str, code: str, message: str, egress_id: str) -> None:
        self._tell(Refused(at=utc(time.time()), op=op, code=code, error=message, egress_id=egress_id))

    def update(self, egress_id: str, layout: LayoutSettings) -> bool:
        """Draw an egress by another layout from now on; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return False
        try:
            egress.production.change(layout)
        except LayoutError as error:
            self._refuse("update", "bad_layout", str(error), egress_id)
        else:
            self._look_at_once()
        return True

    def direct(self, directions: Directions) -> None:
        """Pin and moderate as is said now, in every program."""
        self.state.direct(directions)
        self.transcribing.direct(directions)
        now = time.monotonic()
        for session_id in self.state.participants:
            self._restrain(session_id, now)
        self._look_at_once()

    def _restrain(self, session_id: str, now: float) -> None:
        """Keep back what may not be seen or heard of a participant."""
        said = self.state.moderation(session_id)
        self._stage.restraints.say(session_id, said.video, said.audio == "silence", now)
        for type_ in (TrackType.VIDEO, TrackType.SCREEN_SHARE):
            source = self._video.get(_picture_key(session_id, type_))
            relaxed = said.video == "show" and self._kept_back.get(session_id) == "blur"
            if relaxed and source is not None and source.listening:
                # What rests, as a shared screen may, is shown as it is only when it is sent again.
                source.track.request_keyframe()
        self._kept_back[session_id] = said.video

    def _look_at_once(self) -> None:
        """Let what was said be in the picture's plan now."""
        try:
            self._look(time.monotonic())
        except Exception:
            log.exception("the call could not be looked at")

    def stop(self, egress_id: str, reason: str) -> bool:
        """End an egress; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return self.transcribing.stop(egress_id, reason)
        egress.stop(reason)
        return True

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
        return [*self.egresses.values(), *self.transcribing.egresses.values()]

    async def close(self, reason: str) -> None:
        """Finish every file and leave the call."""
        for egress in self.egresses.values():
            egress.stop(reason)
        await asyncio.gather(self.transcribing.close(reason), *(e.over.wait() for e in self.egresses.values()))
        await asyncio.gather(*(e.close() for e in self.egresses.values()))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for seen in self._video.values():
            seen.stop()
        for heard in self._audio.values():
            heard.stop()
        self._shapes.close()
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
            timeout = self._loop.call_later(CONNECT_TIMEOUT, self._never_connected)
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
            recording = any(e.started and not e.stopping for e in self.egresses.values())
            self.telling.state(RoomState(recording=recording, transcribing=self.transcribing.running))

    def _show_caption(self, caption: Mapping[str, Any]) -> None:
        if self.telling is not None and not self.room_ended:
            self.telling.caption(caption)

    def _never_connected(self) -> None:
        if self._connected_at is None:
            why = f": {self._out_of_reach}" if self._out_of_reach else ""
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
        for egress in self.egresses.values():
            if egress.started:
                egress.stop(reason, "" if wanted else code)
            else:
                egress.fail(code or "call_ended", reason)
        self.transcribing.over(code, reason, wanted=wanted)
        self.ended.set()

    def _on_event(self, event: CallEvent) -> None:
        now = time.monotonic()
        log.debug("%s", event)
        match event:
            case Connected():
                if self._connected_at is None:
                    self._connected_at = now
                    log.info("in the call after %.0f ms", (now - self._opened_at) * 1000)
                self._presence.connected(now)
                self._away = None
                self._tell(ConnectedReport(at=utc(time.time())))
            case Disconnected(reason):
                self._out_of_reach = reason
                self._presence.disconnected()
                self._away = reason
                self._tell(DisconnectedReport(at=utc(time.time()), reason=reason))
            case Left(session_id):
                self._kept_back.pop(session_id, None)
                self._stage.restraints.forget(session_id, now)
                for type_ in TrackType:
                    self._drop(session_id, type_)
            case (
                TrackRemoved(session_id, type_)
                | TrackAdded(session_id, type_, _)
                | TrackUnreadable(session_id, type_, _, _)
            ):
                self._drop(session_id, type_)
            case _:
                pass
        self.state.apply(event, now)
        if isinstance(event, Joined | Updated):
            self._restrain(event.participant.session_id, now)
        for egress in self.egresses.values():
            egress.hear(event, now)
        self.transcribing.hear(event)
        if isinstance(event, TrackAdded):
            self._receive(event)
        elif isinstance(event, Joined) and self.telling is not None:
            self.telling.came(event.participant.user_id)
        elif isinstance(event, TrackUnreadable) and (there := self.state.participants.get(event.session_id)):
            self._warnings.unreadable(event, there.participant)

    def _receive(self, event: TrackAdded) -> None:
        if event.session_id not in self.state.participants:
            return
        if event.type.is_audio:
            speaks = functools.partial(self._hear, event.session_id) if event.type is TrackType.AUDIO else None
            heard = AudioSource(event.media, speaks)
            self._audio[(event.session_id, event.type)] = heard
            self._stage.add_audio(event.session_id, heard)
            heard.start()
        else:
            key = _picture_key(event.session_id, event.type)
            seen = VideoSource(event.media, functools.partial(self._from_thread, event.media.request_keyframe))
            self._video[key] = seen
            self._stage.add_video(key, seen)
            self._wishes.pop(key, None)

    def _from_thread(self, function: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(function)

    def _hear(self, session_id: str, frame: EncodedFrame) -> None:
        if frame.audio_level is not None:
            self.state.hear(session_id, -float(frame.audio_level), frame.arrival)

    def _drop(self, session_id: str, type_: TrackType) -> None:
        source: AudioSource | VideoSource | None
        if type_.is_audio:
            source = self._audio.pop((session_id, type_), None)
        else:
            key = _picture_key(session_id, type_)
            source = self._video.pop(key, None)
            self._wishes.pop(key, None)
            self._seen.pop(key, None)
        if source is not None:
            log.info("%s of %s: %s", type_, session_id, source.summary())
            source.stop()
            self._stage.remove(source)

    async def _direct(self) -> None:
        """Look at the call again and again: scenes, wishes, beginnings, progress."""
        next_progress = 0.0
        while True:
            now = time.monotonic()
            try:
                self._look(now)
            except Exception:
                log.exception("the call could not be looked at")
            if self._presence.due(present := len(self.state.participants), now):
                self._tell(PresenceReport(at=utc(time.time()), participants=present))
            if now >= next_progress:
                next_progress = now + 1.0
                for egress in self.egresses.values():
                    egress.progress(len(self.state.participants))
                self.transcribing.progress(len(self.state.participants))
            await asyncio.sleep(LOOK)

    def _look(self, now: float) -> None:
        if not self.state.listen_to_told_levels(now):
            self._listen_without_levels(now)
        self._see_shapes()
        view = self.state.view(now)
        wanted: dict[TrackKey, Wants] = {}
        for egress in self.egresses.values():
            if not egress.over.is_set():
                egress.production.update(view, now)
                wishes = egress.director.wishes() if egress.director is not None else {}
                for key, wish in wishes.items():
                    wanted[key] = larger(wanted.get(key), wish)
        self._receive_wanted(wanted, now)
        self._see_how_it_comes(now)
        if self._connected_at is not None:
            self.transcribing.look()
        for egress in self.egresses.values():
            if egress.started or egress.over.is_set():
                continue
            if egress.production.orients:
                self._orient(egress, view, now)
            if self._can_begin(egress, now):
                egress.begin(self.state, self._away, egress.ready_at)
                in_call = now - (self._connected_at or now)
                log.info("recording %s, %.0f ms in the call", egress.spec.egress_id, in_call * 1000)
        self._tell_room()

    def _see_shapes(self) -> None:
        """Which cameras' pictures are higher than wide: before they are due, if a canvas waits for that."""
        urgent = any(egress.production.orients for egress in self.egresses.values())
        for (session_id, name), source in self._video.items():
            track = self.state.track(session_id, TrackType(name))
            portrait = self._shapes.portrait(source) if urgent else source.portrait
            if track is not None and portrait is not None:
                track.portrait = portrait

    def _orient(self, egress: CompositeEgress, view: CallView, now: float) -> None:
        """Turn the canvas as most of the first pictures are, as soon as all of them are known, or after a while."""
        waited = -1.0 if self._connected_at is None else now - self._connected_at
        if waited < FIRST_MEDIA:
            return
        shown = [self.state.track(session_id, TrackType(name)) for session_id, name in egress.production.shown()]
        if waited >= FIRST_SHAPES or all(track is None or track.portrait is not None for track in shown):
            egress.production.orient(view, now)

    def _listen_without_levels(self, now: float) -> None:
        """Where nobody tells sound levels, those of the decoded sound have to do (they come a delay late)."""
        for (session_id, type_), source in self._audio.items():
            if type_ is not TrackType.AUDIO or not source.unlevelled or source.level_time is None:
                continue
            if now - source.level_time < self.job.delay + 0.2:
                level = 20 * math.log10(max(source.level, 1e-6))
                self.state.hear(session_id, level, now)

    def _receive_wanted(self, wanted: dict[TrackKey, Wants], now: float) -> None:
        """Receive what is, or just was, in a picture; tell the SFU how large."""
        for key, source in self._video.items():
            session_id, name = key
            type_ = TrackType(name)
            if key in wanted:
                self._seen[key] = now
            state = self.state.track(session_id, type_)
            hidden = self.state.moderation(session_id).video == "hide"
            recently = now - self._seen.get(key, -math.inf) < self.job.delay + 1.0
            # An SFU that has paused a track tells of its end only to those who still want it.
            held = recently or (state is not None and state.paused)
            wish = wanted.get(key) or (self._wishes.get(key) if held and not hidden else None)
            if wish is not None and not source.listening:
                source.start()
                if state is not None:
                    state.wanted, state.wanted_since = True, now
            elif wish is None and source.listening:
                source.stop()
                if state is not None:
                    state.wanted = False
            if self._attendance is not None and (key not in self._wishes or self._wishes[key] != wish):
                self._wishes[key] = wish
                self._attendance.wants(session_id, type_, wish)

    def _see_how_it_comes(self, now: float) -> None:
        sizes = {
            (session_id, TrackType(name)): source.size
            for (session_id, name), source in self._video.items()
            if source.listening
        }
        for egress in self.egresses.values():
            egress.look(self.state, sizes, now)

    def _can_begin(self, egress: CompositeEgress, now: float) -> bool:
        """Not before the first pictures are there, so that no recording begins with placeholders; but soon."""
        if egress.spec.page is not None:
            return egress.ready_at is not None
        if self._connected_at is None:
            return False
        if egress.production.orients:
            return False
        waited = now - self._connected_at
        if egress.director is not None and not egress.director.ready and waited < FIRST_DRAWING:
            return False
        if waited >= FIRST_PICTURE:
            return True
        if waited < FIRST_MEDIA:
            return False
        shown = [self._video[key] for key in egress.production.shown() if key in self._video]
        return all(source.received for source in shown)


def _picture_key(session_id: str, type_: TrackType) -> TrackKey:
    """How the stage and scenes call a participant's camera or shared screen."""
    return session_id, "video" if type_ is TrackType.VIDEO else "screen_share"
