"""What the lives of all sessions of a worker share: one look into the ledger, and looks into rooms that take turns."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

from workers.calls.projects import Projects
from workers.ledger import sessions
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.sessions import Mark
from workers.sessions.rooms import Rooms

log = logging.getLogger(__name__)

INTERVAL = 0.4
"""Seconds between two looks into the ledger: what a message changes counts within a second."""


class Lookout:
    """Tells sessions when something in the ledger concerns them. It works while at least one of them listens."""

    def __init__(self, projects: Projects) -> None:
        self._told: dict[str, Callable[[], None]] = {}
        self._projects = projects
        self._rooms = Rooms(projects)
        self._task: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def following(self, ledger: AsyncLedger, session_id: str, changed: Callable[[], None]) -> Iterator[None]:
        """Call ``changed`` whenever the session, its egresses or its call's settings are different."""
        self._told[session_id] = changed
        if self._task is None:
            self._rooms = Rooms(self._projects)
            self._task = asyncio.create_task(self._look(ledger, self._rooms), name="lookout")
        try:
            yield
        finally:
            if self._told.get(session_id) is changed:
                del self._told[session_id]
            if not self._told and self._task is not None:
                self._task.cancel()
                self._task = None

    async def guests(self, address: dict[str, Any]) -> int:
        """See :meth:`workers.sessions.rooms.Rooms.guests`."""
        return await self._rooms.guests(address)

    async def _look(self, ledger: AsyncLedger, rooms: Rooms) -> None:
        known: dict[str, Mark] = {}
        try:
            while True:
                ids = tuple(self._told)
                try:
                    seen = await ledger.read(lambda tx, ids=ids: sessions.marks(tx, ids))  # type: ignore[misc]
                except Exception:
                    log.exception("the sessions could not be looked at")
                    seen = known
                for session_id, mark in seen.items():
                    if session_id in known and known[session_id] != mark and session_id in self._told:
                        self._told[session_id]()
                # One that has just come looks by itself first, but may have done so before what was read here.
                for session_id in seen.keys() - known.keys():
                    if session_id in self._told:
                        self._told[session_id]()
                known = seen
                await asyncio.sleep(INTERVAL)
        finally:
            await rooms.close()
