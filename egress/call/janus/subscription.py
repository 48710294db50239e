"""One publisher received: a subscriber handle, a peer, and both made anew when they fail.

VideoRoom tells a subscriber little: that the publisher is gone, but neither that it publishes something new nor that a
stream has stopped. So :meth:`Subscription.published` is told from outside what the publisher has now.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any

from egress.call.connector import Attending, ConnectorError
from egress.call.janus import layers
from egress.call.janus.client import Event, Handle, JanusError, Session
from egress.call.janus.refusal import refusal
from egress.call.janus.roster import Feed, Stream, streams
from egress.call.model import Wants
from egress.rtc.peer import PeerReceiver
from egress.rtc.receiver import PeerTrack
from egress.rtc.sdp import SdpError
from egress.rtc.track import MediaTrack

log = logging.getLogger(__name__)

BACK_OFF = (0.2, 0.5, 1.0, 2.0)
"""Seconds before the next try; the last one for ever."""
STEADY = 10.0
"""Seconds of a standing connection after which the next failure counts as a first one."""
CONFIGURE_INTERVAL = 0.34
ADDING_TIMEOUT = 3.0


class Subscription:
    """``on_change`` is called when ``live`` may have changed, ``on_refused`` when the room will never have us."""

    def __init__(
        self,
        session: Session,
        feed: Feed,
        join: dict[str, Any],
        attending: Attending,
        *,
        on_change: Callable[[], None],
        on_refused: Callable[[ConnectorError], None],
    ) -> None:
        self._session = session
        self._feed = feed
        self._join = {"request": "join", "ptype": "subscriber", "streams": [{"feed": feed}], **join}
        self._attending = attending
        self._on_change = on_change
        self._on_refused = on_refused
        self._handle: Handle | None = None
        self._peer: PeerReceiver | None = None
        self._over: asyncio.Future[str] | None = None
        self._subscribed: dict[str, Stream] = {}
        self._published: dict[str, Stream] = {}
        self._dormant: dict[str, str] = {}
        self._since = float("inf")
        self._adding = 0.0
        self._negotiating = asyncio.Lock()
        self._wishes: dict[str, Wants | None] = {}
        self._configured: dict[str, dict[str, Any]] = {}
        self._wished = asyncio.Event()
        self._helpers: set[asyncio.Task[None]] = set()
        self._partings: set[asyncio.Task[None]] = set()
        self._task = asyncio.create_task(self._run())

    @property
    def live(self) -> list[tuple[Stream, MediaTrack]]:
        """What is published and received now, in the order of the publisher's sections."""
        if self._peer is None:
            return []
        tracks = self._peer.tracks
        return [
            (self._published[feed_mid], tracks[stream.mid])
            for feed_mid, stream in self._subscribed.items()
            if feed_mid in self._published and stream.mid in tracks
        ]

    @property
    def standing(self) -> bool:
        """Whether the subscription was made, so that what the publisher has can be compared with it."""
        return bool(self._subscribed)

    def published(self, found: Iterable[Stream], asked: float) -> None:
        """What the publisher has, by an answer to a question of that time (``time.monotonic()``)."""
        if asked < self._since:
            return
        now = {stream.feed_mid: stream for stream in found if stream.active}
        changed = now != self._published
        self._published = now
        new = [mid for mid in now if mid not in self._subscribed]
        if new and time.monotonic() - self._adding > ADDING_TIMEOUT:
            self._adding = time.monotonic()
            self._help(self._add(new))
        if changed:
            self._on_change()

    def wish(self, feed_mid: str, wish: Wants | None) -> None:
        """How large a stream is needed, or None for not at all."""
        if feed_mid not in self._wishes or self._wishes[feed_mid] != wish:
            self._wishes[feed_mid] = wish
            self._wished.set()

    async def orphan(self) -> None:
        """The session is gone: ask nothing any more, but receive for as long as something comes."""
        self._task.cancel()
        for helper in tuple(self._helpers):
            helper.cancel()
        await asyncio.gather(self._task, *self._helpers, return_exceptions=True)

    async def close(self) -> None:
        """End it; safe to call twice."""
        await self.orphan()
        await self._take_down()
        await asyncio.gather(*self._partings, return_exceptions=True)

    async def _run(self) -> None:
        failures = 0
        while True:
            began = time.monotonic()
            try:
                reason = await self._receive()
            except asyncio.CancelledError:
                # Whoever cancels decides whether the peer goes on.
                raise
            except JanusError as error:
                known = refusal(error)
                if known is not None and known.code != "room_not_found":
                    self._on_refused(known)
                    return
                reason = str(error)
            except (OSError, SdpError) as error:
                reason = str(error)
            log.info("feed %s: %s", self._feed, reason)
            await self._take_down()
            failures = 1 if time.monotonic() - began > STEADY else failures + 1
            await asyncio.sleep(BACK_OFF[min(failures, len(BACK_OFF)) - 1])

    async def _receive(self) -> str:
        """Subscribe and stay until it is over; returns why it is."""
        self._over = asyncio.get_running_loop().create_future()
        self._handle = handle = await self._session.attach()
        handle.on_event = self._on_event
        attached = await handle.request(self._join)
        self._peer = PeerReceiver(
            self._attending.ice,
            delay=self._attending.delay,
            # Janus writes sender reports itself, from when it got the first packets.
            sender_clock=False,
            on_closed=self._end,
        )
        self._configured = {}
        await self._negotiate(attached)
        self._help(self._configure(handle))
        await self._peer.connected()
        return await self._over

    def _end(self, reason: str) -> None:
        if self._task.done():
            # An orphan has nobody else to notice it.
            self._subscribed = {}
            self._on_change()
        elif self._over is not None and not self._over.done():
            self._over.set_result(reason)

    def _on_event(self, event: Event) -> None:
        if event.janus in ("hangup", "detached"):
            self._end(f"Janus ended the connection ({event.reason or event.janus})")
        elif event.data.get("videoroom") == "updated" and event.offer is not None:
            if any(stream.active for _, stream in streams(event.data)):
                self._help(self._renegotiate(event))
            else:
                self._end("the publisher has stopped")

    async def _negotiate(self, event: Event) -> None:
        """Answer the offer that came with a list of streams."""
        assert self._handle is not None and self._peer is not None
        if event.offer is None:
            return
        async with self._negotiating:
            answer = await self._peer.answer(event.offer)
            mine = [stream for feed, stream in streams(event.data, event.offer) if feed == self._feed]
            self._subscribed = {stream.feed_mid: stream for stream in mine if stream.active}
            self._dormant = {s.feed_mid: s.mid for s in mine if not s.active}
            self._published = dict(self._subscribed)
            self._since = time.monotonic()
            self._on_change()
            await self._handle.request({"request": "start"}, answer)

    async def _renegotiate(self, event: Event) -> None:
        with contextlib.suppress(JanusError, OSError, SdpError):
            await self._negotiate(event)

    async def _add(self, feed_mids: list[str]) -> None:
        """Subscribe to what is new; Janus may postpone its offer, which then comes as an event.

        To subscribe again to a stream that was negotiated while it was switched off would give it a second section: so
        its old one is given back in the same breath.
        """
        assert self._handle is not None
        request: dict[str, Any] = {
            "request": "update",
            "subscribe": [{"feed": self._feed, "mid": mid} for mid in feed_mids],
        }
        if given_back := [{"sub_mid": self._dormant[mid]} for mid in feed_mids if mid in self._dormant]:
            request["unsubscribe"] = given_back
        try:
            await self._negotiate(await self._handle.request(request))
        except JanusError as error:
            log.debug("feed %s: %s", self._feed, error)  # it has gone again
        except (OSError, SdpError) as error:
            self._end(str(error))

    async def _configure(self, handle: Handle) -> None:
        """Send what is wished, all at once and not too often."""
        while True:
            await self._wished.wait()
            self._wished.clear()
            entries = []
            for feed_mid, wish in self._wishes.items():
                stream = self._subscribed.get(feed_mid)
                if stream is None:
                    continue
                entry = layers.configuration(stream.mid, wish, simulcast=stream.simulcast)
                if entry != self._configured.get(stream.mid, {"mid": stream.mid, "send": True}):
                    entries.append(entry)
            if not entries:
                continue
            resumed = [e["mid"] for e in entries if e["send"] and not self._configured.get(e["mid"], e)["send"]]
            for track in self._tracks(resumed):
                # Janus goes on in the middle of a group of pictures, and numbers packets as if nothing were missing.
                track.begin_anew()
            try:
                await handle.request({"request": "configure", "streams": entries})
            except (JanusError, OSError) as error:
                log.debug("feed %s: a wish was not taken: %s", self._feed, error)
                self._wished.set()
            else:
                self._configured |= {entry["mid"]: entry for entry in entries}
                for track in self._tracks(resumed):
                    track.request_keyframe()
            await asyncio.sleep(CONFIGURE_INTERVAL)

    def _tracks(self, mids: Iterable[str]) -> list[PeerTrack]:
        tracks = {} if self._peer is None else self._peer.tracks
        return [tracks[mid] for mid in mids if mid in tracks]

    async def _take_down(self) -> None:
        handle, self._handle = self._handle, None
        peer, self._peer = self._peer, None
        # Begun before anything is waited for: whoever is cancelled here must not leave the peer's sockets behind.
        parting = asyncio.create_task(self._part_with(handle, peer))
        self._partings.add(parting)
        parting.add_done_callback(self._partings.discard)
        for helper in tuple(self._helpers):
            helper.cancel()
        await asyncio.gather(*self._helpers, return_exceptions=True)
        self._subscribed, self._published, self._dormant = {}, {}, {}
        self._since, self._adding = float("inf"), 0.0
        if self._wishes:
            self._wished.set()
        self._on_change()
        await asyncio.shield(parting)

    async def _part_with(self, handle: Handle | None, peer: PeerReceiver | None) -> None:
        if peer is not None:
            await peer.close()
        if handle is not None and not self._session.lost.done():
            await handle.detach()

    def _help(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)
