"""A call attended as the product attends it: everything that is told and every frame that comes are kept, with times.

``async with Attended(site, address) as call`` comes in and goes. Times are those of ``time.monotonic()``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import psutil

from egress.call.connector import Attending, connector
from egress.call.model import CallEvent, Joined, TrackAdded, TrackRemoved, TrackType, Wants
from egress.rtc.track import EncodedFrame, MediaTrack
from tests.connectors.site import Site

LARGEST = Wants(1280, 720, 30)
LINGERING = 1.0
"""Seconds in which what is being closed may still be about."""

Policy = Callable[[str, TrackType], Wants | None]
"""What is wanted of a track of a user (by id) when it appears; of sound only whether."""


@dataclass(slots=True)
class Received:
    """One track, from when it was told to when it was taken back."""

    session_id: str
    type: TrackType
    media: MediaTrack
    added: float
    removed: float | None = None
    frames: list[EncodedFrame] = field(default_factory=list)
    _end: Callable[[], None] | None = None

    def listen(self) -> None:
        if self._end is None:
            self._end = self.media.listen(self.frames.append)

    def stop(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    def between(self, start: float, end: float) -> list[EncodedFrame]:
        """The frames that came in that time."""
        return [frame for frame in self.frames if start <= frame.arrival < end]

    def first_since(self, moment: float) -> EncodedFrame | None:
        return next((frame for frame in self.frames if frame.arrival >= moment), None)


class Attended:
    """``wanted`` may be exchanged while it runs. ``error`` is what the connector raised, if it did."""

    def __init__(self, site: Site, address: dict[str, Any], wanted: Policy = lambda user, type_: LARGEST) -> None:
        kind = connector(site.type)
        self.attendance = kind.attend(kind.Address(**address), Attending("default:battery", site.ice))
        self.abilities = kind.abilities
        self.wanted = wanted
        self.told: list[tuple[float, CallEvent]] = []
        self.received: list[Received] = []
        self.error: Exception | None = None
        self.left_over: list[str] = []
        """What of the connector's goes on after it was closed."""
        self._users: dict[str, str] = {}
        self._before: set[asyncio.Task[Any]] = set()
        self._sockets_before: set[int] = set()
        self._listening: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._before, self._sockets_before = asyncio.all_tasks(), _sockets()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave, and once more, which does nothing."""
        assert self._listening is not None
        async with asyncio.timeout(10):
            await self.attendance.close()
            await self._listening
            await self.attendance.close()
        deadline = time.monotonic() + LINGERING
        while (left := self._going_on()) and time.monotonic() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        self.left_over = left

    def _going_on(self) -> list[str]:
        tasks = [repr(task) for task in asyncio.all_tasks() - self._before if "egress" in repr(task)]
        return tasks + [f"a socket at port {port}" for port in sorted(_sockets() - self._sockets_before)]

    def show(self, track: Received, wish: Wants | None) -> None:
        """Receive a picture this large, or not at all, as an attendant does it."""
        if wish is None:
            track.stop()
        else:
            track.listen()
        self.attendance.wants(track.session_id, track.type, wish)

    def events(self, *kinds: type[Any], start: float = 0.0, end: float = float("inf")) -> list[Any]:
        return [event for at, event in self.told if isinstance(event, kinds) and start <= at < end]

    def when(self, event: CallEvent) -> float:
        """When it was first told."""
        return next(at for at, told in self.told if told == event)

    def sessions(self, user: str) -> list[str]:
        """The session id of each coming of a user."""
        return [e.participant.session_id for e in self.events(Joined) if e.participant.user_id == user]

    def tracks(self, user: str, type_: TrackType) -> list[Received]:
        """A user's tracks of that type, one after the other."""
        return [one for one in self.received if one.type is type_ and self._users[one.session_id] == user]

    async def until(self, condition: Callable[[], object], timeout: float = 10.0) -> float | None:
        """Wait for something to be so; returns when it was, None when it did not become so in time."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return None
            await asyncio.sleep(0.01)
        return time.monotonic()

    async def flows(self, users: Iterable[str], since: float, timeout: float = 10.0) -> dict[str, float]:
        """Wait for five frames of each user's voice and camera, wanted or no longer waited for, that came since then.

        Returns how many seconds after it each user's were there; who is missing had not come in time.
        """
        there: dict[str, float] = {}
        waiting = set(users)

        def look() -> bool:
            for user in tuple(waiting):
                if all(self._has_come(user, type_, since) for type_ in (TrackType.AUDIO, TrackType.VIDEO)):
                    there[user] = time.monotonic() - since
                    waiting.discard(user)
            return not waiting

        await self.until(look, timeout)
        return there

    def _has_come(self, user: str, type_: TrackType, since: float) -> bool:
        tracks = self.tracks(user, type_)
        return bool(tracks) and len(tracks[-1].between(since, float("inf"))) >= 5

    async def _listen(self) -> None:
        try:
            async for event in self.attendance.events():
                now = time.monotonic()
                self.told.append((now, event))
                match event:
                    case Joined(who):
                        self._users[who.session_id] = who.user_id
                    case TrackAdded(session_id, type_, media):
                        track = Received(session_id, type_, media, now)
                        self.received.append(track)
                        self._begin(track)
                    case TrackRemoved(session_id, type_):
                        gone = [r for r in self.received if (r.session_id, r.type) == (session_id, type_)][-1]
                        gone.removed = now
                        gone.stop()
        except Exception as error:
            self.error = error

    def _begin(self, track: Received) -> None:
        wish = self.wanted(self._users[track.session_id], track.type)
        if not track.type.is_audio:
            self.show(track, wish)
        elif wish is not None:
            track.listen()


def _sockets() -> set[int]:
    """The ports of this process's UDP sockets, which are what media comes by."""
    return {one.laddr.port for one in psutil.Process().net_connections("udp")}
