"""The tracks of a call on their way to the stage: all sound, and pictures while and as large as they are shown."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
from collections.abc import Callable, Iterable, Mapping

from egress.call.connector import Attendance
from egress.call.model import (
    CallEvent,
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
from egress.first_shapes import FirstShapes
from egress.media.audio_source import AudioSource
from egress.media.stage import Stage
from egress.media.video_source import TrackKey, VideoSource
from egress.protocol.directions import ModeratedVideo
from egress.reception.log import PictureSizes
from egress.rtc.track import EncodedFrame

log = logging.getLogger(__name__)


class Sources:
    """Of one call. Event loop only; times are ``time.monotonic()``."""

    def __init__(self, state: CallState, stage: Stage) -> None:
        self._state = state
        self._stage = stage
        self._video: dict[TrackKey, VideoSource] = {}
        self._audio: dict[tuple[str, TrackType], AudioSource] = {}
        self._seen: dict[TrackKey, float] = {}
        self._wishes: dict[TrackKey, Wants | None] = {}
        self._kept_back: dict[str, ModeratedVideo] = {}
        self._shapes = FirstShapes()
        self._loop = asyncio.get_running_loop()

    def let_go(self, event: CallEvent, now: float) -> None:
        """Something happens in the call, of which its state does not know yet: receive no more of what is over."""
        match event:
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

    def take_up(self, event: CallEvent, now: float) -> None:
        """Something happened in the call, and its state knows it: receive what began."""
        match event:
            case Joined(who) | Updated(who):
                self._restrain(who.session_id, now)
            case TrackAdded() if event.session_id in self._state.participants:
                self._receive(event)
            case _:
                pass

    def restrain(self, now: float) -> None:
        """Keep back what may not be seen or heard of each participant."""
        for session_id in self._state.participants:
            self._restrain(session_id, now)

    def _restrain(self, session_id: str, now: float) -> None:
        said = self._state.moderation(session_id)
        self._stage.restraints.say(session_id, said.video, said.audio == "silence", now)
        for type_ in (TrackType.VIDEO, TrackType.SCREEN_SHARE):
            source = self._video.get(_picture_key(session_id, type_))
            relaxed = said.video == "show" and self._kept_back.get(session_id) == "blur"
            if relaxed and source is not None and source.listening:
                # What rests, as a shared screen may, is shown as it is only when it is sent again.
                source.track.request_keyframe()
        self._kept_back[session_id] = said.video

    def _receive(self, event: TrackAdded) -> None:
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
            self._state.hear(session_id, -float(frame.audio_level), frame.arrival)

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

    def listen_without_levels(self, now: float) -> None:
        """Where nobody tells sound levels, those of the decoded sound have to do (they come a delay late)."""
        for (session_id, type_), source in self._audio.items():
            if type_ is not TrackType.AUDIO or not source.unlevelled or source.level_time is None:
                continue
            if now - source.level_time < self._stage.delay + 0.2:
                level = 20 * math.log10(max(source.level, 1e-6))
                self._state.hear(session_id, level, now)

    def see_shapes(self, *, urgent: bool) -> None:
        """Which cameras' pictures are higher than wide; ``urgent`` is before they are due, as a canvas waits for it."""
        for (session_id, name), source in self._video.items():
            track = self._state.track(session_id, TrackType(name))
            portrait = self._shapes.portrait(source) if urgent else source.portrait
            if track is not None and portrait is not None:
                track.portrait = portrait

    def want(self, wanted: Mapping[TrackKey, Wants], attendance: Attendance | None, now: float) -> None:
        """Receive what is, or just was, in a picture; tell the SFU how large."""
        for key, source in self._video.items():
            session_id, name = key
            type_ = TrackType(name)
            if key in wanted:
                self._seen[key] = now
            state = self._state.track(session_id, type_)
            hidden = self._state.moderation(session_id).video == "hide"
            recently = now - self._seen.get(key, -math.inf) < self._stage.delay + 1.0
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
            if attendance is not None and (key not in self._wishes or self._wishes[key] != wish):
                self._wishes[key] = wish
                attendance.wants(session_id, type_, wish)

    def sizes(self) -> PictureSizes:
        """How large the pictures come that are received."""
        return {
            (session_id, TrackType(name)): source.size
            for (session_id, name), source in self._video.items()
            if source.listening
        }

    def have_come(self, keys: Iterable[TrackKey]) -> bool:
        """Whether each of these tracks that is there has had its first picture."""
        return all(self._video[key].received for key in keys if key in self._video)

    def close(self) -> None:
        for seen in self._video.values():
            seen.stop()
        for heard in self._audio.values():
            heard.stop()
        self._shapes.close()


def _picture_key(session_id: str, type_: TrackType) -> TrackKey:
    """How the stage and scenes call a participant's camera or shared screen."""
    return session_id, "video" if type_ is TrackType.VIDEO else "screen_share"
