"""LiveKit's signalling: protobufs over one WebSocket (``/rtc``, protocol 15).

A :class:`Signal` that is open has been answered: its ``first`` message is what the server said to the join, or to the
wish to resume.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from google.protobuf.message import DecodeError
from livekit.protocol import rtc
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus, InvalidURI

from egress.call.straight import StraightConnect

PROTOCOL = 15
CONNECT_TIMEOUT = 3.0
ANSWER_TIMEOUT = 4.0
"""Seconds in which the server must say something to a join."""
FAREWELL_TIMEOUT = 0.2
"""Seconds in which what came before the end of a connection is read."""
PING_INTERVAL = 5.0
PING_TIMEOUT = 15.0
"""Used until the server says its own."""
LARGEST_MESSAGE = 4 << 20
MOST_WAITING = 256
"""Messages that may wait to be taken; then the server has to."""
_PORTS = {"ws": 80, "wss": 443}
PASSING = (408, 429)
"""Answers of HTTP below 500 that are not about us."""


class Turned(Exception):
    """The server did not let us in; ``status`` is that of HTTP, and the text is what it said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class Foreign(Exception):
    """Something answers there that is no LiveKit. The text is how, in a few words."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with the participant of this sid, whose signalling was lost."""

    sid: str


class Signal:
    """One connection. Raises ConnectionError wherever it is found to be lost."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.first = rtc.SignalResponse()
        self._heard = time.monotonic()
        self._silent = False
        # Read by a task of its own, so that whoever stops waiting for a message leaves it for the next one who asks.
        self._messages: asyncio.Queue[rtc.SignalResponse | None] = asyncio.Queue(MOST_WAITING)
        self._end: ConnectionError | Foreign = ConnectionError("the signalling was not begun")
        self._reading = asyncio.create_task(self._read())
        self._pinging: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, url: str, token: str, resume: Resume | None = None) -> Signal:
        """Connect, and wait for the first message. ``url`` is ``ws(s)://…`` without the path of the signalling.

        Raises OSError when the server is away, Turned when it refuses us, Foreign when it is no LiveKit.
        """
        asked = {"protocol": PROTOCOL, "auto_subscribe": 0, "sdk": "python", "version": "1"}
        if resume is not None:
            asked |= {"reconnect": 1, "sid": resume.sid}
        try:
            socket = await StraightConnect(
                f"{url.rstrip('/')}/rtc?{urlencode(asked)}",
                # Not in the URL, which proxies write into their logs.
                additional_headers={"Authorization": f"Bearer {token}"},
                open_timeout=CONNECT_TIMEOUT,
                close_timeout=0.5,
                ping_interval=None,
                compression=None,
                max_size=LARGEST_MESSAGE,
            )
        except InvalidStatus as error:
            status, body = error.response.status_code, error.response.body or b""
            if status >= 500 or status in PASSING:
                raise ConnectionError(f"LiveKit answers with {status}") from error
            raise Turned(status, body.decode(errors="replace").strip()[:300]) from error
        except InvalidMessage as error:
            raise Foreign("without HTTP") from error
        except (InvalidHandshake, InvalidURI, ValueError) as error:  # of a name that is none of a host, too
            raise Foreign(f"without a WebSocket ({type(error).__name__})") from error
        except TimeoutError as error:
            if await _listens(url):
                raise Foreign("with silence") from error
            raise ConnectionError("LiveKit does not answer") from error
        signal = cls(socket)
        try:
            signal.first = await signal._first()
        except BaseException:
            await signal.close()
            raise
        return signal

    async def _first(self) -> rtc.SignalResponse:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT):
                message = await self.receive()
        except TimeoutError as error:
            raise Foreign("with silence to a join") from error
        if message.WhichOneof("message") not in ("join", "reconnect", "leave"):
            raise Foreign("with something else than a join")
        join = message.join
        interval, patience = join.ping_interval or PING_INTERVAL, join.ping_timeout or PING_TIMEOUT
        self._pinging = asyncio.create_task(self._ping(float(interval), float(patience)))
        return message

    async def receive(self) -> rtc.SignalResponse:
        """The next message. Raises ConnectionError when there will be none, Foreign when it cannot be read."""
        message = await self._messages.get()
        if message is None:
            self._messages.put_nowait(None)
            raise self._end
        return message

    async def farewell(self) -> rtc.LeaveRequest | None:
        """What the server said last, if it was a farewell that nobody has read: for when a connection is lost."""
        with contextlib.suppress(ConnectionError, Foreign, TimeoutError):
            async with asyncio.timeout(FAREWELL_TIMEOUT):
                while True:
                    message = await self.receive()
                    if message.WhichOneof("message") == "leave":
                        return message.leave
        return None

    async def send(self, request: rtc.SignalRequest) -> None:
        try:
            await self._socket.send(request.SerializeToString())
        except ConnectionClosed as error:
            raise ConnectionError("LiveKit closed the signalling connection") from error

    async def close(self) -> None:
        """Safe to call twice."""
        for task in (self._pinging, self._reading):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self._socket.close()

    async def _read(self) -> None:
        try:
            while True:
                data = await self._socket.recv()
                self._heard = time.monotonic()
                if isinstance(data, str):
                    raise Foreign("in another protocol")
                await self._messages.put(rtc.SignalResponse.FromString(data))
        except ConnectionClosed:
            what = "has fallen silent" if self._silent else "closed the signalling connection"
            self._end = ConnectionError(f"LiveKit {what}")
        except DecodeError:
            self._end = Foreign("in another protocol")
        except Foreign as foreign:
            self._end = foreign
        await self._messages.put(None)

    async def _ping(self, interval: float, patience: float) -> None:
        with contextlib.suppress(ConnectionError):
            while time.monotonic() - self._heard < patience:
                await self.send(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=time.time_ns() // 1_000_000)))
                await asyncio.sleep(interval)
            self._silent = True
            self._socket.transport.abort()


async def _listens(url: str) -> bool:
    """Whether somebody takes connections there."""
    parts = urlsplit(url)
    try:
        async with asyncio.timeout(1.0):
            _, writer = await asyncio.open_connection(parts.hostname, parts.port or _PORTS[parts.scheme])
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
