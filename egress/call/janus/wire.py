"""How messages get to Janus and back: HTTP with a long poll, or a WebSocket. Both look the same from here on.

A wire carries JSON objects of the Janus API and knows nothing of transactions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from json import dumps, loads
from typing import Any, Protocol

import httpx
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI
from websockets.typing import Subprotocol

from egress.call.straight import StraightConnect

Message = dict[str, Any]

CONNECT_TIMEOUT = 3.0
LONG_POLL = 30.0
"""Seconds after which Janus answers a long poll that had nothing to tell."""
EVENTS_PER_POLL = 20
LARGEST_MESSAGE = 4 << 20


class Wire(Protocol):
    """``on_message`` gets whatever Janus says; ``on_lost(reason)`` is called once when nothing more will come."""

    async def open(self, on_message: Callable[[Message], None], on_lost: Callable[[str], None]) -> None:
        """Connect. Raises OSError when Janus is away."""
        ...

    async def send(self, message: Message) -> None:
        """Raises OSError when it could not be delivered."""
        ...

    def listen(self, session_id: int) -> None:
        """Events of this session are wanted from now on."""
        ...

    async def close(self) -> None: ...


def wire(url: str, credentials: Message) -> Wire:
    """The wire for a URL. ``credentials`` are ``apisecret`` and ``token``, as far as they are needed."""
    return WebSocketWire(url) if url.startswith(("ws:", "wss:")) else HttpWire(url, credentials)


class HttpWire:
    """Requests are POSTed to a path that names session and handle; events are fetched by a long poll."""

    def __init__(self, url: str, credentials: Message) -> None:
        self._url = url.rstrip("/")
        self._query = {**credentials, "maxev": EVENTS_PER_POLL}
        self._client = httpx.AsyncClient(
            verify=url.startswith("https:"),  # or the system's certificates are read for nothing, which takes long
            timeout=httpx.Timeout(10.0, connect=CONNECT_TIMEOUT),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=5.0),
        )
        self._polling: asyncio.Task[None] | None = None

    async def open(self, on_message: Callable[[Message], None], on_lost: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._on_lost = on_lost

    async def send(self, message: Message) -> None:
        ids = [str(message[key]) for key in ("session_id", "handle_id") if key in message]
        body = {k: v for k, v in message.items() if k not in ("session_id", "handle_id")}
        try:
            answer = await self._client.post("/".join([self._url, *ids]), json=body)
            self._on_message(_message(answer))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise ConnectionError(f"Janus does not answer ({_described(error)})") from error

    def listen(self, session_id: int) -> None:
        self._polling = asyncio.create_task(self._poll(f"{self._url}/{session_id}"))

    async def close(self) -> None:
        if self._polling is not None:
            self._polling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._polling
        await self._client.aclose()

    async def _poll(self, url: str) -> None:
        failures = 0
        while True:
            try:
                answer = await self._client.get(url, params=self._query, timeout=LONG_POLL + 10)
                found = answer.json()
                failures = 0
            except (httpx.HTTPError, ValueError) as error:
                # A proxy may end a long poll at any time; only when asking again fails, too, is Janus away.
                failures += 1
                if failures >= 3 or isinstance(error, httpx.ConnectError):
                    self._on_lost(f"Janus does not answer ({_described(error)})")
                    return
                await asyncio.sleep(0.1)
                continue
            for message in found if isinstance(found, list) else [found]:
                if isinstance(message, dict):
                    self._on_message(message)
                    if message.get("janus") == "error":
                        self._on_lost("Janus has forgotten the session")
                        return


class WebSocketWire:
    """Everything goes over one WebSocket with the subprotocol ``janus-protocol``."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None

    async def open(self, on_message: Callable[[Message], None], on_lost: Callable[[str], None]) -> None:
        try:
            self._socket = await StraightConnect(
                self._url,
                subprotocols=[Subprotocol("janus-protocol")],
                open_timeout=CONNECT_TIMEOUT,
                close_timeout=1.0,
                ping_interval=5.0,
                ping_timeout=5.0,
                compression=None,
                max_size=LARGEST_MESSAGE,
            )
        except (InvalidHandshake, InvalidURI, TimeoutError) as error:
            raise ConnectionError(f"Janus does not answer ({_described(error)})") from error
        self._reading = asyncio.create_task(self._read(self._socket, on_message, on_lost))

    async def send(self, message: Message) -> None:
        if self._socket is None:
            raise ConnectionError("Janus is not connected")
        try:
            await self._socket.send(dumps(message))
        except ConnectionClosed as error:
            raise ConnectionError("Janus closed the connection") from error

    def listen(self, session_id: int) -> None:
        """Nothing to do: events come by themselves."""

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
        if self._socket is not None:
            await self._socket.close()

    async def _read(
        self, socket: ClientConnection, on_message: Callable[[Message], None], on_lost: Callable[[str], None]
    ) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                try:
                    message = loads(text)
                except ValueError:
                    continue
                if isinstance(message, dict):
                    on_message(message)
        on_lost("Janus closed the connection")


def _message(answer: httpx.Response) -> Message:
    found = answer.json()
    if not isinstance(found, dict):
        raise ValueError("the answer is not a JSON object")
    return found


def _described(error: Exception) -> str:
    """What went wrong, without the URL: it may carry a secret."""
    return type(error).__name__


class _Discreet(logging.Filter):
    """httpx logs the URL of every request, and Janus wants its secrets in the URL of a long poll."""

    def filter(self, record: logging.LogRecord) -> bool:
        arguments = record.args if isinstance(record.args, tuple) else ()
        return not any("maxev=" in str(argument) for argument in arguments)


logging.getLogger("httpx").addFilter(_Discreet())
