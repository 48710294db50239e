"""Who is shown, and in which order: pinned, then screen share, then dominant speaker, then has video.

Among equals who was visible stays visible, and then the order of joining decides.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from layouts.scene import ParticipantView, Scene

Key = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """What can fill one tile: a participant's camera, or their shared screen."""

    participant: ParticipantView
    is_share: bool

    @property
    def key(self) -> Key:
        return (self.participant.session_id, self.is_share)


def shows(participant: ParticipantView) -> bool:
    """Whether there is a picture of their camera that may be seen."""
    return participant.has_video and participant.moderation != "hide"


def shares(participant: ParticipantView) -> bool:
    """Whether they share a screen that may be seen."""
    return participant.has_screen_share and participant.moderation != "hide"


def visible_keys(scene: Scene | None) -> tuple[Key, ...]:
    """What a scene shows, in its order."""
    if scene is None:
        return ()
    return tuple(dict.fromkeys((tile.session_id, tile.source == "screen_share") for tile in scene.tiles))


def foremost(participants: Iterable[ParticipantView], previous: Scene | None) -> Entry | None:
    """Who takes the stage; their screen, if they share it. None where there is nobody."""
    was_first = previous.tiles[0].session_id if previous and previous.tiles else None

    def rank(participant: ParticipantView) -> tuple[int, ...]:
        return (
            not participant.is_pinned,
            _pin(participant),
            not shares(participant),
            not participant.is_dominant_speaker,
            not shows(participant),
            participant.session_id != was_first,
        )

    first = min(participants, key=rank, default=None)
    return Entry(first, shares(first)) if first else None


def entries(participants: Sequence[ParticipantView], presenters: bool) -> list[Entry]:
    """Everything that could have a tile: every shared screen, and every participant.

    Without ``presenters``, who shares a screen is there by the screen alone.
    """
    screens = [Entry(each, True) for each in participants if shares(each)]
    return screens + [Entry(each, False) for each in participants if presenters or not shares(each)]


def choose(candidates: Sequence[Entry], slots: Sequence[Key], capacity: int) -> list[Entry]:
    """At most ``capacity`` of the candidates, in the order in which they are to be shown.

    ``slots`` is the order of the previous scene: who was visible keeps their place whoever speaks, a newcomer takes the
    place of who left, and only a pin or a shared screen moves to the front.
    """
    visible = set(slots)
    # Who joined too late to be shown but was once brought in by speaking stays in, so that two of
    # them who talk with each other do not take turns in one tile.
    default = {entry.key for entry in sorted(candidates, key=_standing)[:capacity]}

    def rank(entry: Entry) -> tuple[int, ...]:
        seen = entry.key in visible
        return (*_priority(entry), not seen, not (seen and entry.key not in default))

    return _fronted(_in_slots(sorted(candidates, key=rank)[:capacity], slots))


def page(candidates: Sequence[Entry], capacity: int, turn: int) -> list[Entry]:
    """The candidates of one turn of a rotation, in the order of joining; pins and shared screens are in each.

    The last page is filled up from the first one, so that tiles keep their size; who is the dominant speaker is on
    every page, in its last place where it is not theirs.
    """
    fixed = _fronted([entry for entry in candidates if entry.participant.is_pinned or entry.is_share])[:capacity]
    rest = [entry for entry in candidates if not (entry.participant.is_pinned or entry.is_share)]
    room = capacity - len(fixed)
    if room <= 0 or len(rest) <= room:
        return fixed + rest[: max(room, 0)]
    pages = math.ceil(len(rest) / room)
    first = (turn % pages) * room
    shown = (rest + rest)[first : first + room]
    speaker = next((entry for entry in rest if entry.participant.is_dominant_speaker), None)
    if speaker is not None and speaker not in shown:
        shown[-1] = speaker
    return fixed + shown


def shuffled(participants: Sequence[ParticipantView], turn: int) -> ParticipantView | None:
    """Who is on at one turn of a random order in which all come once a round. None where there is nobody."""
    if not participants:
        return None
    around, place = divmod(turn, len(participants))
    if len(participants) < 3:
        return participants[place]
    order = _round(participants, around)
    if _round(participants, around - 1)[-1] is order[0]:
        order[:2] = order[1::-1]  # nobody comes twice in a row
    return order[place]


def _round(participants: Sequence[ParticipantView], around: int) -> list[ParticipantView]:
    return sorted(participants, key=lambda each: zlib.crc32(f"{around}:{each.session_id}".encode()))


def _fronted(chosen: list[Entry]) -> list[Entry]:
    return sorted(chosen, key=_front)


def _front(entry: Entry) -> tuple[int, ...]:
    return (not entry.participant.is_pinned, _pin(entry.participant), not entry.is_share)


def _pin(participant: ParticipantView) -> int:
    return participant.pin_order if participant.is_pinned else 0


def _priority(entry: Entry) -> tuple[int, ...]:
    participant = entry.participant
    return (
        not participant.is_pinned,
        _pin(participant),
        not entry.is_share,
        not shares(participant),
        not participant.is_dominant_speaker,
        not (shows(participant) or entry.is_share),
    )


def _standing(entry: Entry) -> tuple[int, ...]:
    """The priority that does not change with every sentence spoken."""
    participant = entry.participant
    return (*_front(entry), not (shows(participant) or entry.is_share))


def _in_slots(chosen: Iterable[Entry], slots: Sequence[Key]) -> list[Entry]:
    by_key = {entry.key: entry for entry in chosen}
    known = set(slots)
    newcomers = iter([entry for key, entry in by_key.items() if key not in known])
    placed = [by_key[key] if key in by_key else next(newcomers, None) for key in slots]
    return [entry for entry in (*placed, *newcomers) if entry is not None]
