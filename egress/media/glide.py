"""Tiles on their way from their places in one scene to those in the next one. Pure; times are monotonic seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from layouts.scene import Rect, Scene, Tile

Key = tuple[str, bool]
"""Whose tile it is, and whether it shows their screen."""


@dataclass(frozen=True, slots=True)
class Glide:
    """To the places of ``scene``, from ``starts``; a tile that has no start is at its place at once."""

    scene: Scene
    starts: Mapping[Key, Rect]
    began: float
    seconds: float

    def over(self, when: float) -> bool:
        return when >= self.began + self.seconds

    def places(self, when: float) -> list[Rect]:
        """Where each tile of the scene is; even, and inside the canvas."""
        share = min(1.0, max(0.0, (when - self.began) / self.seconds))
        part = share * share * (3 - 2 * share)
        return [_between(self.starts.get(key_of(tile), tile.rect), tile.rect, part) for tile in self.scene.tiles]


def next_glide(before: Scene | None, glide: Glide | None, scene: Scene, when: float) -> Glide | None:
    """What follows when ``scene`` comes after ``before``, in which tiles may be gliding still; None for a cut."""
    if before is None or scene.transition_ms <= 0 or (before.width, before.height) != (scene.width, scene.height):
        return None
    places = [tile.rect for tile in before.tiles] if glide is None else glide.places(when)
    targets = {key_of(tile): tile.rect for tile in before.tiles}
    now = dict(zip(targets, places, strict=False)) if len(targets) == len(places) else targets
    moving = {key_of(tile): tile.rect for tile in scene.tiles if now.get(key_of(tile), tile.rect) != tile.rect}
    if not moving:
        return None
    if glide is not None and all(targets[key] == place for key, place in moving.items()):
        # The way is the same: who speaks, or who came beside it, must not slow it down.
        return Glide(scene, {key: glide.starts[key] for key in moving}, glide.began, glide.seconds)
    return Glide(scene, {key: now[key] for key in moving}, when, scene.transition_ms / 1000)


def key_of(tile: Tile) -> Key:
    return tile.session_id, tile.source == "screen_share"


def _between(start: Rect, end: Rect, part: float) -> Rect:
    left, top = _even(start.x, end.x, part), _even(start.y, end.y, part)
    right, bottom = _even(start.right, end.right, part), _even(start.bottom, end.bottom, part)
    return Rect(left, top, max(2, right - left), max(2, bottom - top))


def _even(start: int, end: int, part: float) -> int:
    return round((start + (end - start) * part) / 2) * 2
