"""Connections to servers that are kept between looks, and closed when nobody has looked for a while."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

IDLE = 30.0
"""Seconds without a look after which the connections to a server are closed."""


class Closes(Protocol):
    async def close(self) -> None:
        """Let go of every connection."""
        ...


ServerT = TypeVar("ServerT", bound=Closes)


@dataclass(slots=True)
class _Kept(Generic[ServerT]):
    server: ServerT
    used: float = 0.0
    asking: int = 0
    """Requests under way."""


class KeptServers(Generic[ServerT]):
    """Servers by whatever tells them apart. Event loop only."""

    def __init__(self, name: str, idle: float = IDLE) -> None:
        """``name`` is that of the task which closes what is idle."""
        self._name = name
        self._idle = idle
        self._servers: dict[Hashable, _Kept[ServerT]] = {}
        self._sweeping: asyncio.Task[None] | None = None

    @contextmanager
    def asked(self, key: Hashable, make: Callable[[], ServerT]) -> Iterator[ServerT]:
        """The server while it is asked something: made when there is none yet, and not closed meanwhile."""
        kept = self._servers.get(key)
        if kept is None:
            kept = self._servers[key] = _Kept(make())
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep(), name=self._name)
        kept.asking += 1
        kept.used = asyncio.get_running_loop().time()
        try:
            yield kept.server
        finally:
            kept.asking -= 1

    async def close(self) -> None:
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
        servers, self._servers = list(self._servers.values()), {}
        await asyncio.gather(*(kept.server.close() for kept in servers))

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle / 2)
            for key, kept in list(self._servers.items()):
                if not kept.asking and loop.time() - kept.used >= self._idle:
                    del self._servers[key]
                    await kept.server.close()
