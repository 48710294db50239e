"""What a room's answers mean: who is there, whose tracks are whose, and what changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from egress.call.janus.display import SCREEN_SHARE, Identity, identify
from egress.call.model import (
    CallEvent,
    Joined,
    Left,
    Participant,
    TrackAdded,
    TrackRemoved,
    TrackType,
    Updated,
)
from egress.rtc.track import Kind, MediaTrack

Feed = int | str
"""The number (or text) by which VideoRoom knows a participant."""


@dataclass(frozen=True, slots=True)
class Guest:
    """A line of ``listparticipants``."""

    feed: Feed
    identity: Identity
    publishing: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream of a publisher as a subscription names it: ``mid`` here, ``feed_mid`` at the publisher."""

    mid: str
    feed_mid: str
    kind: Kind
    active: bool = True
    screen: bool = False
    simulcast: bool = False


@dataclass(frozen=True, slots=True)
class Roster:
    """Participants by session id, and to whose session the tracks of each feed belong."""

    participants: Mapping[str, Participant]
    owners: Mapping[Feed, str]
    screens: frozenset[Feed]
    """Feeds that carry nothing but a shared screen."""


Key = tuple[str, TrackType]
Tracks = Mapping[Key, MediaTrack]

EMPTY = Roster({}, {}, frozenset())


def guests(data: Mapping[str, Any], pattern: re.Pattern[str] | None) -> list[Guest]:
    """Read the answer to ``listparticipants``."""
    found = []
    for entry in data.get("participants") or []:
        feed = entry.get("id")
        if not isinstance(feed, int | str) or entry.get("dummy"):
            continue
        display = entry.get("display")
        identity = identify(display if isinstance(display, str) else None, feed, pattern)
        found.append(Guest(feed, identity, bool(entry.get("publisher"))))
    return found


def streams(data: Mapping[str, Any], offer: str = "") -> list[tuple[Feed | None, Stream]]:
    """Read the ``streams`` of ``attached`` and ``updated``, each with its feed (None once that is gone).

    What a publisher has switched off by renegotiation is listed as active all the same; only the offer tells.
    """
    found: list[tuple[Feed | None, Stream]] = []
    silent = silent_mids(offer)
    for entry in data.get("streams") or []:
        kind = entry.get("type")
        if kind not in ("audio", "video"):
            continue
        stream = Stream(
            mid=str(entry.get("mid")),
            feed_mid=str(entry.get("feed_mid", "")),
            kind=kind,
            active=bool(entry.get("active", True))
            and entry.get("feed_mid") is not None
            and str(entry.get("mid")) not in silent,
            screen="screen" in str(entry.get("feed_description") or "").lower(),
            simulcast=bool(entry.get("simulcast")),
        )
        found.append((entry.get("feed_id"), stream))
    return found


def silent_mids(offer: str) -> set[str]:
    """The mids of the sections of an offer that send nothing (RFC 8866: ``inactive``, ``recvonly`` or port 0)."""
    silent = set()
    for section in re.split(r"^m=", offer, flags=re.MULTILINE)[1:]:
        lines = section.splitlines()
        mid = next((line[6:] for line in lines if line.startswith("a=mid:")), None)
        if mid is not None and ({"a=inactive", "a=recvonly"} & set(lines) or lines[0].split()[1:2] == ["0"]):
            silent.add(mid)
    return silent


def roster(present: Iterable[Guest]) -> Roster:
    """Who is a participant. A publisher that is only a screen belongs to the guest of the same user, if there is one.

    Is that user there more than once, the screen is the first one's.
    """
    everybody = list(present)
    people = [g for g in everybody if g.identity.source != SCREEN_SHARE]
    of_user: dict[str, str] = {}
    for guest in people:
        of_user.setdefault(guest.identity.user_id, session_id(guest.feed))
    owners: dict[Feed, str] = {g.feed: session_id(g.feed) for g in people}
    participants = {session_id(g.feed): _participant(g) for g in people}
    screens = [g for g in everybody if g.identity.source == SCREEN_SHARE]
    for guest in screens:
        owner = of_user.get(guest.identity.user_id)
        if owner is None:
            owner = session_id(guest.feed)
            participants[owner] = _participant(guest)
        owners[guest.feed] = owner
    return Roster(participants, owners, frozenset(g.feed for g in screens))


def session_id(feed: Feed) -> str:
    return str(feed)


def _participant(guest: Guest) -> Participant:
    who = guest.identity
    return Participant(session_id(guest.feed), who.user_id, who.name, who.roles, who.image)


def track_types(published: Iterable[Stream], *, only_screen: bool) -> dict[str, TrackType]:
    """What each stream of one publisher is, by feed mid. Of two of a kind the first counts, the other is left out.

    A sound counts as the screen's when its description says so or when everything the publisher has is a screen.
    """
    types: dict[str, TrackType] = {}
    for stream in published:
        if not stream.active:
            continue
        screen = stream.screen or only_screen
        if stream.kind == "audio":
            type_ = TrackType.SCREEN_SHARE_AUDIO if screen else TrackType.AUDIO
        else:
            type_ = TrackType.SCREEN_SHARE if screen else TrackType.VIDEO
        if type_ not in types.values():
            types[stream.feed_mid] = type_
    return types


def changes(before: Roster, tracks_before: Tracks, after: Roster, tracks_after: Tracks) -> list[CallEvent]:
    """The events that lead from one state to the next, in an order in which every session id is known when named."""
    events: list[CallEvent] = []
    replaced = {k for k, media in tracks_before.items() if tracks_after.get(k) is not media}
    events += [TrackRemoved(session, type_) for session, type_ in tracks_before if (session, type_) in replaced]
    events += [Left(session) for session in before.participants if session not in after.participants]
    for session, participant in after.participants.items():
        known = before.participants.get(session)
        if known is None:
            events.append(Joined(participant))
        elif known != participant:
            events.append(Updated(participant))
    events += [
        TrackAdded(session, type_, media)
        for (session, type_), media in tracks_after.items()
        if (session, type_) not in tracks_before or (session, type_) in replaced
    ]
    return events
