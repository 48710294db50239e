"""What people should know of a call although it stops nothing: told once for each cause, and never in a flood."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from egress.call.model import Participant, TrackType, TrackUnreadable
from egress.composite import utc
from egress.protocol.reports import Warned

log = logging.getLogger(__name__)

MOST = 100
"""Warnings of one attendant."""

TRACK_UNREADABLE = "track_unreadable"
PICTURE_UNAVAILABLE = "picture_unavailable"

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
        self._told: set[tuple[str, ...]] = set()
        """Code and subject of each: participant and track, where a picture is, or an egress and what it lacks."""

    def unreadable(self, event: TrackUnreadable, who: Participant) -> None:
        """Something that a participant publishes cannot be received."""
        codec = f" ({event.codec})" if event.codec else ""
        message = f"the {_CALLED[event.type]} of {who.name or who.user_id} is not received: {event.reason}{codec}"
        self._warn(
            Warned(
                at=utc(time.time()),
                code=TRACK_UNREADABLE,
                message=message,
                participant=who.session_id,
                user_id=who.user_id,
                track=event.type.value,
            ),
            who.session_id,
            event.type.value,
        )

    def unavailable(self, picture: str, reason: str) -> None:
        """A picture (an avatar, a logo, a backdrop) cannot be had."""
        message = f"a picture is not shown: {picture}: {reason}"
        warned = Warned(at=utc(time.time()), code=PICTURE_UNAVAILABLE, message=message, picture=picture)
        self._warn(warned, picture)

    def layout(self, egress_id: str, code: str, message: str) -> None:
        """An egress's layout does not look as its style sheet says."""
        self._warn(Warned(at=utc(time.time()), code=code, message=message, egress_id=egress_id), egress_id, message)

    def _warn(self, warned: Warned, *subject: str) -> None:
        told = (warned.code, *subject)
        if told in self._told:
            return
        if len(self._told) >= MOST:
            log.warning("%s (%s), one warning too many to be told", warned.message, warned.code)
            return
        self._told.add(told)
        log.warning("%s (%s)", warned.message, warned.code)
        self._tell(warned)
