"""A room attended: asks who is there, keeps one subscription a publisher, and tells what changes.

Nothing is joined but subscriptions, which VideoRoom neither lists nor announces nor counts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from egress.call.connector import Attending, ConnectorError
from egress.call.janus.address import JanusAddress
from egress.call.janus.client import Handle, JanusError, Session
from egress.call.janus.layers import EVERYTHING
from egress.call.janus.refusal import pvtid_required, refusal
from egress.call.janus.roster import (
    EMPTY,
    Feed,
    Key,
    Roster,
    Stream,
    changes,
    guests,
    roster,
    streams,
    track_types,
)
from egress.call.janus.subscription import Subscription
from egress.call.model import CallEvent, Connected, Disconnected, Ended, TrackType, Wants
from egress.call.news import News
from egress.rtc.track import MediaTrack

log = logging.getLogger(__name__)

BACK_OFF = (0.1, 0.25, 0.5, 1.0)
PROBE_INTERVAL = 1.0
"""Seconds between two looks at what the publishers publish."""
ROOM_GRACE = 10.0
"""Seconds that a room may be missing after Janus was away: who made it has to make it anew."""
NOBODY = 1
"""A feed that is asked for to learn whether the room would let us subscribe."""


class JanusAttendance:
    """See :class:`egress.call.connector.Attendance`."""

    def __init__(self, address: JanusAddress, attending: Attending) -> None:
        self._address = address
        self._pattern = address.pattern
        self._attending = attending
        self._news = News()
        self._session: Session | None = None
        self._roster: Roster = EMPTY
        self._tracks: dict[Key, MediaTrack] = {}
        self._sources: dict[Key, tuple[Subscription, str]] = {}
        self._subscriptions: dict[Feed, Subscription] = {}
        self._wishes: dict[Key, Wants | None] = {}
        self._seen = False
        self._refused: asyncio.Future[ConnectorError]
        self._away_since: float | None = None
        self._failures = 0
        self._closing: set[asyncio.Task[None]] = set()

    def events(self) -> AsyncIterator[CallEvent]:
        return self._news.found_by(self._attend)

    def wants(self, session_id: str, track: TrackType, wish: Wants | None) -> None:
        self._wishes[session_id, track] = wish
        source = self._sources.get((session_id, track))
        if source is not None:
            source[0].wish(source[1], wish)

    async def close(self) -> None:
        await self._news.stop()
        await self._clean_up()

    async def _attend(self) -> None:
        self._refused = asyncio.get_running_loop().create_future()
        while True:
            self._session = session = Session(
                self._address.url, apisecret=self._address.apisecret, token=self._address.token
            )
            try:
                await session.open()
                handle = await session.attach()
                await self._ask_admission(session)
                await self._follow(session, handle)
            except ConnectorError as error:
                await self._clean_up()
                self._news.tell(error)
                return
            except (JanusError, OSError) as error:
                final = refusal(error) if isinstance(error, JanusError) else None
                if final is not None and final.code == "room_not_found" and self._seen:
                    if self._away_since is None or time.monotonic() - self._away_since > ROOM_GRACE:
                        self._end("the room was destroyed")
                        return
                elif final is not None:
                    await self._clean_up()
                    self._news.tell(final)
                    return
                if self._away_since is None:
                    self._away_since = time.monotonic()
                    self._news.tell(Disconnected(str(error)))
            finally:
                # What is still received goes on until the room can be asked again.
                await asyncio.gather(*(s.orphan() for s in self._subscriptions.values()))
                self._later(session.close())
            await asyncio.sleep(BACK_OFF[min(self._failures, len(BACK_OFF) - 1)])
            self._failures += 1

    async def _ask_admission(self, session: Session) -> None:
        """Find out whether the room is there and its pin is right, before anybody publishes in it."""
        handle = await session.attach()
        try:
            await self._ask_for_private_ids(handle)
        except JanusError as error:
            log.debug("the rooms are not listed: %s", error)
        feed: Feed = str(NOBODY) if isinstance(self._address.room, str) else NOBODY
        try:
            await handle.request({"request": "join", "ptype": "subscriber", "streams": [{"feed": feed}], **self._join})
        except JanusError as error:
            if refusal(error) is not None:
                raise
        finally:
            self._later(handle.detach())

    async def _ask_for_private_ids(self, handle: Handle) -> None:
        """Refuse a room that demands a private id; one that is not listed is known by its answer to the first join."""
        listed = (await handle.request({"request": "list"})).data.get("list")
        for room in listed if isinstance(listed, list) else []:
            if isinstance(room, dict) and room.get("room") == self._address.room and room.get("require_pvtid"):
                raise pvtid_required()

    @property
    def _join(self) -> dict[str, Any]:
        return {"room": self._address.room, **self._address.credentials}

    async def _follow(self, session: Session, handle: Handle) -> None:
        """Look again and again, until Janus is lost (JanusError, OSError) or the room refuses us (ConnectorError)."""
        first = True
        probing: asyncio.Task[None] | None = None
        probed = time.monotonic()
        try:
            while True:
                answer = await handle.request({"request": "listparticipants", **self._join})
                self._seen, self._away_since, self._failures = True, None, 0
                if first:
                    first = False
                    for feed in tuple(self._subscriptions):
                        self._drop(feed)
                    self._news.tell(Connected())
                self._apply(session, answer.data)
                now = time.monotonic()
                if now - probed >= PROBE_INTERVAL and (probing is None or probing.done()):
                    probed = now
                    probing = asyncio.create_task(self._probe(session))
                ends: list[asyncio.Future[Any]] = [session.lost, self._refused]
                await asyncio.wait(ends, timeout=self._address.poll_interval, return_when=asyncio.FIRST_COMPLETED)
                if self._refused.done():
                    raise self._refused.result()
                if session.lost.done():
                    raise ConnectionError(session.lost.result())
        finally:
            if probing is not None:
                probing.cancel()
                await asyncio.gather(probing, return_exceptions=True)

    def _apply(self, session: Session, listing: dict[str, Any]) -> None:
        """Subscribe to who publishes, let go who does not, and tell who is there."""
        present = guests(listing, self._pattern)
        publishing = {guest.feed for guest in present if guest.publishing}
        for feed in [f for f in self._subscriptions if f not in publishing]:
            self._drop(feed)
        for feed in publishing - self._subscriptions.keys():
            self._subscriptions[feed] = Subscription(
                session, feed, self._join, self._attending, on_change=self._tell, on_refused=self._refuse
            )
        self._tell(roster(present))

    def _tell(self, now: Roster | None = None) -> None:
        """Tell what is different from what was told."""
        known, after = self._roster, self._roster if now is None else now
        tracks: dict[Key, MediaTrack] = {}
        sources: dict[Key, tuple[Subscription, str]] = {}
        # A camera that shows a screen comes before a publisher of its own with the same owner.
        for feed, subscription in sorted(self._subscriptions.items(), key=lambda item: item[0] in after.screens):
            owner = after.owners.get(feed)
            live = subscription.live
            types = track_types((stream for stream, _ in live), only_screen=feed in after.screens)
            for stream, media in live:
                type_ = types.get(stream.feed_mid)
                if owner is None or type_ is None or (owner, type_) in tracks:
                    subscription.wish(stream.feed_mid, None)
                    continue
                tracks[owner, type_] = media
                sources[owner, type_] = (subscription, stream.feed_mid)
        for event in changes(known, self._tracks, after, tracks):
            self._news.tell(event)
        for key, (subscription, feed_mid) in sources.items():
            subscription.wish(feed_mid, self._wishes.get(key, EVERYTHING))
        self._roster, self._tracks, self._sources = after, tracks, sources
        for key in [key for key in self._wishes if key[0] not in after.participants]:
            del self._wishes[key]

    async def _probe(self, session: Session) -> None:
        """Ask what the publishers have now.

        VideoRoom's only list of streams is its answer to a join as subscriber; so one handle joins to all of them,
        reads the answer and goes without ever connecting (a millisecond of Janus, and no key frame is asked for).
        """
        asked = time.monotonic()
        feeds = [feed for feed, subscription in self._subscriptions.items() if subscription.standing]
        if not feeds:
            return
        found: dict[Feed | None, list[Stream]] = {feed: [] for feed in feeds}
        try:
            handle = await session.attach()
            try:
                attached = await handle.request(
                    {
                        "request": "join",
                        "ptype": "subscriber",
                        "streams": [{"feed": feed} for feed in feeds],
                        **self._join,
                    }
                )
            finally:
                self._later(handle.detach())
        except OSError:
            return
        except JanusError as error:
            log.debug("publishers could not be asked: %s", error)  # one has just gone
            return
        for feed, stream in streams(attached.data, attached.offer or ""):
            found.setdefault(feed, []).append(stream)
        for feed in feeds:
            subscription = self._subscriptions.get(feed)
            if subscription is not None:
                subscription.published(found[feed], asked)

    def _refuse(self, error: ConnectorError) -> None:
        if not self._refused.done():
            self._refused.set_result(error)

    def _drop(self, feed: Feed) -> None:
        self._later(self._subscriptions.pop(feed).close())

    def _end(self, reason: str) -> None:
        for feed in tuple(self._subscriptions):
            self._drop(feed)
        self._tell(EMPTY)
        self._news.tell(Ended(reason))

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it beside; :meth:`close` waits for it."""
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _clean_up(self) -> None:
        for feed in tuple(self._subscriptions):
            self._drop(feed)
        if self._session is not None:
            await self._session.close()
        await asyncio.gather(*self._closing, return_exceptions=True)
