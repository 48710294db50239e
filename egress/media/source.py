"""What a stage needs of its sources: pictures and sound, by the time at which they happened."""

from __future__ import annotations

from typing import Protocol

from egress.media.decode import Samples
from egress.media.video_source import Picture


class PictureSource(Protocol):
    """Called on the media thread."""

    def advance(self, until: float) -> Picture | None:
        """The picture to show at ``until`` (monotonic seconds), None before the first."""
        ...


class SoundSource(Protocol):
    """Called on the media thread. Samples are counted on the stage's timeline, at SAMPLE_RATE."""

    def begin(self, sample: int) -> None:
        """The mix will be read from ``sample`` on."""
        ...

    def advance(self, until: float, origin: float) -> None:
        """Make ready what happened before ``until``; sample 0 is at ``origin`` (both monotonic seconds)."""
        ...

    def add_to(self, mix: Samples, start: int) -> bool:
        """Add samples ``start`` to ``start + len(mix)`` to ``mix`` and forget them; True if there were any."""
        ...
