"""What to ask LiveKit for: which tracks, and how large. Pure: times are seconds, requests are returned, not sent.

A track that nobody needs any more is first disabled, which is undone within a tenth of a second, and unsubscribed only
when that lasts. Changes of one track are put together, so that a tile that is on its way asks a few times a second.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from livekit.protocol import rtc

from egress.call.model import Wants

INTERVAL = 0.34
"""Seconds between two changes of one track."""
KEEP = 10.0
"""Seconds for which a track that nobody needs stays subscribed, disabled."""
RETRY = 2.0
"""Seconds after which a subscription that the server could not make is asked for again."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a video track is to be sent. No size means the largest."""

    disabled: bool = False
    width: int = 0
    height: int = 0
    fps: int = 0


@dataclass(slots=True)
class _Track:
    video: bool
    needed: bool = False
    wish: Wants | None = None
    unneeded_since: float = 0.0
    subscribed: bool = False
    setting: Setting | None = None
    """As it was told, if anything was."""
    changed: float = -INTERVAL

    @property
    def wanted(self) -> Setting:
        if not self.needed:
            return Setting(disabled=True)
        return (
            Setting() if self.wish is None else Setting(False, self.wish.width, self.wish.height, round(self.wish.fps))
        )


class Subscriptions:
    """By track sid: what is wanted, and what was asked for."""

    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}

    def add(self, sid: str, *, video: bool) -> None:
        """It is published."""
        self._tracks.setdefault(sid, _Track(video))

    def remove(self, sid: str) -> None:
        """It is published no more: the server ends the subscription itself."""
        self._tracks.pop(sid, None)

    def need(self, sid: str, needed: bool, now: float) -> None:
        track = self._tracks.get(sid)
        if track is not None and track.needed != needed:
            track.needed = needed
            track.unneeded_since = now

    def wish(self, sid: str, wish: Wants | None) -> None:
        """How large it is needed; None when that does not matter."""
        if (track := self._tracks.get(sid)) is not None:
            track.wish = wish

    def failed(self, sid: str, now: float) -> None:
        """The server could not make the subscription."""
        if (track := self._tracks.get(sid)) is not None:
            track.subscribed, track.setting = False, None
            track.changed = now + RETRY - INTERVAL

    def forget(self) -> None:
        """Whoever is asked next knows nothing of us."""
        for track in self._tracks.values():
            track.subscribed, track.setting, track.changed = False, None, -INTERVAL

    @property
    def subscribed(self) -> list[str]:
        return [sid for sid, track in self._tracks.items() if track.subscribed]

    @property
    def disabled(self) -> list[str]:
        return [sid for sid, t in self._tracks.items() if t.subscribed and t.setting is not None and t.setting.disabled]

    def due(self, now: float) -> list[rtc.SignalRequest]:
        """What to ask for now; counts as asked."""
        settings: list[rtc.SignalRequest] = []
        come, go = list[str](), list[str]()
        for sid, track in self._tracks.items():
            if now < track.changed + INTERVAL or not self._differs(track, now):
                continue
            track.changed = now
            wanted = track.wanted
            if track.video and track.setting != wanted and (track.needed or track.subscribed):
                track.setting = wanted
                # Told before the subscription, so that it begins with the right layer.
                settings.append(_settings(sid, wanted))
            if track.needed and not track.subscribed:
                track.subscribed = True
                come.append(sid)
            elif not track.needed and track.subscribed and now >= track.unneeded_since + KEEP:
                track.subscribed, track.setting = False, None
                go.append(sid)
        return [*settings, *_subscriptions(come, True), *_subscriptions(go, False)]

    def next_due(self, now: float) -> float | None:
        """When to look again though nothing happens meanwhile."""
        times = [track.changed + INTERVAL for track in self._tracks.values() if self._differs(track, now)]
        times += [t.unneeded_since + KEEP for t in self._tracks.values() if t.subscribed and not t.needed]
        return min(times, default=None)

    def _differs(self, track: _Track, now: float) -> bool:
        if track.needed:
            return not track.subscribed or (track.video and track.setting != track.wanted)
        if not track.subscribed:
            return False
        return (track.video and track.setting != track.wanted) or now >= track.unneeded_since + KEEP


def _settings(sid: str, setting: Setting) -> rtc.SignalRequest:
    return rtc.SignalRequest(
        track_setting=rtc.UpdateTrackSettings(
            track_sids=[sid], disabled=setting.disabled, width=setting.width, height=setting.height, fps=setting.fps
        )
    )


def _subscriptions(sids: Iterable[str], subscribe: bool) -> list[rtc.SignalRequest]:
    asked = list(sids)
    if not asked:
        return []
    return [rtc.SignalRequest(subscription=rtc.UpdateSubscription(track_sids=asked, subscribe=subscribe))]
