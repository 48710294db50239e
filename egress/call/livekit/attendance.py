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
from egress.call.livekit import roster as rosters
from egress.call.livekit.address import LivekitAddress
from egress.call.livekit.api import NOT_LIVEKIT, RoomService, not_livekit
from egress.call.livekit.departures import Departure, Then, departure, refusal
from egress.call.livekit.people import is_guest
from egress.call.livekit.reception import Reception
from egress.call.livekit.roster import Guest, Published
from egress.call.livekit.signal import Foreign, Resume, Signal, Turned
from egress.call.livekit.token import join_token, longer
from egress.call.model import (
    CallEvent,
    Connected,
    Disconnected,
    Ended,
    Joined,
    Left,
    QualityChanged,
    RoomChanged,
    Speaking,
    TrackAdded,
    TrackMuted,
    TrackPaused,
    TrackRemoved,
    TrackType,
    TrackUnreadable,
    Updated,
    Wants,
)
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
        self._roster: dict[str, Guest] = {}
        self._levels: dict[str, float] = {}
        self._metadata = ""
        self._reception = Reception(attending)
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
                self._become({}, {})
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
            self._levels = {}
            self._become(rosters.joined(join.other_participants, self._address.roles_key), {})
            self._room(join.room)
        else:
            await self._send(rtc.SignalRequest(sync_state=self._reception.state()))
            # Who fell silent meanwhile would not be told: until the next change the sound itself says who speaks.
            self._levels = {}
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
            case "update":
                self._become(
                    *rosters.updated(self._roster, message.update.participants, self._address.roles_key),
                )
            case "speakers_changed":
                self._speakers(message.speakers_changed.speakers)
            case "room_update":
                self._room(message.room_update.room)
            case "connection_quality":
                for told in message.connection_quality.updates:
                    grade = rosters.quality(told.quality)
                    if grade is not None and told.participant_sid in self._roster:
                        self._news.tell(QualityChanged(told.participant_sid, grade))
            case "stream_state_update":
                for stream in message.stream_state_update.stream_states:
                    self._paused(stream.track_sid, stream.state == rtc.PAUSED)
            case "subscription_response":
                self._not_subscribed(message.subscription_response)
            case "subscription_permission_update":
                allowed = message.subscription_permission_update
                self._permitted(allowed.track_sid, allowed.allowed)
            case "refresh_token":
                self._refreshed = message.refresh_token
            case "room_moved":
                self._moved(message.room_moved)
            case "leave":
                return self._let_go(message.leave)
            case _:
                pass
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

    def _speakers(self, speakers: Any) -> None:
        """What changed; who is not named speaks on as before."""
        for speaker in speakers:
            if speaker.active and speaker.level > 0:
                self._levels[speaker.sid] = float(speaker.level)
            else:
                self._levels.pop(speaker.sid, None)
        self._news.tell(Speaking(dict(self._levels)))

    def _room(self, room: models.Room) -> None:
        if room.metadata != self._metadata:
            self._metadata = room.metadata
            self._news.tell(RoomChanged(room.metadata))

    def _moved(self, moved: rtc.RoomMovedResponse) -> None:
        """An administrator has taken us to another room, where the recording goes on."""
        log.warning("moved to another room by the server")
        there: dict[str, Any] = {"room": moved.room.name or self._address.room}
        if moved.token and self._address.token is not None:
            there["token"] = SecretStr(moved.token)
        self._address = self._address.model_copy(update=there)
        self._refreshed = None
        self._sid = moved.participant.sid or self._sid
        self._become(rosters.joined(moved.other_participants, self._address.roles_key), {})
        self._room(moved.room)

    # What that means for the call.

    def _become(self, after: dict[str, Guest], reasons: dict[str, str]) -> None:
        """Tell what is different from what was told."""
        before, self._roster = self._roster, after
        for session_id, guest in before.items():
            now = after.get(session_id)
            for type_, track in guest.tracks.items():
                if now is None or type_ not in now.tracks or not _same(track, now.tracks[type_]):
                    self._remove(session_id, type_, track)
            if now is None:
                self._levels.pop(session_id, None)
                self._news.tell(Left(session_id, reasons.get(session_id, "")))
        for session_id, guest in after.items():
            known = before.get(session_id)
            if known is None:
                self._news.tell(Joined(guest.participant))
            elif known.participant != guest.participant:
                self._news.tell(Updated(guest.participant))
            for type_, track in guest.tracks.items():
                was = known.tracks.get(type_) if known is not None else None
                if was is None or not _same(was, track):
                    self._add(session_id, type_, track)
                elif was.muted != track.muted:
                    self._news.tell(TrackMuted(session_id, type_, track.muted))

    def _add(self, session_id: str, type_: TrackType, track: Published) -> None:
        if track.obstacle:
            self._news.tell(TrackUnreadable(session_id, type_, track.codec, track.obstacle))
            return
        media = self._reception.publish((session_id, type_), track.sid, track.codec)
        self._news.tell(TrackAdded(session_id, type_, media))
        if track.muted:
            self._news.tell(TrackMuted(session_id, type_, True))

    def _remove(self, session_id: str, type_: TrackType, track: Published) -> None:
        self._reception.unpublish((session_id, type_), track.sid)
        self._news.tell(TrackRemoved(session_id, type_))

    def _unreadable(self, sid: str, codec: str, reason: str) -> None:
        """A track that was told cannot be received after all."""
        found = self._find(sid)
        if found is None:
            return
        session_id, type_, track = found
        self._remove(session_id, type_, track)
        self._news.tell(TrackUnreadable(session_id, type_, codec or track.codec, reason))

    def _not_subscribed(self, response: rtc.SubscriptionResponse) -> None:
        if response.err == models.SE_CODEC_UNSUPPORTED:
            self._unreadable(response.track_sid, "", "the server has it in no codec that can be read")
        else:
            log.info("the server could not subscribe us to %s (%s)", response.track_sid, response.err)
            self._reception.failed(response.track_sid)

    def _permitted(self, sid: str, allowed: bool) -> None:
        found = self._find(sid)
        if found is None:
            return
        session_id, type_, track = found
        if not allowed:
            self._unreadable(sid, "", "its publisher does not allow us to receive it")
        elif not self._reception.knows(sid):
            self._add(session_id, type_, track)

    def _paused(self, sid: str, paused: bool) -> None:
        found = self._find(sid)
        if found is not None:
            self._news.tell(TrackPaused(found[0], found[1], paused))

    def _find(self, sid: str) -> tuple[str, TrackType, Published] | None:
        for session_id, guest in self._roster.items():
            for type_, track in guest.tracks.items():
                if track.sid == sid:
                    return session_id, type_, track
        return None


def _same(a: Published, b: Published) -> bool:
    """Whether what is received of it goes on."""
    return (a.sid, a.obstacle) == (b.sid, b.obstacle)
