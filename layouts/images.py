"""Where painters get pictures from. Whoever fetches them is outside: they come later, or never."""

from __future__ import annotations

from typing import Any, Protocol


class ImageSource(Protocol):
    """Pictures by their address, asked for on the painting thread."""

    @property
    def generation(self) -> int:
        """Another number whenever a picture has come that was asked for: what was painted may look different now."""
        ...

    def get(self, address: str) -> Any | None:
        """The picture (skia.Image, sRGB) at a URL, or None while there is none. Never waits for it.

        The same object comes back as long as the picture is the same one.
        """
        ...


class NoImages:
    """Has no pictures: logos and backdrops stay away, placeholders show initials."""

    @property
    def generation(self) -> int:
        return 0

    def get(self, address: str) -> Any | None:
        return None
