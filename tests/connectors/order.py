"""What the documentation promises of the order of events. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from egress.call.model import (
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
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


def misorders(events: Sequence[CallEvent]) -> list[str]:
    """A line for each event that came where it must not."""
    found: list[str] = []
    connected: bool | None = None
    present: set[str] = set()
    tracks: set[tuple[str, TrackType]] = set()
    ended = False
    for place, event in enumerate(events):

        def wrong(why: str, at: str = f"{place}: {event}") -> None:
            found.append(f"{at}: {why}")

        if ended:
            wrong("after the end")
        if connected is None and not isinstance(event, Connected | Disconnected | Ended):
            wrong("before Connected")
        match event:
            case Connected():
                if connected:
                    wrong("told twice")
                connected = True
            case Disconnected():
                if connected is False:
                    wrong("told twice")
                connected = False
            case Ended():
                ended = True
            case Joined(who):
                if who.session_id in present:
                    wrong("has joined already")
                present.add(who.session_id)
            case Updated(who):
                if who.session_id not in present:
                    wrong("has not joined")
            case Left(session_id):
                if session_id not in present:
                    wrong("has not joined")
                if any(session == session_id for session, _ in tracks):
                    wrong("has tracks that were not removed")
                present.discard(session_id)
            case TrackAdded(session_id, type_) | TrackUnreadable(session_id, type_):
                if session_id not in present:
                    wrong("has not joined")
                if (session_id, type_) in tracks:
                    wrong("is there already")
                tracks.add((session_id, type_))
            case TrackRemoved(session_id, type_):
                if (session_id, type_) not in tracks:
                    wrong("was not there")
                tracks.discard((session_id, type_))
            case TrackMuted(session_id, type_) | TrackPaused(session_id, type_):
                if (session_id, type_) not in tracks:
                    wrong("is not there")
            case QualityChanged(session_id) | Pinned(session_id):
                if session_id not in present:
                    wrong("has not joined")
            case Speaking(levels):
                if strangers := sorted(levels.keys() - present):
                    wrong(f"{strangers} have not joined")
            case RoomChanged():
                pass
    return found
