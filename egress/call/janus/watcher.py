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
from egress.call.kept import IDLE, KeptServers
from egress.call.model import Participant


class JanusWatcher:
    """See :class:`egress.call.connector.Watcher`."""

    def __init__(self, idle: float = IDLE) -> None:
        self._servers: KeptServers[_Server] = KeptServers("janus watcher", idle)

    async def watch(self, address: Any) -> Sequence[Participant]:
        """Who is in the room. Nothing is joined: a handle without a room is seen by nobody."""
        secrets = [s.get_secret_value() if s else "" for s in (address.apisecret, address.token)]
        try:
            with self._servers.asked((address.url, *secrets), lambda: _Server(address)) as server:
                answer = await server.ask({"request": "listparticipants", "room": address.room, **address.credentials})
        except JanusError as error:
            final = refusal(error)
            if final is not None:
                raise final from error
            raise ConnectionError(f"Janus refuses ({error})") from error
        return list(roster(guests(answer.data, address.pattern)).participants.values())

    async def close(self) -> None:
        await self._servers.close()


class _Server:
    """One Janus, with the credentials by which it is asked."""

    def __init__(self, address: JanusAddress) -> None:
        self._address = address
        self._opening = asyncio.Lock()
        self._open: tuple[Session, Handle] | None = None

    async def ask(self, body: dict[str, Any]) -> Event:
        """Raises JanusError when Janus refuses, OSError when it is away."""
        stood = self._open is not None
        try:
            return await self._ask(body)
        except (JanusError, OSError) as error:
            if not stood or (isinstance(error, JanusError) and error.plugin):
                raise
        # The session may be one that a Janus of before its restart knew.
        return await self._ask(body)

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
