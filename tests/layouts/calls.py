"""Calls to lay out: guests by number, each with a camera unless said otherwise."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from layouts.scene import CallView, ParticipantView, Scene, Tile


def guest(number: int, name: str | None = None) -> ParticipantView:
    return ParticipantView(
        session_id=f"s{number}",
        user_id=f"user-{number}",
        name=f"Guest {number}" if name is None else name,
        has_video=True,
        has_audio=True,
        joined_at=float(number),
    )


def call_of(
    numbers: int | Collection[int],
    *,
    speaking: Collection[int] = (),
    dominant: int | None = None,
    pinned: Collection[int] = (),
    sharing: Collection[int] = (),
    without_video: Collection[int] = (),
) -> CallView:
    """Guests in the order of joining: the first so many, or those numbers."""
    present = range(numbers) if isinstance(numbers, int) else numbers
    return CallView(
        tuple(
            replace(
                guest(number),
                is_speaking=number in speaking,
                is_dominant_speaker=number == dominant,
                is_pinned=number in pinned,
                has_screen_share=number in sharing,
                has_video=number not in without_video,
            )
            for number in present
        )
    )


def shown(scene: Scene) -> list[str]:
    """What fills the tiles, in order: "3" for the camera of guest 3, "3*" for their screen."""
    return [tile.session_id[1:] + ("*" if tile.source == "screen_share" else "") for tile in scene.tiles]


def tile_of(scene: Scene, number: int) -> Tile:
    [found] = [tile for tile in scene.tiles if tile.session_id == f"s{number}" and tile.source != "screen_share"]
    return found
