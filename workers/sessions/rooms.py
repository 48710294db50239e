"""Looks into rooms through their SFUs' APIs, a bounded number at once, and never too many at one server."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import urlsplit

from egress.call.connector import ConnectorError, Watcher, connector, watcher
from workers.calls.projects import NO_PROJECT, Projects, resolved
from workers.sentences import At

AT_ONCE = 96
"""Looks that may be under way at the same time."""
AT_ONE_SERVER = 8
"""Of these, at one server: one that does not answer must not keep the others from being asked."""


class Rooms:
    """Asks rooms who is there. What it keeps open for that is closed by :meth:`close`."""

    def __init__(self, projects: Projects) -> None:
        self._projects = projects
        self._all = asyncio.Semaphore(AT_ONCE)
        self._servers: dict[str, asyncio.Semaphore] = {}
        self._watchers: dict[str, Watcher] = {}

    async def guests(self, address: dict[str, Any]) -> int:
        """How many guests are in the room.

        Raises ConnectorError when the room refuses us, OSError when the SFU is away, ValidationError when the address
        is none.
        """
        type_ = str(address.get("type"))
        try:
            whole = resolved(address, self._projects)
        except At as error:
            raise ConnectorError(NO_PROJECT, f"connector.{'; '.join(error.lines)}") from None
        parsed = connector(type_).Address.model_validate(whole)
        server = f"{type_} {urlsplit(str(whole.get('url', ''))).netloc}"
        async with self._servers.setdefault(server, asyncio.Semaphore(AT_ONE_SERVER)), self._all:
            if type_ not in self._watchers:
                self._watchers[type_] = watcher(type_)
            return len(await self._watchers[type_].watch(parsed))

    async def close(self) -> None:
        watchers, self._watchers = self._watchers, {}
        for found in watchers.values():
            with contextlib.suppress(OSError):
                await found.close()
