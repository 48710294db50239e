"""The log of one egress, from its start to its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from egress.call.model import (
    CallEvent,
    Connected,
    Disconnected,
    Joined,
    Left,
    Participant,
    QualityChanged,
    RoomChanged,
    TrackAdded,
    TrackPaused,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
)
from egress.call.state import MAX_METADATA, CallState, ParticipantState
from egress.protocol.reception import Reception
from egress.reception.bounds import MOST_PARTICIPANTS, Room
from egress.reception.guest import GuestLog
from egress.reception.spells import SpellLog, WallClock
from egress.reception.track import TrackLog

PictureSizes = Mapping[tuple[str, TrackType], tuple[int, int] | None]
"""Width and height of the latest picture of each track that is received; None before its first."""


class ReceptionLog:
    """Kept from the start of an egress to its end."""

    def __init__(
        self,
        state: CallState,
        now: float,
        wall: float,
        away: str | None = None,
        delay: float = 0.0,
        *,
        restrained: bool = True,
    ) -> None:
        """``state`` is the call as it is at the start, ``wall`` the time then in seconds since 1970.

        ``away`` says why the SFU is out of reach at the start; None when it is not. ``delay`` is by how many seconds
        it is composed later: what is kept back is so from that long ago. ``restrained`` is whether anything is.
        """
        self._delay = delay
        self._restrained = restrained
        self._began = now
        self._clock = WallClock(wall - now)
        self._room = Room()
        self._away = SpellLog(Room())
        self._guests: list[GuestLog] = []
        self._present: dict[str, GuestLog] = {}
        self._left_out = 0
        self._metadata = state.room_metadata
        self._report: Reception | None = None
        if away is not None:
            self._away.begin(now, away)
        for there in state.participants.values():
            self._meet(there, now)

    def _meet(self, there: ParticipantState, now: float) -> None:
        """Somebody who was in the call before."""
        guest = self._join(there.participant, now)
        if guest is None:
            return
        guest.grade(there.quality, now)
        for type_, track in there.tracks.items():
            guest.track(type_).begin(track.media, now)
            if track.paused:
                guest.track(type_).paused.begin(now)
        for type_, unreadable in there.unreadable.items():
            guest.track(type_).cannot_be_read(unreadable.codec, unreadable.reason, now)

    def hear(self, event: CallEvent, now: float) -> None:
        """Take in an event of the call. After the end nothing is taken in."""
        if self._report is not None:
            return
        match event:
            case Disconnected(reason):
                self._away.begin(now, reason)
            case Connected():
                self._away.end(now)
            case RoomChanged(metadata):
                self._metadata = metadata[:MAX_METADATA]
            case Joined(who):
                if (guest := self._present.get(who.session_id)) is not None:
                    guest.who = who
                else:
                    self._join(who, now)
            case Updated(who):
                if (guest := self._present.get(who.session_id)) is not None:
                    guest.who = who
            case Left(session_id):
                if (guest := self._present.pop(session_id, None)) is not None:
                    guest.end(now)
                    guest.left = now
            case QualityChanged(session_id, quality):
                if (guest := self._present.get(session_id)) is not None:
                    guest.grade(quality, now)
            case TrackAdded(session_id, type_, _) | TrackRemoved(session_id, type_) | TrackPaused(session_id, type_, _):
                if (guest := self._present.get(session_id)) is not None:
                    _of_track(guest.track(type_), event, now)
            case TrackUnreadable(session_id, type_, codec, why):
                if (guest := self._present.get(session_id)) is not None:
                    guest.track(type_).cannot_be_read(codec, why, now)
            case _:
                pass

    def _join(self, who: Participant, now: float) -> GuestLog | None:
        if len(self._guests) >= MOST_PARTICIPANTS:
            self._left_out += 1
            return None
        guest = GuestLog(who, now, self._room)
        self._guests.append(guest)
        self._present[who.session_id] = guest
        return guest

    def look(self, state: CallState, sizes: PictureSizes, now: float) -> None:
        """Look at the tracks, a few times a second."""
        if self._report is not None:
            return
        for session_id, guest in self._present.items():
            there = state.participants.get(session_id)
            if there is None:
                continue
            said = state.moderation(session_id)
            if self._restrained:
                guest.moderation.say(said.video, said.audio, max(guest.joined, now - self._delay), now)
            for type_, track in there.tracks.items():
                guest.track(type_).look(track, sizes.get((session_id, type_)), now)

    def close(self, now: float) -> Reception:
        """The report of what was until ``now``. Closed again, it stays as it is."""
        if self._report is None:
            self._report = self._until(now)
        return self._report

    def so_far(self, now: float) -> Reception:
        """What there is to report yet; all goes on."""
        return self._until(now).model_copy(update={"unfinished": True})

    def _until(self, now: float) -> Reception:
        room = replace(self._room)
        guests = [guest.until(now, room) if guest.left is None else guest for guest in self._guests]
        return Reception(
            start_time=self._clock.at(self._began),
            end_time=self._clock.at(now),
            away=self._clock.spells(self._away.until(now, replace(self._away.room))),
            room_metadata=self._metadata,
            participants=[guest.told(self._clock) for guest in guests],
            participants_left_out=self._left_out,
        )


def _of_track(track: TrackLog, event: TrackAdded | TrackRemoved | TrackPaused, now: float) -> None:
    match event:
        case TrackAdded(_, _, media):
            track.begin(media, now)
        case TrackPaused(_, _, True):
            track.paused.begin(now)
        case TrackPaused():
            track.paused.end(now)
        case _:
            track.end(now)
