"""What callers say of participants: who comes first, and what may be seen and heard of whom.

It is said for the session: the picture follows it in every program, whenever that began.
"""

from __future__ import annotations

from typing import Literal

from egress.protocol.model import Strict

ModeratedVideo = Literal["show", "blur", "hide"]
"""What is seen of somebody's camera and shared screen."""
ModeratedAudio = Literal["keep", "silence"]
"""What is heard of somebody."""


class Pin(Strict):
    """Somebody who comes first: a user, or (``participant``) one participant by their session id."""

    user_id: str | None = None
    participant: str | None = None


class Moderated(Strict):
    """What may be seen and heard of a user, wherever they joined from."""

    user_id: str
    video: ModeratedVideo = "show"
    audio: ModeratedAudio = "keep"


class Directions(Strict):
    """All that is said of participants, as it is now. ``pins`` has the latest first."""

    pins: tuple[Pin, ...] = ()
    moderation: tuple[Moderated, ...] = ()
