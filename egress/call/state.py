"""The call as it is now: folds a connector's events into participants with tracks, and shows it to layouts."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from egress.call.model import (
    CallEvent,
    ConnectionQuality,
    Disconnected,
    Joined,
    Left,
    Participant,
    Pinned,
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
from egress.call.speakers import Speakers
from egress.protocol.directions import Directions, Moderated, Pin
from egress.rtc.clock import ParticipantClock
from egress.rtc.track import MediaTrack
from layouts.scene import CallView, ParticipantView

SILENT_CAMERA = 1.2
"""Seconds without a packet after which a camera counts as off. A shared screen may rest as long as it likes."""

SILENCE = -127.0
"""dBov."""
PAUSED_PICTURE = 1.0
"""Seconds for which the last picture of a track stays that the SFU has stopped sending."""
MAX_METADATA = 8192
"""Characters of a room's metadata that are kept."""


@dataclass(slots=True)
class TrackState:
    media: MediaTrack
    added: float
    muted: bool = False
    wanted: bool = False
    """Whether pictures are being received (a track that nobody wants sends nothing, and is not off for that)."""
    wanted_since: float = 0.0
    paused: bool = False
    """The SFU has stopped sending it, because our bandwidth is short."""
    paused_since: float = 0.0
    portrait: bool | None = None
    """Whether its pictures are higher than wide, as they are to be shown; None before the first."""


@dataclass(slots=True)
class ParticipantState:
    participant: Participant
    joined_at: float
    tracks: dict[TrackType, TrackState] = field(default_factory=dict)
    clock: ParticipantClock = field(default_factory=ParticipantClock)
    pinned: bool = False
    quality: ConnectionQuality | None = None
    """None while the SFU has told none."""
    unreadable: dict[TrackType, TrackUnreadable] = field(default_factory=dict)
    """What is published and cannot be received."""


class CallState:
    """Participants in the order in which they joined. Times are ``time.monotonic()``."""

    def __init__(self) -> None:
        self.participants: dict[str, ParticipantState] = {}
        self.speakers = Speakers()
        self.room_metadata = ""
        self._told_levels: dict[str, float] | None = None
        self._pins: tuple[Pin, ...] = ()
        self._moderation: dict[str, Moderated] = {}

    def direct(self, directions: Directions) -> None:
        """What callers say of participants, in the place of what they said before."""
        self._pins = directions.pins
        self._moderation = {moderated.user_id: moderated for moderated in directions.moderation}

    def moderation(self, session_id: str) -> Moderated:
        """What may be seen and heard of a participant: nothing is kept back unless somebody said so."""
        known = self.participants.get(session_id)
        user_id = known.participant.user_id if known else ""
        return self._moderation.get(user_id) or Moderated(user_id=user_id)

    def apply(self, event: CallEvent, now: float) -> None:
        """Take in an event. Events about participants who are not there are ignored."""
        match event:
            case Joined(participant):
                known = self.participants.get(participant.session_id)
                if known is None:
                    self.participants[participant.session_id] = ParticipantState(participant, now)
                else:
                    known.participant = participant
            case Left(session_id):
                self.participants.pop(session_id, None)
                self.speakers.forget(session_id)
            case Updated(participant):
                if known := self.participants.get(participant.session_id):
                    known.participant = participant
            case TrackAdded(session_id, type_, media):
                if known := self.participants.get(session_id):
                    media.join(known.clock)
                    known.tracks[type_] = TrackState(media, now)
                    known.unreadable.pop(type_, None)
            case TrackRemoved(session_id, type_):
                if known := self.participants.get(session_id):
                    known.tracks.pop(type_, None)
                    known.unreadable.pop(type_, None)
            case TrackUnreadable(session_id, type_, _, _):
                if known := self.participants.get(session_id):
                    known.tracks.pop(type_, None)
                    known.unreadable[type_] = event
            case TrackMuted(session_id, type_, muted):
                if track := self.track(session_id, type_):
                    track.muted = muted
            case TrackPaused(session_id, type_, paused):
                if (track := self.track(session_id, type_)) and track.paused != paused:
                    track.paused, track.paused_since = paused, now
            case QualityChanged(session_id, quality):
                if known := self.participants.get(session_id):
                    known.quality = quality
            case RoomChanged(metadata):
                self.room_metadata = metadata[:MAX_METADATA]
            case Pinned(session_id, pinned):
                if known := self.participants.get(session_id):
                    known.pinned = pinned
            case Speaking(levels):
                self._told_levels = dict(levels)
                self.listen_to_told_levels(now)
            case Disconnected():
                self._told_levels = None
            case _:
                pass

    def track(self, session_id: str, type_: TrackType) -> TrackState | None:
        """A participant's track, if they are there and publish it."""
        known = self.participants.get(session_id)
        return known.tracks.get(type_) if known else None

    def listen_to_told_levels(self, now: float) -> bool:
        """Hear again what the SFU told last: it tells changes, and who speaks goes on until the next one.

        False where it tells no levels. To be called a few times a second.
        """
        if self._told_levels is None:
            return False
        for session_id in self.participants:
            level = self._told_levels.get(session_id, 0.0)
            self.hear(session_id, 20 * math.log10(max(level, 1e-6)), now)
        return True

    def hear(self, session_id: str, level: float, now: float) -> None:
        """A participant's level, in dBov. Who is silenced does not lead the conversation."""
        silenced = self.moderation(session_id).audio == "silence"
        self.speakers.hear(session_id, SILENCE if silenced else level, now)

    def view(self, now: float) -> CallView:
        """What a layout may know."""
        dominant = self.speakers.dominant(now)
        return CallView(tuple(self._view(state, now, dominant) for state in self.participants.values()))

    def _view(self, state: ParticipantState, now: float, dominant: str | None) -> ParticipantView:
        who, speakers = state.participant, self.speakers
        audio, video = state.tracks.get(TrackType.AUDIO), state.tracks.get(TrackType.VIDEO)
        moderation = self.moderation(who.session_id)
        # Of who is hidden nothing is received: to layouts it is as if they published no pictures.
        seen = moderation.video != "hide"
        pin = self._pin(who)
        return ParticipantView(
            session_id=who.session_id,
            user_id=who.user_id,
            name=who.name,
            roles=who.roles,
            image=who.image,
            has_video=seen and _shows(video, now, SILENT_CAMERA),
            has_audio=audio is not None and not audio.muted and moderation.audio == "keep",
            has_screen_share=seen and _shows(state.tracks.get(TrackType.SCREEN_SHARE), now, math.inf),
            is_speaking=speakers.is_speaking(who.session_id, now) and moderation.audio == "keep",
            is_dominant_speaker=who.session_id == dominant,
            is_pinned=pin is not None or state.pinned,
            joined_at=state.joined_at,
            is_portrait=None if video is None else video.portrait,
            moderation=moderation.video,
            pin_order=pin if pin is not None else len(self._pins) if state.pinned else 0,
        )

    def _pin(self, who: Participant) -> int | None:
        """Their place among those who were pinned by message."""
        places = (n for n, pin in enumerate(self._pins) if pin.participant == who.session_id)
        by_user = (n for n, pin in enumerate(self._pins) if pin.user_id == who.user_id)
        return min([*places, *by_user], default=None)


def _shows(track: TrackState | None, now: float, patience: float) -> bool:
    if track is None or track.muted:
        return False
    if not track.wanted:
        return True
    if track.paused:
        return now - max(track.paused_since, track.wanted_since) < PAUSED_PICTURE
    heard = max(track.media.last_packet or 0.0, track.added, track.wanted_since)
    return now - heard < patience
