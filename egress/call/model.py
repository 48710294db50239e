"""The model of a call: participants, their tracks, and the events by which a connector tells changes.

Vocabulary follows the call backends: a track is audio, video, screen_share or screen_share_audio of a participant.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Literal

from egress.rtc.track import MediaTrack


class TrackType(enum.StrEnum):
    AUDIO = "audio"
    VIDEO = "video"
    SCREEN_SHARE = "screen_share"
    SCREEN_SHARE_AUDIO = "screen_share_audio"

    @property
    def is_audio(self) -> bool:
        return self in (TrackType.AUDIO, TrackType.SCREEN_SHARE_AUDIO)


@dataclass(frozen=True, slots=True)
class Participant:
    """Who somebody is. ``session_id`` is unique in the call (one user may join twice)."""

    session_id: str
    user_id: str
    name: str
    roles: tuple[str, ...] = ()
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Wants:
    """What a program wants of a video track: the smallest picture that fills its tiles."""

    width: int
    height: int
    fps: float


@dataclass(frozen=True, slots=True)
class Joined:
    """A participant is in the call."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class Left:
    session_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Updated:
    """Name, roles or image of a participant changed."""

    participant: Participant


@dataclass(frozen=True, slots=True)
class TrackAdded:
    """A participant publishes a track. ``media`` yields its encoded frames."""

    session_id: str
    type: TrackType
    media: MediaTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    session_id: str
    type: TrackType


@dataclass(frozen=True, slots=True)
class TrackMuted:
    """The SFU says that a track is published but muted, or no longer so."""

    session_id: str
    type: TrackType
    muted: bool


@dataclass(frozen=True, slots=True)
class TrackPaused:
    """The SFU has stopped sending a track that is wanted, because our bandwidth is short, or sends it again.

    A pause ends with ``paused`` False, or with the track.
    """

    session_id: str
    type: TrackType
    paused: bool


@dataclass(frozen=True, slots=True)
class TrackUnreadable:
    """A track is published that cannot be received: its tile shows the placeholder, its sound is missing.

    Should it become readable, ``TrackAdded`` follows; should it go, ``TrackRemoved``. ``codec`` is empty where that is
    not known, or not the cause; ``reason`` is one sentence for people.
    """

    session_id: str
    type: TrackType
    codec: str
    reason: str


ConnectionQuality = Literal["excellent", "good", "poor", "lost"]


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """How well a participant is connected, by the SFU's own measure. It holds until told otherwise."""

    session_id: str
    quality: ConnectionQuality


@dataclass(frozen=True, slots=True)
class RoomChanged:
    """The room's metadata, as the SFU keeps it: told after ``Connected`` where there is any, and at every change."""

    metadata: str


@dataclass(frozen=True, slots=True)
class Speaking:
    """Speakers as the SFU tells them (connectors whose RTP carries no audio level).

    ``levels`` maps participant session ids to 0.0 (silent) to 1.0 (loudest); who is missing is silent. They hold until
    the next ``Speaking`` or ``Disconnected``: changes are enough.
    """

    levels: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pinned:
    session_id: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The SFU is out of reach. The connector goes on trying; ``Connected`` follows when it is back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Connected:
    """The connector attends the room: what is published from here on is told."""


REMOVED = "removed"
"""The code of :class:`Ended` when an administrator put us out of a room that goes on."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The room is over, or we were put out of it: nothing more will come.

    Without a ``code`` the room is over, and the call's session with it. With one it is only we who are out, and nobody
    is sent in again for what was recorded.
    """

    reason: str
    code: str = ""


CallEvent = (
    Joined
    | Left
    | Updated
    | TrackAdded
    | TrackRemoved
    | TrackMuted
    | TrackPaused
    | TrackUnreadable
    | QualityChanged
    | RoomChanged
    | Speaking
    | Pinned
    | Connected
    | Disconnected
    | Ended
)
