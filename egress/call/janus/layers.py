"""Which layer of a simulcast stream to ask for, and when to send a wish to Janus. Pure."""

from __future__ import annotations

from typing import Any

from egress.call.model import Wants

ASSUMED_HEIGHTS = (180, 360)
"""Heights of the two lower layers of the usual 720p camera. VideoRoom does not tell the real ones."""
EVERYTHING = Wants(1 << 15, 1 << 15, 240.0)
"""The wish for a stream about which nobody has said anything."""


def substream(height: int) -> int:
    """The lowest simulcast layer (0, 1 or 2) that fills a tile of so many lines."""
    for number, lines in enumerate(ASSUMED_HEIGHTS):
        if height <= lines:
            return number
    return len(ASSUMED_HEIGHTS)


def temporal(fps: float) -> int:
    """The lowest temporal layer (0, 1 or 2: a quarter, half or all of 30 pictures a second) that gives so many."""
    return 0 if fps <= 7.5 else 1 if fps <= 15 else 2


def configuration(mid: str, wish: Wants | None, *, simulcast: bool) -> dict[str, Any]:
    """One entry of ``streams`` in VideoRoom's ``configure`` request."""
    if wish is None:
        return {"mid": mid, "send": False}
    if not simulcast:
        return {"mid": mid, "send": True}
    return {"mid": mid, "send": True, "substream": substream(wish.height), "temporal": temporal(wish.fps)}
