"""Looks into many rooms of a Janus over one session that stays: one request a look."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any

from egress.call.janus.address import JanusAddress
from egress.call.janus.client import Event, Handle, JanusError, Session
from egress.call.janus.refusal import refusal
from egress.call.janus.roster import guests, roster
from egress.call.model import Participant

IDLE = 30.0
"""Seconds without a look after which a server's session is closed."""


class JanusWatcher:
    """See :class:`egress.call.connector.Watcher`."""

    def __init__(self, idle: float = IDLE) -> None:
        self._idle = idle
        self._servers: dict[tuple[str, ...], _Server] = {}
        self._sweeping: asyncio.Task[None] | None = None

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room. Nothing is joined: a handle without a room is seen by nobody."""
        secrets = [s.get_secret_value() if s else "" for s in (address.apisecret, address.token)]
        server = self._servers.setdefault((address.url, *secrets), _Server(address))
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep(), name="janus watcher")
        try:
            answer = await server.ask({"request": "listparticipants", "room": address.room, **address.credentials})
        except JanusError as error:
            final = refusal(error)
            if final is not None:
                raise final from error
            raise ConnectionError(f"Janus refuses ({error})") from error
        return list(roster(guests(answer.data, address.pattern)).participants.values())

    async def close(self) -> None:
        sweeping, self._sweeping = self._sweeping, None
        if sweeping is not None:
            sweeping.cancel()
            await asyncio.gather(sweeping, return_exceptions=True)
        servers, self._servers = list(self._servers.values()), {}
        await asyncio.gather(*(server.close() for server in servers))

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._idle / 2)
            for key, server in list(self._servers.items()):
                if not server.asking and loop.time() - server.used >= self._idle:
                    del self._servers[key]
                    await server.close()


class _Server:
    """One Janus, with the credentials by which it is asked."""

    def __init__(self, address: JanusAddress) -> None:
        self._address = address
        self._opening = asyncio.Lock()
        self._open: tuple[Session, Handle] | None = None
        self.asking = 0
        """Requests under way."""
        self.used = asyncio.get_running_loop().time()

    async def ask(self, body: dict[str, Any]) -> Event:
        """Raises JanusError when Janus refuses, OSError when it is away."""
        self.asking += 1
        self.used = asyncio.get_running_loop().time()
        try:
            stood = self._open is not None
            try:
                return await self._ask(body)
            except (JanusError, OSError) as error:
                if not stood or (isinstance(error, JanusError) and error.plugin):
                    raise
            # The session may be one that a Janus of before its restart knew.
            return await self._ask(body)
        finally:
            self.asking -= 1

    async def close(self) -> None:
        opened, self._open = self._open, None
        if opened is not None:
            await opened[0].close()

    async def _ask(self, body: dict[str, Any]) -> Event:
        session, handle = await self._ready()
        try:
            return await handle.request(body)
        except JanusError as error:
            if not error.plugin:
                await self._give_up(session)
            raise
        except OSError:
            await self._give_up(session)
            raise

    async def _give_up(self, session: Session) -> None:
        """Make a new session for the next look; who else waits in this one is told."""
        if self._open is not None and self._open[0] is session:
            await self.close()

    async def _ready(self) -> tuple[Session, Handle]:
        async with self._opening:
            if self._open is not None and not self._open[0].lost.done():
                return self._open
            await self.close()
            session = Session(self._address.url, apisecret=self._address.apisecret, token=self._address.token)
            try:
                await session.open()
                self._open = (session, await session.attach())
            except BaseException:
                with contextlib.suppress(OSError):
                    await session.close()
                raise
            return self._open
