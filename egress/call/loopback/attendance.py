"""A loopback room attended: its process started where none is named, guests answered, events told."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

from egress.call.connector import ConnectorError
from egress.call.loopback.address import LoopbackAddress
from egress.call.loopback.wire import Message, Wire
from egress.call.model import (
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    Participant,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackRemoved,
    TrackType,
    Wants,
)
from egress.call.news import News
from egress.rtc.ice_settings import LOOPBACK
from egress.rtc.peer import PeerReceiver
from egress.rtc.sdp import SdpError

log = logging.getLogger(__name__)

BACK_OFF = 0.5
START_TIMEOUT = 20.0


class LoopbackAttendance:
    """See :class:`egress.call.connector.Attendance`."""

    def __init__(self, address: LoopbackAddress) -> None:
        self._address = address
        self._news = News()
        self._process: asyncio.subprocess.Process | None = None
        self._wire: Wire | None = None
        self._peers: dict[str, PeerReceiver] = {}
        self._told: dict[str, set[TrackType]] = {}
        self._muted: dict[str, Message] = {}
        self._unwanted: set[str] = set()
        self._levels: dict[str, float] = {}
        self._helpers: set[asyncio.Task[None]] = set()

    def events(self) -> AsyncIterator[CallEvent]:
        return self._news.found_by(self._attend)

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        if track is not TrackType.VIDEO or (wish is None) == (session_id in self._unwanted):
            return
        if wish is None:
            self._unwanted.add(session_id)
        else:
            self._unwanted.discard(session_id)
        if self._wire is not None:
            self._wire.send({"op": "want", "guest": session_id, "wanted": wish is not None})

    async def close(self) -> None:
        await self._news.stop()
        await self._leave()
        await self._end_process()

    async def _attend(self) -> None:
        away = False
        while True:
            try:
                port = await self._port()
                self._wire = await Wire.open(*port)
            except ConnectorError as error:
                self._news.tell(error)
                return
            except OSError as error:
                if not away:
                    away = True
                    self._news.tell(Disconnected(f"the room does not answer ({error})"))
                await asyncio.sleep(BACK_OFF)
                continue
            self._wire.send({"op": "attend"})
            answered = False
            while (message := await self._wire.read()) is not None:
                if not answered:
                    # Not sooner: what still listens may be a room that is dying.
                    answered, away = True, False
                    self._news.tell(Connected())
                if message.get("event") == "ended":
                    break
                await self._take(message)
            if message is not None or self._address.url is None:
                await self._leave()
                await self._end_process()
                self._news.tell(Ended("the room has ended"))
                return
            if not away:
                away = True
                # Before anybody is told to have left: nobody did, as far as is known.
                self._news.tell(Disconnected("the room has gone"))
            await self._leave()
            if not answered:
                await asyncio.sleep(BACK_OFF)

    async def _port(self) -> tuple[int, str]:
        if self._address.url is not None:
            parts = urlsplit(self._address.url)
            return int(parts.port or 0), str(parts.hostname)
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "egress.call.loopback.room"),
            *("--guests", str(self._address.guests), "--until-stdin-closes"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(START_TIMEOUT):
                return int(json.loads(await self._process.stdout.readline())["port"]), "127.0.0.1"
        except (TimeoutError, ValueError) as error:
            raise ConnectorError("room_failed", "the loopback room could not be started") from error

    async def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            async with asyncio.timeout(2.0):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    async def _take(self, message: Message) -> None:
        event, guest = message.get("event"), message.get("guest")
        if event == "joined" and isinstance(guest, dict):
            self._join(guest)
        elif event == "offer":
            await self._answer(str(guest), str(message["sdp"]))
        elif event == "left":
            await self._part(str(guest))
        elif event == "muted" and str(guest) in self._told:
            self._news.tell(TrackMuted(str(guest), TrackType(message["track"]), bool(message["muted"])))
        elif event == "speaking":
            self._levels = {str(speaker): float(level) for speaker, level in message["levels"].items()}
            self._tell_levels()
        elif event == "error":
            log.warning("the loopback room: %s", message.get("error"))

    def _join(self, guest: Message) -> None:
        self._told[guest["id"]] = set()
        self._news.tell(Joined(participant(guest)))
        self._muted[guest["id"]] = guest["muted"]
        if guest["id"] in self._levels:
            self._tell_levels()
        if guest["id"] in self._unwanted and self._wire is not None:
            # The room may be another process than the one that was told.
            self._wire.send({"op": "want", "guest": guest["id"], "wanted": False})

    def _tell_levels(self) -> None:
        """The room tells who speaks to everybody, also of those whom we have not been told of yet."""
        self._news.tell(Speaking({id_: level for id_, level in self._levels.items() if id_ in self._told}))

    async def _answer(self, id_: str, sdp: str) -> None:
        peer = PeerReceiver(LOOPBACK, on_closed=lambda reason: self._help(self._part(id_, reason)))
        self._peers[id_] = peer
        try:
            answer = await peer.answer(sdp)
        except SdpError as error:
            log.warning("%s: %s", id_, error)
            return
        for track in peer.tracks.values():
            type_ = TrackType.AUDIO if track.kind == "audio" else TrackType.VIDEO
            self._told[id_].add(type_)
            self._news.tell(TrackAdded(id_, type_, track))
            if self._muted[id_][type_]:
                self._news.tell(TrackMuted(id_, type_, True))
        if self._wire is not None:
            self._wire.send({"op": "answer", "guest": id_, "sdp": answer})

    async def _part(self, id_: str, reason: str = "") -> None:
        for type_ in self._told.pop(id_, set()):
            self._news.tell(TrackRemoved(id_, type_))
        peer = self._peers.pop(id_, None)
        if peer is not None:
            self._news.tell(Left(id_, reason))
            await peer.close()

    def _help(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    async def _leave(self) -> None:
        wire, self._wire = self._wire, None
        self._levels = {}
        await asyncio.gather(*(self._part(id_) for id_ in tuple(self._peers)), *self._helpers, return_exceptions=True)
        if wire is not None:
            await wire.close()


def participant(guest: Message) -> Participant:
    """A guest as a room describes them."""
    return Participant(guest["id"], guest["id"], guest["name"], tuple(guest["roles"]))
