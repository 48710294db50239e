"""A participant from their coming to their going: their connection, what was kept back of them, their tracks."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace

from egress.call.model import ConnectionQuality, Participant, TrackType
from egress.protocol.directions import ModeratedAudio, ModeratedVideo
from egress.protocol.reception import ModerationSpell, ParticipantReception
from egress.reception.bounds import LONGEST_ID, MOST_SPELLS, Room
from egress.reception.spells import WallClock
from egress.reception.track import TrackLog


@dataclass(slots=True)
class ModerationLog:
    """Times in which not all of somebody was seen or heard. What is said twice counts once."""

    room: Room
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


class GuestLog:
    """A participant from their coming to their going."""

    def __init__(self, who: Participant, joined: float, room: Room) -> None:
        self.who = who
        self.joined = joined
        self.left: float | None = None
        self.tracks: dict[TrackType, TrackLog] = {}
        self.quality: dict[str, float] = {}
        self.moderation = ModerationLog(room)
        self._grade: ConnectionQuality | None = None
        self._graded = 0.0
        self._room = room

    def track(self, type_: TrackType) -> TrackLog:
        if type_ not in self.tracks:
            self.tracks[type_] = TrackLog(type_, self._room)
        return self.tracks[type_]

    def grade(self, grade: ConnectionQuality | None, now: float) -> None:
        if self._grade is not None:
            self.quality[self._grade] = self.quality.get(self._grade, 0.0) + now - self._graded
        self._grade, self._graded = grade, now

    def until(self, now: float, room: Room) -> GuestLog:
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

    def told(self, clock: WallClock) -> ParticipantReception:
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
