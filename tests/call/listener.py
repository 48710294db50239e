"""Listens to an attendance as an attendant would: keeps its events and counts the frames of its tracks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Self, TypeVar

from egress.call.connector import Attendance
from egress.call.model import CallEvent, TrackAdded, TrackType
from egress.rtc.track import EncodedFrame

Event = TypeVar("Event")


class Listener:
    """``async with Listener(attendance) as call``: events and frames from the start to the end."""

    def __init__(self, attendance: Attendance) -> None:
        self.attendance = attendance
        self.events: list[CallEvent] = []
        self.times: list[float] = []
        self.began = time.monotonic()
        self.frames: dict[tuple[str, TrackType], list[EncodedFrame]] = {}
        self.error: BaseException | None = None
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        try:
            async with asyncio.timeout(10):
                await self.attendance.close()
                await self._task
        except TimeoutError:
            for task in asyncio.all_tasks():
                task.print_stack()
            raise

    async def _listen(self) -> None:
        try:
            async for event in self.attendance.events():
                self.events.append(event)
                self.times.append(time.monotonic() - self.began)
                if isinstance(event, TrackAdded):
                    event.media.listen(self.frames.setdefault((event.session_id, event.type), []).append)
        except Exception as error:
            self.error = error

    async def until(self, condition: Callable[[], object], timeout: float = 5.0) -> None:
        """Wait for something to be so, looking again and again."""
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, f"waited {timeout} s in vain; {self.events[-8:]}, {self.error!r}"
            await asyncio.sleep(0.01)

    async def hears(self, kind: type[Event], timeout: float = 5.0, **attributes: Any) -> Event:
        """Wait for an event of a kind with these attributes, and return it."""

        def fits(event: object) -> bool:
            return isinstance(event, kind) and all(getattr(event, k) == v for k, v in attributes.items())

        await self.until(lambda: any(map(fits, self.events)), timeout)
        found = next(event for event in self.events if fits(event))
        assert isinstance(found, kind)
        return found

    async def receives(self, session_id: str, track: TrackType, count: int = 1, timeout: float = 5.0) -> None:
        """Wait for so many frames more than there are."""
        so_far = len(self.frames.get((session_id, track), []))
        await self.until(lambda: len(self.frames.get((session_id, track), [])) >= so_far + count, timeout)

    async def rate(self, session_id: str, track: TrackType, seconds: float = 1.0) -> float:
        """Frames per second from now on."""
        frames = self.frames[session_id, track]
        before = len(frames)
        await asyncio.sleep(seconds)
        return (len(frames) - before) / seconds

    def told(self, *kinds: type) -> list[CallEvent]:
        return [event for event in self.events if isinstance(event, kinds)]
