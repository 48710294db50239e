"""A LiveKit room attended: joins hidden, follows what the server tells, and gets back in whenever it can.

One participant with one connection that only receives. Tracks are known from the signalling before they are subscribed
to, so a layout can want them first: what nobody listens to is neither sent nor received.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from livekit.protocol import models, rtc
from pydantic import SecretStr

from egress.call.connector import ROOM_GONE, Attending, ConnectorError
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.api import NOT_LIVEKIT, RoomService, not_livekit
from egress.call.livekit.departures import Departure, Then, departure, refusal
from egress.call.livekit.people import is_guest
from egress.call.livekit.reception import Reception
from egress.call.livekit.room import Room
from egress.call.livekit.signal import Foreign, Resume, Signal, Turned
from egress.call.livekit.token import join_token, longer
from egress.call.model import CallEvent, Connected, Disconnected, Ended, TrackType, Wants
from egress.call.news import News

log = logging.getLogger(__name__)

BACK_OFF = (0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds before the next try; the last one for ever."""
STEADY = 5.0
"""Seconds of standing signalling after which the next failure counts as a first one."""
FOREIGN_GRACE = 5.0
"""Seconds for which what answers may be no LiveKit: a server that is starting, or a proxy before it."""
ROOM_GRACE = 10.0
"""Seconds that a room may be missing that we were in, where the server makes none by itself."""
EMPTY_LOOK = 1.0
"""Seconds between two looks into a room that was closed because it was empty."""


class LivekitAttendance:
    """See :class:`egress.call.connector.Attendance`."""

    def __init__(self, address: LivekitAddress, attending: Attending) -> None:
        self._address = address
        self._attending = attending
        # The same for as long as we attend, so that a second join ends the first.
        self._identity = f"wallflower-{secrets.token_hex(6)}"
        self._news = News()
        self._signal: Signal | None = None
        self._sid = ""
        self._refreshed: str | None = None
        self._reception = Reception(attending)
        self._room = Room(self._news, self._reception, address.roles_key)
        self._connected = False
        self._seen = False
        self._trouble_since: float | None = None
        """When the first of the tries that are going on began."""
        self._failures = 0

    def events(self) -> AsyncIterator[CallEvent]:
        return self._news.found_by(self._attend)

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        self._reception.wish((session_id, track), wish)

    async def close(self) -> None:
        self._news.close()
        await self._say_goodbye()
        await self._news.stop()
        await self._reception.close()

    # In, and in again.

    async def _attend(self) -> None:
        then = Then.REJOIN
        while True:
            try:
                if then is Then.WAIT:
                    await self._somebody()
                    then = Then.REJOIN
                signal = await self._enter(then)
                began = time.monotonic()
                left = await self._follow(signal)
                if time.monotonic() - began > STEADY:
                    self._failures = 0
            except ConnectorError as error:
                gone = error.code == ROOM_GONE and self._seen
                self._news.tell(Ended(str(error)) if gone else error)
                return
            except Foreign as foreign:
                left = Departure(then, str(not_livekit(str(foreign))))
            except OSError as error:
                left = Departure(then, str(error))
            except Exception as error:
                # Whoever listens must not wait for ever for what no task will tell any more.
                log.exception("the room could not be followed")
                left = Departure(Then.REJOIN, f"the room could not be followed: {error!r}")
            if left.then is Then.END:
                self._news.tell(Ended(left.reason, left.code))
                return
            then = left.then
            if then is Then.WAIT:
                # Nobody is out of reach: everybody has gone, and that is known.
                self._room.empty()
                continue
            self._lost(left.reason)
            await asyncio.sleep(BACK_OFF[min(self._failures, len(BACK_OFF) - 1)])
            self._failures += 1

    async def _enter(self, then: Then) -> Signal:
        """Join, or resume. Raises ConnectorError when that will never work, OSError or Foreign when it may yet."""
        resume = Resume(self._sid) if then is Then.RESUME and self._sid else None
        if self._trouble_since is None:
            self._trouble_since = time.monotonic()
        try:
            if resume is None:
                self._reception.prepare()
            signal = await Signal.open(self._address.ws_url, self._token(), resume)
        except Turned as turned:
            final = refusal(turned)
            if final.code == ROOM_GONE and self._seen:
                if time.monotonic() - self._trouble_since < ROOM_GRACE:
                    raise ConnectionError(str(final)) from turned
                raise ConnectorError(ROOM_GONE, "the room does not exist any more") from turned
            if final.code == NOT_LIVEKIT and self._seen:
                # A proxy answers in its place while it is away.
                raise ConnectionError(str(final)) from turned
            raise final from turned
        except Foreign as foreign:
            if not self._seen and time.monotonic() - self._trouble_since > FOREIGN_GRACE:
                raise not_livekit(str(foreign)) from foreign
            raise
        return signal

    def _token(self) -> str:
        if self._refreshed is not None and self._address.token is not None:
            return longer(self._refreshed, self._address.token.get_secret_value())
        return join_token(self._address, self._identity, recorder=self._attending.recording)

    async def _somebody(self) -> None:
        """Wait until there is somebody in the room, without being what holds it open."""
        service = RoomService(self._address)
        try:
            while True:
                await asyncio.sleep(EMPTY_LOOK)
                try:
                    present = await service.participants(self._address.room)
                except OSError as error:
                    log.debug("the closed room cannot be looked at: %s", error)
                    continue
                except ConnectorError as error:
                    if error.code == ROOM_GONE:
                        continue
                    # A token that may only join has no other way to find out.
                    log.info("the closed room cannot be looked at: %s", error)
                    return
                if any(is_guest(info) for info in present):
                    return
        finally:
            await service.close()

    async def _say_goodbye(self) -> None:
        """Or the server would wait for us to come back, and show the sign of recording until it gives up."""
        leave = rtc.LeaveRequest(reason=models.CLIENT_INITIATED, action=rtc.LeaveRequest.DISCONNECT)
        with contextlib.suppress(ConnectionError):
            await self._send(rtc.SignalRequest(leave=leave))

    def _lost(self, reason: str) -> None:
        if self._connected or (not self._seen and self._failures == 0):
            self._connected = False
            self._news.tell(Disconnected(reason))

    # What the server tells.

    async def _follow(self, signal: Signal) -> Departure:
        """Follow the signalling until it is over; returns what to do then."""
        self._signal = signal
        flushing: asyncio.Task[None] | None = None
        try:
            left = await self._welcome(signal.first)
            if left is not None:
                return left
            flushing = asyncio.create_task(self._reception.ask(signal))
            while True:
                receiving = asyncio.create_task(signal.receive())
                ends: list[asyncio.Future[Any]] = [receiving, self._reception.broken, flushing]
                try:
                    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                    if not receiving.done():
                        if self._reception.broken.done():
                            raise ConnectionError(self._reception.broken.result())
                        flushing.result()
                    message = receiving.result()
                finally:
                    receiving.cancel()
                    await asyncio.gather(receiving, return_exceptions=True)
                left = await self._take(message)
                if left is not None:
                    return left
        except ConnectionError as error:
            # The server may have said why, beside ending the connections.
            if (leave := await signal.farewell()) is not None:
                return self._let_go(leave)
            return Departure(Then.REJOIN if self._reception.broken.done() else Then.RESUME, str(error))
        finally:
            self._signal = None
            if flushing is not None:
                flushing.cancel()
                await asyncio.gather(flushing, return_exceptions=True)
            await signal.close()

    async def _welcome(self, message: rtc.SignalResponse) -> Departure | None:
        """What the server says first: that we are in, in again, or not wanted like this."""
        kind = message.WhichOneof("message")
        if kind == "leave":
            left = self._let_go(message.leave)
            return Departure(Then.REJOIN, left.reason) if left.then is Then.RESUME else left
        self._trouble_since = None
        if kind == "join":
            join = message.join
            self._sid = join.participant.sid
            if not join.participant.permission.can_subscribe:
                raise ConnectorError("token_cannot_subscribe", "the token does not allow us to receive anything")
            self._reception.joined()
            self._connect()
            self._room.forget_speakers()
            self._room.enter(join.other_participants, join.room)
        else:
            await self._send(rtc.SignalRequest(sync_state=self._reception.state()))
            # Who fell silent meanwhile would not be told: until the next change the sound itself says who speaks.
            self._room.forget_speakers()
            self._connect()
        return None

    def _connect(self) -> None:
        self._connected = self._seen = True
        self._news.tell(Connected())

    async def _take(self, message: rtc.SignalResponse) -> Departure | None:
        match message.WhichOneof("message"):
            case "offer":
                await self._answer(message.offer)
            case "trickle":
                if message.trickle.target == rtc.SUBSCRIBER:
                    await self._reception.candidate(message.trickle.candidateInit, final=message.trickle.final)
            case "refresh_token":
                self._refreshed = message.refresh_token
            case "room_moved":
                self._moved(message.room_moved)
            case "leave":
                return self._let_go(message.leave)
            case _:
                self._room.hear(message)
        return None

    def _let_go(self, leave: rtc.LeaveRequest) -> Departure:
        if leave.reason == models.DUPLICATE_IDENTITY and self._address.token is not None:
            # To join again would put out whoever did, who would do the same to us.
            raise ConnectorError("duplicate_identity", "somebody else joined with the same token, and so put us out")
        return departure(leave)

    async def _answer(self, offer: rtc.SessionDescription) -> None:
        answer = await self._reception.answer(offer.sdp, dict(offer.mid_to_track_id))
        if answer is not None:
            await self._send(rtc.SignalRequest(answer=rtc.SessionDescription(type="answer", sdp=answer, id=offer.id)))

    async def _send(self, request: rtc.SignalRequest) -> None:
        if self._signal is not None:
            await self._signal.send(request)

    def _moved(self, moved: rtc.RoomMovedResponse) -> None:
        """An administrator has taken us to another room, where the recording goes on."""
        log.warning("moved to another room by the server")
        there: dict[str, Any] = {"room": moved.room.name or self._address.room}
        if moved.token and self._address.token is not None:
            there["token"] = SecretStr(moved.token)
        self._address = self._address.model_copy(update=there)
        self._refreshed = None
        self._sid = moved.participant.sid or self._sid
        self._room.enter(moved.other_participants, moved.room)
