"""Who is in a LiveKit room and what they publish, folded from what the server tells; and what changed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from livekit.protocol import models

from egress.call.livekit.people import is_guest, participant
from egress.call.model import ConnectionQuality, Participant, TrackType

READABLE = {"vp8": "vp8", "h264": "h264", "opus": "opus", "red": "opus"}
"""The names of codecs, as MIME types end, and what is decoded of them."""

_SOURCES = {
    models.CAMERA: TrackType.VIDEO,
    models.MICROPHONE: TrackType.AUDIO,
    models.SCREEN_SHARE: TrackType.SCREEN_SHARE,
    models.SCREEN_SHARE_AUDIO: TrackType.SCREEN_SHARE_AUDIO,
}
_QUALITIES: dict[int, ConnectionQuality] = {
    models.EXCELLENT: "excellent",
    models.GOOD: "good",
    models.POOR: "poor",
    models.LOST: "lost",
}


@dataclass(frozen=True, slots=True)
class Published:
    """A track somebody publishes. ``obstacle`` says why it cannot be received, if it cannot."""

    sid: str
    codec: str
    """``vp8``, ``h264`` or ``opus``; what it is called otherwise when it cannot be read."""
    muted: bool = False
    obstacle: str = ""


@dataclass(frozen=True, slots=True)
class Guest:
    participant: Participant
    version: int
    tracks: Mapping[TrackType, Published] = field(default_factory=dict)


Roster = Mapping[str, Guest]
"""Guests by participant sid, in the order in which they were told."""


def joined(others: Iterable[models.ParticipantInfo], roles_key: str) -> dict[str, Guest]:
    """The roster that a join is answered with."""
    return {info.sid: guest(info, roles_key) for info in others if is_guest(info)}


def updated(
    before: Roster, changed: Iterable[models.ParticipantInfo], roles_key: str
) -> tuple[dict[str, Guest], dict[str, str]]:
    """The roster after an update, and why those who left did, by sid. What is older than what is known is left out."""
    after, reasons = dict(before), dict[str, str]()
    for info in changed:
        known = after.get(info.sid)
        if known is not None and info.version < known.version:
            continue
        if is_guest(info):
            after[info.sid] = guest(info, roles_key, known)
        elif known is not None:
            del after[info.sid]
            reasons[info.sid] = _reason(info.disconnect_reason)
    return after, reasons


def guest(info: models.ParticipantInfo, roles_key: str, known: Guest | None = None) -> Guest:
    """Of two tracks of one type the one that is ``known`` stays; the server tells them in any order."""
    before = {track.sid for track in known.tracks.values()} if known is not None else set()
    tracks: dict[TrackType, Published] = {}
    for told in sorted(info.tracks, key=lambda one: (one.sid not in before, one.source not in _SOURCES, one.sid)):
        type_ = track_type(told)
        if type_ is not None:
            tracks.setdefault(type_, published(told))
    return Guest(participant(info, roles_key), info.version, tracks)


def track_type(info: models.TrackInfo) -> TrackType | None:
    """What a track is; one whose source is not told is a camera or a microphone. None for data."""
    if info.type not in (models.AUDIO, models.VIDEO):
        return None
    found = _SOURCES.get(info.source)
    if found is None:
        return TrackType.AUDIO if info.type == models.AUDIO else TrackType.VIDEO
    return found if found.is_audio == (info.type == models.AUDIO) else None


def published(info: models.TrackInfo) -> Published:
    names = [_codec(mime) for mime in (info.mime_type, *(codec.mime_type for codec in info.codecs)) if mime]
    readable = next((READABLE[name] for name in names if name in READABLE), None)
    obstacle = ""
    if info.encryption != models.Encryption.NONE:
        obstacle = "it is end-to-end encrypted"
    elif names and readable is None:
        obstacle = f"its codec {names[0].upper()} cannot be read, and it has no backup codec that can"
    default = "opus" if info.type == models.AUDIO else "vp8"
    return Published(info.sid, readable or (names[0] if names else default), info.muted, obstacle)


def quality(told: int) -> ConnectionQuality | None:
    return _QUALITIES.get(told)


def _codec(mime: str) -> str:
    return mime.rpartition("/")[2].lower()


def _reason(told: int) -> str:
    if told == models.UNKNOWN_REASON:
        return ""
    try:
        return models.DisconnectReason.Name(told).lower().replace("_", " ")
    except ValueError:
        return ""
