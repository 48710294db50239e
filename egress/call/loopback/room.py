"""The loopback room: a process in which synthetic guests sit, and to which listeners connect by TCP on 127.0.0.1.

Run ``python -m egress.call.loopback.room --guests 3``: its first line on stdout is ``{"port": …}``. It speaks JSON
lines; docs/connectors.md lists them. Only this machine can reach it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from egress.call.loopback.cache import cached_content
from egress.call.loopback.cast import CAST, MOST_GUESTS, Guest
from egress.call.loopback.guests import Content
from egress.call.loopback.lines import TURN
from egress.call.loopback.sender import Sender
from egress.call.loopback.wire import LONGEST_LINE, Message

CAMERA_OFF_FOR = 5.0
"""Seconds for which the last guest listens with the camera off, counted from the first listener."""
SPEAKING_INTERVAL = 0.1


class Seat:
    """A guest in the room."""

    def __init__(self, guest: Guest, shown: Content) -> None:
        self.guest = guest
        self.content = shown
        self.muted = {"audio": False, "video": False}

    def described(self) -> Message:
        return {"id": self.guest.id, "name": self.guest.name, "roles": list(self.guest.roles), "muted": self.muted}


class Listener:
    """One connection. It hears of guests once it has asked to attend."""

    def __init__(self, room: Room, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._room = room
        self._reader = reader
        self._writer = writer
        self.attending = False
        self._senders: dict[str, Sender] = {}
        self._wanted: dict[str, bool] = {}

    def tell(self, message: Message) -> None:
        if not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    def hang_up(self) -> None:
        """End :meth:`run`, once what was told has gone out."""
        self._reader.feed_eof()

    async def run(self) -> None:
        try:
            while line := await self._reader.readline():
                await self._take(line)
        except (ConnectionError, ValueError):
            pass  # it has gone, or sent a line without end
        finally:
            self.attending = False
            await asyncio.gather(*(s.close() for s in self._senders.values()))
            self._writer.close()

    async def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            operation = _OPERATIONS[message["op"]]
            if self._room.closed and operation is not Listener.end:
                self.tell({"event": "ended"})
                return
            self.tell({"event": "done", **(await operation(self, message))})
        except (ValueError, KeyError, TypeError) as error:
            self.tell({"event": "error", "error": f"{type(error).__name__}: {error}"})

    async def invite(self, seat: Seat) -> None:
        """Have a guest call this listener."""
        self.tell({"event": "joined", "guest": seat.described()})
        sender = Sender(seat.content, self._room.zero, lambda at: self._room.speaks(seat, at))
        self._senders[seat.guest.id] = sender
        self.camera(seat)
        self.tell({"event": "offer", "guest": seat.guest.id, "sdp": await sender.offer()})

    def camera(self, seat: Seat) -> None:
        """Send the guest's picture if there is one and it is wanted."""
        if seat.guest.id in self._senders:
            on = not seat.muted["video"] and self._wanted.get(seat.guest.id, True)
            self._senders[seat.guest.id].send_picture(on)

    async def part(self, seat: Seat) -> None:
        self.tell({"event": "left", "guest": seat.guest.id})
        sender = self._senders.pop(seat.guest.id, None)
        if sender is not None:
            await sender.close()

    async def attend(self, _: Message) -> Message:
        if not self.attending:
            self.attending = True
            self._room.begin()
            await asyncio.gather(*(self.invite(seat) for seat in tuple(self._room.seats.values())))
        return {}

    async def answer(self, message: Message) -> Message:
        await self._senders[message["guest"]].answer(str(message["sdp"]))
        return {}

    async def want(self, message: Message) -> Message:
        self._wanted[message["guest"]] = bool(message["wanted"])
        self.camera(self._room.seats[message["guest"]])
        return {}

    async def guests(self, _: Message) -> Message:
        return {"guests": [seat.described() for seat in self._room.seats.values()]}

    async def add(self, message: Message) -> Message:
        seat = await self._room.add(message.get("name"))
        return {"guest": seat.described()}

    async def remove(self, message: Message) -> Message:
        await self._room.remove(message["guest"])
        return {}

    async def mute(self, message: Message) -> Message:
        self._room.mute(message["guest"], message["track"], bool(message["muted"]))
        return {}

    async def close(self, _: Message) -> Message:
        self._room.close()
        return {}

    async def end(self, _: Message) -> Message:
        self._room.over.set()
        return {}


_OPERATIONS: dict[str, Callable[[Listener, Message], Awaitable[Message]]] = {
    "attend": Listener.attend,
    "answer": Listener.answer,
    "want": Listener.want,
    "guests": Listener.guests,
    "add": Listener.add,
    "remove": Listener.remove,
    "mute": Listener.mute,
    "close": Listener.close,
    "end": Listener.end,
}


class Room:
    """The guests and who listens to them."""

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}
        self.listeners: set[Listener] = set()
        self.serving: set[asyncio.Task[None]] = set()
        self.zero = time.monotonic()
        self.closed = False
        self.over = asyncio.Event()
        self.first_attended = asyncio.Event()

    def begin(self) -> None:
        """The room's time begins with its first listener."""
        if not self.first_attended.is_set():
            self.zero = time.monotonic()
            self.first_attended.set()

    async def add(self, name: str | None = None) -> Seat:
        """Have the next of the cast come in."""
        guest = next((g for g in CAST if g.id not in self.seats), None)
        if guest is None:
            raise ValueError(f"the room is full: it has {MOST_GUESTS} guests")
        if name is not None:
            guest = replace(guest, name=str(name)[:255])
        seat = Seat(guest, await asyncio.to_thread(cached_content, guest))
        self.seats[guest.id] = seat
        await asyncio.gather(*(listener.invite(seat) for listener in tuple(self.listeners) if listener.attending))
        return seat

    async def remove(self, id_: str) -> None:
        seat = self.seats.pop(id_)
        await asyncio.gather(*(listener.part(seat) for listener in tuple(self.listeners) if listener.attending))

    def mute(self, id_: str, track: str, muted: bool) -> None:
        seat = self.seats[id_]
        if track not in seat.muted:
            raise ValueError("track must be audio or video")
        seat.muted[track] = muted
        for listener in self.listeners:
            listener.camera(seat)
            if listener.attending:
                listener.tell({"event": "muted", "guest": id_, "track": track, "muted": muted})

    def close(self) -> None:
        """The call is over: whoever listens is told, and so is whoever asks from now on."""
        self.closed = True
        for listener in self.listeners:
            if listener.attending:
                listener.tell({"event": "ended"})

    def speaks(self, seat: Seat, at: float) -> bool:
        """Guests speak in turns, but for those who are muted."""
        able = [s for s in self.seats.values() if not s.muted["audio"]]
        return bool(able) and able[int(at / TURN) % len(able)] is seat

    async def fill(self, count: int) -> None:
        """Make the first guests, all at once; they come in in the order of the cast."""
        made = await asyncio.gather(*(asyncio.to_thread(cached_content, guest) for guest in CAST[:count]))
        for guest, shown in zip(CAST, made, strict=False):
            self.seats[guest.id] = Seat(guest, shown)
        if count > 1:
            self.seats[CAST[count - 1].id].muted["video"] = True

    async def run(self) -> None:
        """What happens by itself: a camera goes on, and speakers are told."""
        await self.first_attended.wait()
        camera = list(self.seats)[-1] if len(self.seats) > 1 else None
        told: dict[str, float] = {}
        while True:
            at = time.monotonic() - self.zero
            if camera is not None and at > CAMERA_OFF_FOR:
                if camera in self.seats and self.seats[camera].muted["video"]:
                    self.mute(camera, "video", False)
                camera = None
            levels = {id_: 0.7 for id_, seat in self.seats.items() if self.speaks(seat, at)}
            if levels != told:
                told = levels
                for listener in self.listeners:
                    if listener.attending:
                        listener.tell({"event": "speaking", "levels": levels})
            await asyncio.sleep(SPEAKING_INTERVAL)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener = Listener(self, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self.listeners.add(listener)
        self.serving.add(task)
        try:
            await listener.run()
        finally:
            self.listeners.discard(listener)
            self.serving.discard(task)

    async def dismiss(self) -> None:
        """Hang up on everybody."""
        for listener in self.listeners:
            listener.hang_up()
        if self.serving:
            await asyncio.wait(self.serving, timeout=1.0)


async def _stdin_closed() -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    try:
        while await reader.read(4096):
            pass
    finally:
        transport.close()


def _exit_by(seconds: float) -> None:
    """Whatever hangs in a connection that is being closed: a room must not outlive whoever started it."""
    timer = threading.Timer(seconds, os._exit, [0])
    timer.daemon = True
    timer.start()


async def main(guests: int, port: int, until_stdin_closes: bool) -> None:
    room = Room()
    await room.fill(guests)
    server = await asyncio.start_server(room.serve, "127.0.0.1", port, limit=LONGEST_LINE)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    ends = [asyncio.create_task(room.over.wait()), asyncio.create_task(room.run())]
    if until_stdin_closes:
        ends.append(asyncio.create_task(_stdin_closed()))
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    _exit_by(3.0)
    server.close()
    await asyncio.sleep(0)  # the answer to the command that ends the room
    await room.dismiss()
    for end in ends:
        end.cancel()
    await asyncio.gather(*ends, return_exceptions=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m egress.call.loopback.room", description="A room of guests.")
    parser.add_argument("--guests", type=int, default=3, choices=range(MOST_GUESTS + 1))
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end with whoever started it")
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(given.guests, given.port, given.until_stdin_closes))
