"""Which way up a canvas is: as its quality says, or as the cameras of a call are."""

from __future__ import annotations

from layouts.ranking import shares, shows
from layouts.scene import CallView


def canvas_size(quality_size: tuple[int, int], detect: bool, call: CallView) -> tuple[int, int]:
    """The size of the canvas for a quality's (width, height).

    With ``detect`` a landscape quality is turned where more than half of the pictures that may be seen, and whose shape
    is known, are taller than wide. A shared screen counts as one that is not; a portrait quality stays as it is.
    """
    width, height = quality_size
    if not detect or height >= width:
        return quality_size
    tall = sum(shows(guest) and guest.is_portrait is True for guest in call.participants)
    wide = sum(shows(guest) and guest.is_portrait is False for guest in call.participants)
    wide += sum(shares(guest) for guest in call.participants)
    return (height, width) if tall > wide else (width, height)
