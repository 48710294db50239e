"""A small client of Janus's WebSocket API, as a guest's browser would be one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from json import dumps, loads
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

KEEPALIVE = 20.0
"""Seconds; Janus forgets a session that was silent for 60."""


class Refused(Exception):
    """Janus, or its plugin, answered with an error."""


class Handle:
    """One attachment to the VideoRoom plugin: a publisher or a subscriber."""

    def __init__(self, session: Session, id_: int) -> None:
        self.session = session
        self.id = id_
        self.on_event: Callable[[dict[str, Any]], None] = lambda message: None

    async def message(self, body: dict[str, Any], jsep: dict[str, str] | None = None) -> dict[str, Any]:
        """Send a request and return the whole event that answers it. Raises Refused."""
        request: dict[str, Any] = {"janus": "message", "handle_id": self.id, "body": body}
        if jsep is not None:
            request["jsep"] = jsep
        answer = await self.session.request(request)
        data = answer.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise Refused(f"{body}: {data['error']}")
        return answer

    async def detach(self) -> None:
        with contextlib.suppress(Refused, ConnectionError, TimeoutError):
            await self.session.request({"janus": "detach", "handle_id": self.id})


class Session:
    """A Janus session over one WebSocket. ``closed`` is set when the connection is gone, however that came."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None
        self._id = 0
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._handles: dict[int, Handle] = {}
        self._numbers = itertools.count(1)
        self._tasks: list[asyncio.Task[None]] = []
        self.closed = asyncio.Event()

    async def open(self, timeout: float = 3.0) -> None:
        """Connect and create the session. Raises OSError or TimeoutError when the server is away."""
        try:
            self._socket = await connect(
                self._url,
                subprotocols=[Subprotocol("janus-protocol")],
                open_timeout=timeout,
                ping_interval=None,
                compression=None,
                max_size=None,
            )
        except WebSocketException as error:  # a server that is starting may hang up in mid-handshake
            raise ConnectionError(f"Janus did not open: {error}") from error
        self._tasks.append(asyncio.create_task(self._read(self._socket)))
        self._id = (await self.request({"janus": "create"}))["data"]["id"]
        self._tasks.append(asyncio.create_task(self._keep_alive()))

    async def attach(self) -> Handle:
        reply = await self.request({"janus": "attach", "plugin": "janus.plugin.videoroom"})
        handle = Handle(self, reply["data"]["id"])
        self._handles[handle.id] = handle
        return handle

    async def close(self, destroy: bool = True) -> None:
        """Leave; with ``destroy=False`` the server has to find out by itself that nobody is there."""
        if destroy and not self.closed.is_set():
            with contextlib.suppress(Refused, ConnectionError, TimeoutError):
                await self.request({"janus": "destroy"})
        if self._socket is not None:
            await self._socket.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, message: dict[str, Any], timeout: float = 10.0) -> dict[str, Any]:
        """Send and return the answer: an ``ack`` is only the promise of one."""
        if self._socket is None or self.closed.is_set():
            raise ConnectionError("not connected to Janus")
        transaction = str(next(self._numbers))
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[transaction] = answer
        if self._id:
            message = {"session_id": self._id, **message}
        try:
            await self._socket.send(dumps({**message, "transaction": transaction}))
            return await asyncio.wait_for(answer, timeout)
        except ConnectionClosed as error:
            raise ConnectionError("Janus closed the connection") from error
        finally:
            self._waiting.pop(transaction, None)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                self._take(loads(text))
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(ConnectionError("Janus closed the connection"))

    def _take(self, message: dict[str, Any]) -> None:
        waiting = self._waiting.get(message.get("transaction", ""))
        if waiting is not None and not waiting.done() and message["janus"] != "ack":
            if message["janus"] == "error":
                waiting.set_exception(Refused(str(message["error"])))
            else:
                waiting.set_result(message)
        elif message.get("sender") in self._handles:
            self._handles[message["sender"]].on_event(message)

    async def _keep_alive(self) -> None:
        # Only an ack comes of it. To wait for more would swallow the end of this task: a wait_for that is cancelled
        # while what it waits for fails raises that failure in place of the cancellation.
        assert self._socket is not None
        with contextlib.suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(KEEPALIVE)
                await self._socket.send(
                    dumps({"janus": "keepalive", "session_id": self._id, "transaction": str(next(self._numbers))})
                )
