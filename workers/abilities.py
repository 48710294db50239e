"""The table of what each connector can do, made from what the connectors declare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from egress.call.connector import BUILT_IN, Abilities, connector

_YES: Mapping[bool | str, str] = {True: "yes", False: "no"}
_ROWS: Mapping[str, tuple[str, Mapping[bool | str, str]]] = {
    "participants_told": ("who joins and leaves", {True: "told at once", False: "asked again and again"}),
    "names_change": ("names, roles and images change during the call", _YES),
    "screen_share": ("shared screens", _YES),
    "screen_share_audio": ("the sound of shared screens", _YES),
    "renegotiated_tracks": ("tracks that begin or end in the middle of the call", _YES),
    "muted_told": ("a track that is published and muted is told as such", _YES),
    "speakers": (
        "who speaks",
        {"rtp levels": "audio levels in RTP (RFC 6464)", "told": "told by the server"},
    ),
    "pause": ("a track that is not shown is not sent to us", _YES),
    "layers": ("a smaller picture for a smaller tile, when the publisher sends simulcast", _YES),
    "resume": ("lost signalling is taken up again while media goes on", _YES),
    "connection_quality": ("how well each participant is connected", _YES),
    "room_metadata": ("metadata of the room", _YES),
    "tell_room": ("clients in the room can be told of recordings", _YES),
}


def table() -> str:
    """The table as Markdown: a row an ability, a column a connector that is built in."""
    return "\n".join(_lines(sorted(BUILT_IN)))


def _lines(names: list[str]) -> Iterator[str]:
    able = [connector(name).abilities for name in names]
    yield f"| | {' | '.join(f'`{name}`' for name in names)} |"
    yield f"| --- |{' --- |' * len(names)}"
    for field in fields(Abilities):
        label, texts = _ROWS[field.name]
        yield f"| {label} | {' | '.join(texts[getattr(one, field.name)] for one in able)} |"
