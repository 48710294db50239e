"""Where painters get pictures from. Whoever fetches them is outside: they come later, or never."""

from __future__ import annotations

from typing import Any, Protocol

CANVAS_SIDE = 2560
"""Pixels of the longer side that a picture for the whole canvas has at most: those of the largest canvas."""
AVATAR_SIDE = 512
"""The same for the picture of a person, of which there may be a hundred."""


class ImageSource(Protocol):
    """Pictures by their address, asked for on the painting thread."""

    @property
    def generation(self) -> int:
        """Another number whenever a picture has come that was asked for: what was painted may look different now."""
        ...

    def get(self, address: str, side: int) -> Any | None:
        """The picture (skia.Image, sRGB) at an address, or None while there is none. Never waits for it.

        A larger picture than ``side`` pixels, one of the sides above, is made so small. The same object comes back as
        long as the picture is the same one.
        """
        ...


class NoImages:
    """Has no pictures: logos and backdrops stay away, placeholders show initials."""

    @property
    def generation(self) -> int:
        return 0

    def get(self, address: str, side: int) -> Any | None:
        return None
