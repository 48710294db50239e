"""How a call came in, told with the end of an egress for the time from its start to its end, and before that so far.

All of it is bounded: lists hold what came first, and counts beside them tell the rest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from egress.protocol.directions import ModeratedAudio, ModeratedVideo
from egress.protocol.model import Tolerant

TrackName = Literal["audio", "video", "screen_share", "screen_share_audio"]


class Spell(Tolerant):
    """A time in which something was not as it should be."""

    start_time: datetime
    end_time: datetime
    reason: str = ""


class Spells(Tolerant):
    """How often that was, for how long altogether, and when."""

    count: int
    seconds: float
    listed: list[Spell] = Field(default_factory=list)


class PictureSize(Tolerant):
    """A size in which a track's pictures came: that of the camera, or of a layer that the SFU chose for us."""

    width: int
    height: int
    first: datetime
    """When it came first."""
    seconds: float
    """How long it came, altogether."""


class TrackReception(Tolerant):
    """What came of one kind of track of a participant, however often it was published anew."""

    type: TrackName
    codec: str = ""
    packets: int = 0
    repaired: int = 0
    """Packets that were missing at first: asked for again, or rebuilt from redundancy."""
    lost: int = 0
    frames: int = 0
    """Pictures, or packets of sound, that were whole."""
    frames_dropped: int = 0
    keyframes_asked: int = 0
    bytes: int = 0
    """Of payload."""
    silent: Spells | None = None
    """Times without a packet of a camera that was wanted, or of a microphone, that was not muted."""
    paused: Spells | None = None
    """Times in which the SFU did not send it, because our bandwidth was short."""
    unreadable: str | None = None
    """Why it could not be received."""
    sizes: list[PictureSize] = Field(default_factory=list)
    sizes_left_out: int = 0


class ModerationSpell(Tolerant):
    """A time in which not all of a participant was seen or heard."""

    start_time: datetime
    end_time: datetime
    video: ModeratedVideo
    audio: ModeratedAudio


class ParticipantReception(Tolerant):
    """A participant, from their coming to their going."""

    session_id: str
    user_id: str
    joined_at: datetime
    """Not before the egress began."""
    left_at: datetime | None = None
    """None when they were there to the end."""
    quality: dict[str, float] = Field(default_factory=dict)
    """Seconds by grade of their connection, where the SFU tells it: excellent, good, poor, lost."""
    tracks: list[TrackReception] = Field(default_factory=list)
    moderation: list[ModerationSpell] = Field(default_factory=list)
    """Composed pictures show them blurred, or their placeholder; outputs that cannot blur leave the track out."""
    moderation_left_out: int = 0


class Reception(Tolerant):
    """How the call came in at one attendant."""

    start_time: datetime
    end_time: datetime
    unfinished: bool = False
    """It went on after that: told in between, so that it is known of an attendant that is killed."""
    away: Spells | None = None
    """Times in which the SFU was out of reach. Media may have gone on."""
    room_metadata: str = ""
    """As the SFU told it last, cut at 8192 characters."""
    participants: list[ParticipantReception] = Field(default_factory=list)
    participants_left_out: int = 0
