"""Who is shown, and in which order: pinned, then screen share, then dominant speaker, then has video.

Among equals who was visible stays visible, and then the order of joining decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from layouts.scene import CallView, ParticipantView, Scene

Key = tuple[str, bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """What can fill one tile: a participant's camera, or their shared screen."""

    participant: ParticipantView
    is_share: bool

    @property
    def key(self) -> Key:
        return (self.participant.session_id, self.is_share)


def visible_keys(scene: Scene | None) -> tuple[Key, ...]:
    """What a scene shows, in its order."""
    if scene is None:
        return ()
    return tuple(dict.fromkeys((tile.session_id, tile.source == "screen_share") for tile in scene.tiles))


def foremost(call: CallView, previous: Scene | None) -> Entry | None:
    """Who takes the stage; their screen, if they share it. None in an empty call."""
    was_first = previous.tiles[0].session_id if previous and previous.tiles else None

    def rank(participant: ParticipantView) -> tuple[bool, ...]:
        return (
            not participant.is_pinned,
            not participant.has_screen_share,
            not participant.is_dominant_speaker,
            not participant.has_video,
            participant.session_id != was_first,
        )

    first = min(call.participants, key=rank, default=None)
    return Entry(first, first.has_screen_share) if first else None


def entries(call: CallView) -> list[Entry]:
    """Everything that could have a tile: every shared screen, and every participant."""
    shares = [Entry(participant, True) for participant in call.participants if participant.has_screen_share]
    return shares + [Entry(participant, False) for participant in call.participants]


def choose(candidates: Sequence[Entry], slots: Sequence[Key], capacity: int) -> list[Entry]:
    """At most ``capacity`` of the candidates, in the order in which they are to be shown.

    ``slots`` is the order of the previous scene: who was visible keeps their place whoever speaks, a newcomer takes the
    place of who left, and only a pin or a shared screen moves to the front.
    """
    visible = set(slots)
    # Who joined too late to be shown but was once brought in by speaking stays in, so that two of
    # them who talk with each other do not take turns in one tile.
    default = {entry.key for entry in sorted(candidates, key=_standing)[:capacity]}

    def rank(entry: Entry) -> tuple[bool, ...]:
        seen = entry.key in visible
        return (*_priority(entry), not seen, not (seen and entry.key not in default))

    chosen = sorted(candidates, key=rank)[:capacity]
    return sorted(_in_slots(chosen, slots), key=lambda entry: (not entry.participant.is_pinned, not entry.is_share))


def _priority(entry: Entry) -> tuple[bool, ...]:
    participant = entry.participant
    return (
        not participant.is_pinned,
        not entry.is_share,
        not participant.has_screen_share,
        not participant.is_dominant_speaker,
        not (participant.has_video or entry.is_share),
    )


def _standing(entry: Entry) -> tuple[bool, ...]:
    """The priority that does not change with every sentence spoken."""
    participant = entry.participant
    return (not participant.is_pinned, not entry.is_share, not (participant.has_video or entry.is_share))


def _in_slots(chosen: Iterable[Entry], slots: Sequence[Key]) -> list[Entry]:
    by_key = {entry.key: entry for entry in chosen}
    newcomers = iter([entry for entry in by_key.values() if entry.key not in slots])
    placed = [by_key[key] if key in by_key else next(newcomers, None) for key in slots]
    return [entry for entry in (*placed, *newcomers) if entry is not None]
