"""When a recording begins: not before the first pictures are there, so that none begins with placeholders; but soon.

Pure: ``waited`` is how many seconds ago the room was joined, None before that.
"""

from __future__ import annotations

from collections.abc import Iterable

from egress.call.state import TrackState

FIRST_MEDIA = 0.25
"""Seconds after joining in which tracks may still be told before a recording begins."""
FIRST_PICTURE = 0.8
"""Seconds after joining after which a recording begins even if a picture has not come."""
FIRST_SHAPES = 1.5
"""Seconds after joining for which a recording waits whose canvas is to be turned as the first pictures are."""
FIRST_DRAWING = 10.0
"""Seconds after joining after which a recording begins even if nothing is painted."""


def may_orient(waited: float | None, shown: Iterable[TrackState | None]) -> bool:
    """Whether the shapes of all that is ``shown`` are known, or were waited for long enough; None is a track gone."""
    if waited is None or waited < FIRST_MEDIA:
        return False
    return waited >= FIRST_SHAPES or all(track is None or track.portrait is not None for track in shown)


def may_begin(waited: float | None, *, painted: bool, come: bool) -> bool:
    """Whether to begin: ``painted`` is whether there is a scene to show, ``come`` whether its pictures are there."""
    if waited is None or (not painted and waited < FIRST_DRAWING):
        return False
    return waited >= FIRST_PICTURE or (waited >= FIRST_MEDIA and come)
