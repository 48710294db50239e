"""What an attendance tells: a task finds it out, one listener takes it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from egress.call.connector import ConnectorError
from egress.call.model import CallEvent, Ended


class News:
    """Events in their order, until the call has ended, the task has been refused, or nobody listens any more."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[CallEvent | ConnectorError | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._closed = False

    def tell(self, what: CallEvent | ConnectorError) -> None:
        """An event; or why there will be no more, which is raised where they are listened to."""
        self._queue.put_nowait(what)

    async def found_by(self, work: Callable[[], Coroutine[Any, Any, None]]) -> AsyncIterator[CallEvent]:
        """What the work tells, which goes on beside. Once; nothing after :meth:`close`. Raises ConnectorError."""
        if self._closed or self._task is not None:
            return
        self._task = asyncio.create_task(work())
        while (item := await self._queue.get()) is not None:
            if isinstance(item, ConnectorError):
                raise item
            yield item
            if isinstance(item, Ended):
                return

    def close(self) -> None:
        """Tell nothing more; the work goes on until :meth:`stop`."""
        self._closed = True
        self._queue.put_nowait(None)

    async def stop(self) -> None:
        """Close, and end the work."""
        self.close()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
