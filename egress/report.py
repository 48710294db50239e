"""How a call comes in while an egress runs: from events and looks at its tracks to the report that goes with its end,
and to those before it.

Pure: times are arguments, on the monotonic clock. Whatever a call does, the report stays below half a megabyte.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from egress.call.model import (
    CallEvent,
    Connected,
    ConnectionQuality,
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
from egress.call.state import MAX_METADATA, CallState, ParticipantState, TrackState
from egress.protocol.directions import ModeratedAudio, ModeratedVideo
from egress.protocol.reception import (
    ModerationSpell,
    ParticipantReception,
    PictureSize,
    Reception,
    Spell,
    Spells,
    TrackReception,
)
from egress.rtc.track import MediaTrack, TrackCounts

SILENT = 2.0
"""Seconds without a packet that are worth telling. A silent guest's Opus still sends one every 0.4 s (DTX)."""
MOST_PARTICIPANTS = 100
MOST_SPELLS = 20
"""Listed of one kind."""
MOST_SPELLS_IN_ALL = 400
MOST_SIZES = 8
LONGEST_ID = 256
LONGEST_REASON = 200

PictureSizes = Mapping[tuple[str, TrackType], tuple[int, int] | None]
"""Width and height of the latest picture of each track that is received; None before its first."""


@dataclass(slots=True)
class _Room:
    """For how many spells the report still has room."""

    left: int = MOST_SPELLS_IN_ALL


@dataclass(slots=True)
class _Spells:
    """Times in which something is so. Beginning twice, or ending what has not begun, changes nothing."""

    room: _Room
    count: int = 0
    seconds: float = 0.0
    listed: list[tuple[float, float, str]] = field(default_factory=list)
    since: float | None = None
    _reason: str = ""

    def begin(self, now: float, reason: str = "") -> None:
        if self.since is None:
            self.since, self._reason = now, reason[:LONGEST_REASON]

    def end(self, now: float) -> None:
        if self.since is None:
            return
        self.count += 1
        self.seconds += max(0.0, now - self.since)
        if len(self.listed) < MOST_SPELLS and self.room.left > 0:
            self.room.left -= 1
            self.listed.append((self.since, max(now, self.since), self._reason))
        self.since = None

    def until(self, now: float, room: _Room) -> _Spells:
        """As if all had ended now."""
        ended = replace(self, room=room, listed=list(self.listed))
        ended.end(now)
        return ended


@dataclass(slots=True)
class _Size:
    first: float
    seconds: float = 0.0


class _Track:
    """One kind of track of a participant."""

    def __init__(self, type_: TrackType, room: _Room) -> None:
        self.type = type_
        self.silent = _Spells(room)
        self.paused = _Spells(room)
        self.sizes: dict[tuple[int, int], _Size] = {}
        self.unlisted_sizes: set[tuple[int, int]] = set()
        self.unreadable: str | None = None
        self._codec = ""
        self._media: MediaTrack | None = None
        self._counts = TrackCounts()
        self._before = TrackCounts()
        """What the media had counted when this began."""
        self._expected_since: float | None = None
        self._size: tuple[int, int] | None = None
        self._size_since = 0.0

    def begin(self, media: MediaTrack, now: float) -> None:
        """It is published (anew)."""
        self.end(now)
        self._media, self._before = media, media.counts
        self.unreadable = None

    def cannot_be_read(self, codec: str, reason: str, now: float) -> None:
        self.end(now)
        self._codec, self.unreadable = codec[:LONGEST_ID], reason[:LONGEST_REASON]

    def end(self, now: float) -> None:
        """It is not published any more."""
        self.silent.end(now)
        self.paused.end(now)
        self._show(None, now)
        self._expected_since = None
        if self._media is not None:
            self._counts += self._media.counts - self._before
            self._codec = self._media.codec
            self._media = None

    def until(self, now: float, room: _Room) -> _Track:
        """As if it had ended now."""
        ended = copy(self)
        ended.silent, ended.paused = self.silent.until(now, room), self.paused.until(now, room)
        ended.sizes = {size: replace(known) for size, known in self.sizes.items()}
        ended.end(now)
        return ended

    def look(self, state: TrackState, size: tuple[int, int] | None, now: float) -> None:
        media = self._media
        if media is None:
            return
        expected = not (state.muted or state.paused) and (self.type.is_audio or state.wanted)
        if not expected:
            self._expected_since = None
            self.silent.end(now)
        else:
            if self._expected_since is None:
                self._expected_since = now
            heard = max(media.last_packet or 0.0, self._expected_since)
            if now - heard >= SILENT and self.type in (TrackType.AUDIO, TrackType.VIDEO):
                self.silent.begin(heard)
            else:
                self.silent.end(min(now, heard))
        self._show(size if expected and self.silent.since is None else None, now)

    def _show(self, size: tuple[int, int] | None, now: float) -> None:
        if size == self._size:
            return
        if self._size is not None and (known := self.sizes.get(self._size)) is not None:
            known.seconds += now - self._size_since
        self._size, self._size_since = size, now
        if size is None or size in self.sizes:
            return
        if len(self.sizes) < MOST_SIZES:
            self.sizes[size] = _Size(now)
        elif len(self.unlisted_sizes) < MOST_SPELLS_IN_ALL:
            self.unlisted_sizes.add(size)

    def told(self, clock: _Clock) -> TrackReception:
        counts = self._counts
        return TrackReception(
            type=self.type.value,
            codec=self._codec,
            packets=counts.packets,
            repaired=counts.repaired,
            lost=counts.lost,
            frames=counts.frames,
            frames_dropped=counts.frames_dropped,
            keyframes_asked=counts.keyframes_asked,
            bytes=counts.bytes,
            silent=clock.spells(self.silent),
            paused=clock.spells(self.paused),
            unreadable=self.unreadable,
            sizes=[
                PictureSize(width=width, height=height, first=clock.at(size.first), seconds=round(size.seconds, 3))
                for (width, height), size in self.sizes.items()
            ],
            sizes_left_out=len(self.unlisted_sizes),
        )


@dataclass(slots=True)
class _Moderation:
    """Times in which not all of somebody was seen or heard. What is said twice counts once."""

    room: _Room
    listed: list[tuple[float, float, ModeratedVideo, ModeratedAudio]] = field(default_factory=list)
    left_out: int = 0
    _video: ModeratedVideo = "show"
    _audio: ModeratedAudio = "keep"
    _since: float = 0.0

    def say(self, video: ModeratedVideo, audio: ModeratedAudio, since: float, now: float) -> None:
        """``since`` is from when that holds: it may be in the past, when something begins to be kept back."""
        if (video, audio) == (self._video, self._audio):
            return
        if (self._video, self._audio) != ("show", "keep"):
            if len(self.listed) < MOST_SPELLS and self.room.left > 0:
                self.room.left -= 1
                self.listed.append((self._since, now, self._video, self._audio))
            else:
                self.left_out += 1
            since = now
        self._video, self._audio, self._since = video, audio, since


class _Guest:
    """A participant from their coming to their going."""

    def __init__(self, who: Participant, joined: float, room: _Room) -> None:
        self.who = who
        self.joined = joined
        self.left: float | None = None
        self.tracks: dict[TrackType, _Track] = {}
        self.quality: dict[str, float] = {}
        self.moderation = _Moderation(room)
        self._grade: ConnectionQuality | None = None
        self._graded = 0.0
        self._room = room

    def track(self, type_: TrackType) -> _Track:
        if type_ not in self.tracks:
            self.tracks[type_] = _Track(type_, self._room)
        return self.tracks[type_]

    def grade(self, grade: ConnectionQuality | None, now: float) -> None:
        if self._grade is not None:
            self.quality[self._grade] = self.quality.get(self._grade, 0.0) + now - self._graded
        self._grade, self._graded = grade, now

    def until(self, now: float, room: _Room) -> _Guest:
        """As if they had gone now."""
        ended = copy(self)
        ended.quality = dict(self.quality)
        ended.moderation = replace(self.moderation, room=room, listed=list(self.moderation.listed))
        ended.tracks = {type_: track.until(now, room) for type_, track in self.tracks.items()}
        ended.end(now)
        return ended

    def end(self, now: float) -> None:
        self.grade(None, now)
        self.moderation.say("show", "keep", now, now)
        for track in self.tracks.values():
            track.end(now)

    def told(self, clock: _Clock) -> ParticipantReception:
        return ParticipantReception(
            session_id=self.who.session_id[:LONGEST_ID],
            user_id=self.who.user_id[:LONGEST_ID],
            joined_at=clock.at(self.joined),
            left_at=None if self.left is None else clock.at(self.left),
            quality={grade: round(seconds, 3) for grade, seconds in self.quality.items()},
            tracks=[track.told(clock) for track in self.tracks.values()],
            moderation=[
                ModerationSpell(start_time=clock.at(start), end_time=clock.at(end), video=video, audio=audio)
                for start, end, video, audio in self.moderation.listed
            ],
            moderation_left_out=self.moderation.left_out,
        )


@dataclass(frozen=True, slots=True)
class _Clock:
    """From the monotonic clock to wall time, as it was at the start."""

    shift: float

    def at(self, when: float) -> datetime:
        return datetime.fromtimestamp(round(when + self.shift, 3), UTC)

    def spells(self, spells: _Spells) -> Spells | None:
        if not spells.count:
            return None
        listed = [
            Spell(start_time=self.at(start), end_time=self.at(end), reason=why) for start, end, why in spells.listed
        ]
        return Spells(count=spells.count, seconds=round(spells.seconds, 3), listed=listed)


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
        self._clock = _Clock(wall - now)
        self._room = _Room()
        self._away = _Spells(_Room())
        self._guests: list[_Guest] = []
        self._present: dict[str, _Guest] = {}
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

    def _join(self, who: Participant, now: float) -> _Guest | None:
        if len(self._guests) >= MOST_PARTICIPANTS:
            self._left_out += 1
            return None
        guest = _Guest(who, now, self._room)
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


def _of_track(track: _Track, event: TrackAdded | TrackRemoved | TrackPaused, now: float) -> None:
    match event:
        case TrackAdded(_, _, media):
            track.begin(media, now)
        case TrackPaused(_, _, True):
            track.paused.begin(now)
        case TrackPaused():
            track.paused.end(now)
        case _:
            track.end(now)
