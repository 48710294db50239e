"""How a call came in, as a table for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from egress.protocol.reception import ParticipantReception, Reception, Spells, TrackReception


def told(reception: Mapping[str, Any]) -> Iterator[Table | str]:
    """Of each attendant, the oldest first: what was amiss in a line, its participants and their tracks in a table."""
    if left_out := reception["left_out"]:
        yield f"{left_out} attendants before these are left out"
    for entry in reception["attendants"]:
        one = Reception.model_validate(entry)
        until = f"{one.end_time:%H:%M:%S}{', and on' if one.unfinished else ''}"
        yield f"received from {one.start_time:%Y-%m-%d %H:%M:%S} to {until} (epoch {entry['epoch']})"
        if one.away is not None:
            reasons = dict.fromkeys(spell.reason for spell in one.away.listed)
            yield f"the SFU was out of reach {_spells(one.away)}: {'; '.join(reasons)}"
        if one.participants:
            yield _table(one)
        if one.participants_left_out:
            yield f"{one.participants_left_out} more participants"


def _table(reception: Reception) -> Table:
    columns = ("participant", "connection", "track", "codec", "packets", "repaired", "lost", "frames", "sizes", "amiss")
    table = Table(*columns, box=None)
    for who in reception.participants:
        rows = [_track(track) for track in who.tracks] or [()]
        for number, row in enumerate(rows):
            first = ("", "") if number else (who.user_id, _quality(who))
            table.add_row(*(escape(cell) for cell in (*first, *row)))
    return table


def _track(track: TrackReception) -> tuple[str, ...]:
    sizes = [f"{size.width}×{size.height} {size.seconds:.0f} s" for size in track.sizes]
    if track.sizes_left_out:
        sizes.append(f"{track.sizes_left_out} more")
    amiss = [
        f"{what} {_spells(spells)}"
        for what, spells in (("silent", track.silent), ("paused by the SFU", track.paused))
        if spells is not None
    ]
    if track.unreadable is not None:
        amiss.insert(0, f"not received: {track.unreadable}")
    counts = (track.packets, track.repaired, track.lost, track.frames)
    return (track.type, track.codec, *(str(count) for count in counts), ", ".join(sizes), "; ".join(amiss))


def _quality(who: ParticipantReception) -> str:
    return ", ".join(f"{grade} {seconds:.0f} s" for grade, seconds in who.quality.items())


def _spells(spells: Spells) -> str:
    times = "once" if spells.count == 1 else f"{spells.count} times"
    return f"{times}, {spells.seconds:.1f} s"
