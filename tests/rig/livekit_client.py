"""A small client of LiveKit's signalling, as a guest's browser would be one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from urllib.parse import urlencode

from livekit.protocol import models, rtc
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

PROTOCOL = 15


class Refused(Exception):
    """LiveKit does not let this participant in."""


class Signal:
    """One participant's signalling connection. ``closed`` is set when it is gone, however that came."""

    def __init__(self, url: str, token: str, auto_subscribe: bool = False) -> None:
        query = {"access_token": token, "protocol": PROTOCOL, "auto_subscribe": int(auto_subscribe), "sdk": "python"}
        self._url = f"{url}/rtc?{urlencode(query)}"
        self._socket: ClientConnection | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._expected: list[tuple[Callable[[rtc.SignalResponse], bool], asyncio.Future[rtc.SignalResponse]]] = []
        self.closed = asyncio.Event()
        self.farewell: rtc.LeaveRequest | None = None
        """What the server said when it sent us away."""
        self.on_message: Callable[[rtc.SignalResponse], None] = lambda message: None

    async def open(self, timeout: float = 3.0) -> rtc.JoinResponse:
        """Connect and join. Raises Refused, or OSError or TimeoutError when the server is away."""
        try:
            self._socket = await connect(
                self._url, open_timeout=timeout, ping_interval=None, compression=None, max_size=None
            )
        except InvalidStatus as error:
            reason = (error.response.body or b"").decode(errors="replace").strip()
            raise Refused(f"{error.response.status_code}: {reason}") from error
        except WebSocketException as error:  # a server that is starting may hang up in mid-handshake
            raise ConnectionError(f"LiveKit did not open: {error}") from error
        answer = self.expect(lambda message: message.WhichOneof("message") in ("join", "leave"))
        self._tasks.append(asyncio.create_task(self._read(self._socket)))
        first = await asyncio.wait_for(answer, timeout)
        if first.WhichOneof("message") == "leave":
            raise Refused(models.DisconnectReason.Name(first.leave.reason))
        self._tasks.append(asyncio.create_task(self._ping(first.join.ping_interval or 5)))
        return first.join

    async def send(self, request: rtc.SignalRequest) -> None:
        """Raises ConnectionError when the connection is gone."""
        if self._socket is None or self.closed.is_set():
            raise ConnectionError("not connected to LiveKit")
        try:
            await self._socket.send(request.SerializeToString())
        except ConnectionClosed as error:
            raise ConnectionError("LiveKit closed the connection") from error

    def expect(self, wanted: Callable[[rtc.SignalResponse], bool]) -> asyncio.Future[rtc.SignalResponse]:
        """The first message from now on that is wanted; fails with ConnectionError when the connection goes."""
        answer: asyncio.Future[rtc.SignalResponse] = asyncio.get_running_loop().create_future()
        self._expected.append((wanted, answer))
        return answer

    async def ask(
        self, request: rtc.SignalRequest, wanted: Callable[[rtc.SignalResponse], bool], timeout: float = 10.0
    ) -> rtc.SignalResponse:
        """Send, and wait for the message that answers."""
        answer = self.expect(wanted)
        await self.send(request)
        return await asyncio.wait_for(answer, timeout)

    async def close(self, goodbye: bool = True) -> None:
        """Leave; without a goodbye the server has to find out by itself that nobody is there."""
        if goodbye and not self.closed.is_set():
            with contextlib.suppress(ConnectionError):
                leave = rtc.LeaveRequest(reason=models.CLIENT_INITIATED, action=rtc.LeaveRequest.DISCONNECT)
                await self.send(rtc.SignalRequest(leave=leave))
        if self._socket is not None:
            if goodbye:
                await self._socket.close()
            else:
                self._socket.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self, socket: ClientConnection) -> None:
        try:
            async for data in socket:
                assert isinstance(data, bytes)
                self._take(rtc.SignalResponse.FromString(data))
        except ConnectionClosed:
            pass
        finally:
            self.closed.set()
            for _, answer in self._expected:
                if not answer.done():
                    answer.set_exception(ConnectionError("LiveKit closed the connection"))
                    answer.exception()  # whoever gave up waiting for it needs no warning

    def _take(self, message: rtc.SignalResponse) -> None:
        if message.WhichOneof("message") == "leave":
            self.farewell = message.leave
        self._expected = [one for one in self._expected if not one[1].done()]
        for wanted, answer in self._expected:
            if wanted(message):
                answer.set_result(message)
        self.on_message(message)

    async def _ping(self, interval: float) -> None:
        while True:
            await asyncio.sleep(interval)
            with contextlib.suppress(ConnectionError):
                await self.send(rtc.SignalRequest(ping_req=rtc.Ping(timestamp=time.time_ns() // 1_000_000)))
