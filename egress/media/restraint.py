"""What is kept back of participants on its way into programs: pictures blurred or hidden, voices silent.

A restraint begins at once, also for what was taken before it and is not composed yet: nobody knows how long ago there
was a reason for it. It ends at its own time: what was taken under it stays kept back, however late it is composed.

Said on the event loop, asked on the media thread; what lies between them is replaced as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from egress.media.video_source import Picture, TrackKey
from egress.protocol.directions import ModeratedVideo

_FORGOTTEN = 60.0
"""Seconds after its end for which a restraint is remembered: longer than anything waits to be composed."""


@dataclass(frozen=True, slots=True)
class _Restraint:
    session_id: str
    video: ModeratedVideo
    silent: bool
    until: float | None = None
    """None while it is in force."""


class Restraints:
    """Of all participants of a call. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._known: tuple[_Restraint, ...] = ()

    def say(self, session_id: str, video: ModeratedVideo, silent: bool, now: float) -> None:
        """What holds for a participant from now on, in the place of what held before."""
        kept = [one for one in self._known if one.until is None or now - one.until < _FORGOTTEN]
        for n, one in enumerate(kept):
            if one.session_id == session_id and one.until is None:
                if (one.video, one.silent) == (video, silent):
                    return
                kept[n] = replace(one, until=now)
        if video != "show" or silent:
            kept.append(_Restraint(session_id, video, silent))
        self._known = tuple(kept)

    def forget(self, session_id: str, now: float) -> None:
        """They left: what holds for them holds for what they sent."""
        self._known = tuple(
            replace(one, until=now + _FORGOTTEN) if one.session_id == session_id and one.until is None else one
            for one in self._known
        )

    def shown(self, pictures: Mapping[TrackKey, Picture]) -> Mapping[TrackKey, Picture]:
        """The pictures that may be shown; those that are to be blurred are marked."""
        known = self._known
        if not known:
            return pictures
        result: dict[TrackKey, Picture] = {}
        for key, picture in pictures.items():
            words = {one.video for one in known if one.session_id == key[0] and _holds(one, picture.time)}
            if "hide" not in words:
                result[key] = replace(picture, blurred=True) if "blur" in words else picture
        return result

    def silenced(self, when: float) -> frozenset[str]:
        """Whose voices may not be heard of what was said at ``when``."""
        return frozenset(one.session_id for one in self._known if one.silent and _holds(one, when))


def _holds(one: _Restraint, taken: float) -> bool:
    return one.until is None or taken < one.until
