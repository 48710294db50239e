"""What people should know of a call although it stops nothing: told once for each cause, and never in a flood."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from egress.call.model import Participant, TrackType, TrackUnreadable
from egress.composite import utc
from egress.protocol import TrackName, Warned

log = logging.getLogger(__name__)

MOST = 100
"""Warnings of one attendant."""

TRACK_UNREADABLE = "track_unreadable"

_CALLED = {
    TrackType.AUDIO: "microphone",
    TrackType.VIDEO: "camera",
    TrackType.SCREEN_SHARE: "shared screen",
    TrackType.SCREEN_SHARE_AUDIO: "sound of the shared screen",
}


class Warnings:
    """Tells warnings of one call."""

    def __init__(self, tell: Callable[[Warned], None]) -> None:
        self._tell = tell
        self._told: set[tuple[str, str, str]] = set()
        """Code, participant and track of each."""

    def unreadable(self, event: TrackUnreadable, who: Participant) -> None:
        """Something that a participant publishes cannot be received."""
        codec = f" ({event.codec})" if event.codec else ""
        message = f"the {_CALLED[event.type]} of {who.name or who.user_id} is not received: {event.reason}{codec}"
        self._warn(TRACK_UNREADABLE, message, who, event.type.value)

    def _warn(self, code: str, message: str, who: Participant, track: TrackName) -> None:
        subject = (code, who.session_id, track)
        if subject in self._told:
            return
        if len(self._told) >= MOST:
            log.warning("%s (%s), one warning too many to be told", message, code)
            return
        self._told.add(subject)
        log.warning("%s (%s)", message, code)
        self._tell(
            Warned(
                at=utc(time.time()),
                code=code,
                message=message,
                participant=who.session_id,
                user_id=who.user_id,
                track=track,
            )
        )
