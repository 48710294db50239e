"""What the server tells of a LiveKit room, as events of the call: who is there, what they publish, who speaks."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from livekit.protocol import models, rtc

from egress.call.livekit import roster as rosters
from egress.call.livekit.reception import Reception
from egress.call.livekit.roster import Guest, Published
from egress.call.model import (
    Joined,
    Left,
    QualityChanged,
    RoomChanged,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackPaused,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
)
from egress.call.news import News

log = logging.getLogger(__name__)


class Room:
    """The same across reconnects, and when we are moved: only what is different is told. Event loop only."""

    def __init__(self, news: News, reception: Reception, roles_key: str) -> None:
        self._news = news
        self._reception = reception
        self._roles_key = roles_key
        self._roster: dict[str, Guest] = {}
        self._levels: dict[str, float] = {}
        self._metadata = ""

    def enter(self, others: Iterable[models.ParticipantInfo], room: models.Room) -> None:
        """We are in, and these are there too."""
        self._become(rosters.joined(others, self._roles_key), {})
        self._tell_room(room)

    def empty(self) -> None:
        """Everybody has gone."""
        self._become({}, {})

    def forget_speakers(self) -> None:
        """Who speaks is not known any more."""
        self._levels = {}

    def hear(self, message: rtc.SignalResponse) -> None:
        """The server tells something; what is not of the room is left alone."""
        match message.WhichOneof("message"):
            case "update":
                self._become(*rosters.updated(self._roster, message.update.participants, self._roles_key))
            case "speakers_changed":
                self._speakers(message.speakers_changed.speakers)
            case "room_update":
                self._tell_room(message.room_update.room)
            case "connection_quality":
                for told in message.connection_quality.updates:
                    grade = rosters.quality(told.quality)
                    if grade is not None and told.participant_sid in self._roster:
                        self._news.tell(QualityChanged(told.participant_sid, grade))
            case "stream_state_update":
                for stream in message.stream_state_update.stream_states:
                    self._paused(stream.track_sid, stream.state == rtc.PAUSED)
            case "subscription_response":
                self._not_subscribed(message.subscription_response)
            case "subscription_permission_update":
                allowed = message.subscription_permission_update
                self._permitted(allowed.track_sid, allowed.allowed)
            case _:
                pass

    def _speakers(self, speakers: Any) -> None:
        """What changed; who is not named speaks on as before."""
        for speaker in speakers:
            if speaker.active and speaker.level > 0:
                self._levels[speaker.sid] = float(speaker.level)
            else:
                self._levels.pop(speaker.sid, None)
        self._news.tell(Speaking(dict(self._levels)))

    def _tell_room(self, room: models.Room) -> None:
        if room.metadata != self._metadata:
            self._metadata = room.metadata
            self._news.tell(RoomChanged(room.metadata))

    def _become(self, after: dict[str, Guest], reasons: dict[str, str]) -> None:
        """Tell what is different from what was told."""
        before, self._roster = self._roster, after
        for session_id, guest in before.items():
            now = after.get(session_id)
            for type_, track in guest.tracks.items():
                if now is None or type_ not in now.tracks or not _same(track, now.tracks[type_]):
                    self._remove(session_id, type_, track)
            if now is None:
                self._levels.pop(session_id, None)
                self._news.tell(Left(session_id, reasons.get(session_id, "")))
        for session_id, guest in after.items():
            known = before.get(session_id)
            if known is None:
                self._news.tell(Joined(guest.participant))
            elif known.participant != guest.participant:
                self._news.tell(Updated(guest.participant))
            for type_, track in guest.tracks.items():
                was = known.tracks.get(type_) if known is not None else None
                if was is None or not _same(was, track):
                    self._add(session_id, type_, track)
                elif was.muted != track.muted:
                    self._news.tell(TrackMuted(session_id, type_, track.muted))

    def _add(self, session_id: str, type_: TrackType, track: Published) -> None:
        if track.obstacle:
            self._news.tell(TrackUnreadable(session_id, type_, track.codec, track.obstacle))
            return
        media = self._reception.publish((session_id, type_), track.sid, track.codec)
        self._news.tell(TrackAdded(session_id, type_, media))
        if track.muted:
            self._news.tell(TrackMuted(session_id, type_, True))

    def _remove(self, session_id: str, type_: TrackType, track: Published) -> None:
        self._reception.unpublish((session_id, type_), track.sid)
        self._news.tell(TrackRemoved(session_id, type_))

    def _unreadable(self, sid: str, codec: str, reason: str) -> None:
        """A track that was told cannot be received after all."""
        found = self._find(sid)
        if found is None:
            return
        session_id, type_, track = found
        self._remove(session_id, type_, track)
        self._news.tell(TrackUnreadable(session_id, type_, codec or track.codec, reason))

    def _not_subscribed(self, response: rtc.SubscriptionResponse) -> None:
        if response.err == models.SE_CODEC_UNSUPPORTED:
            self._unreadable(response.track_sid, "", "the server has it in no codec that can be read")
        else:
            log.info("the server could not subscribe us to %s (%s)", response.track_sid, response.err)
            self._reception.failed(response.track_sid)

    def _permitted(self, sid: str, allowed: bool) -> None:
        found = self._find(sid)
        if found is None:
            return
        session_id, type_, track = found
        if not allowed:
            self._unreadable(sid, "", "its publisher does not allow us to receive it")
        elif not self._reception.knows(sid):
            self._add(session_id, type_, track)

    def _paused(self, sid: str, paused: bool) -> None:
        found = self._find(sid)
        if found is not None:
            self._news.tell(TrackPaused(found[0], found[1], paused))

    def _find(self, sid: str) -> tuple[str, TrackType, Published] | None:
        for session_id, guest in self._roster.items():
            for type_, track in guest.tracks.items():
                if track.sid == sid:
                    return session_id, type_, track
        return None


def _same(a: Published, b: Published) -> bool:
    """Whether what is received of it goes on."""
    return (a.sid, a.obstacle) == (b.sid, b.obstacle)
