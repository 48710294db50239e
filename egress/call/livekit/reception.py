"""Receives the tracks of a LiveKit room: its one peer, the tracks that come and go on it, and what to ask for."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping

from livekit.protocol import rtc

from egress.call.connector import Attending
from egress.call.livekit.signal import Signal
from egress.call.livekit.subscriptions import Subscriptions
from egress.call.livekit.track import LivekitTrack
from egress.call.model import TrackType, Wants
from egress.rtc.peer import PeerReceiver
from egress.rtc.receiver import PeerTrack
from egress.rtc.sdp import SdpError
from egress.rtc.track import Kind

log = logging.getLogger(__name__)

Key = tuple[str, TrackType]


class Reception:
    """Lives for as long as the room is attended, across reconnects. Event loop only."""

    def __init__(self, attending: Attending) -> None:
        self._attending = attending
        self._peer: PeerReceiver | None = None
        self._fresh: PeerReceiver | None = None
        """Made while a join is under way, used from its first offer on: until then the one before may receive."""
        self._answered = ""
        self._tracks: dict[str, LivekitTrack] = {}
        """By track sid."""
        self._sids: dict[Key, str] = {}
        self._wishes: dict[Key, Wants | None] = {}
        self._subscriptions = Subscriptions()
        self._changed = asyncio.Event()
        self._closing: set[asyncio.Task[None]] = set()
        self.broken: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why the media connection failed, once it has."""

    # Connections.

    def prepare(self) -> None:
        """A join is to follow."""
        if self._fresh is None:
            self._fresh = self._make_peer()

    def joined(self) -> None:
        """The server knows us as somebody new, who has subscribed to nothing."""
        self.broken = asyncio.get_running_loop().create_future()
        self._subscriptions.forget()
        self._changed.set()

    async def answer(self, sdp: str, sids: Mapping[str, str]) -> str | None:
        """The answer to an offer; ``sids`` are track sids by mid. None when the offer cannot be answered."""
        try:
            if self._fresh is None and self._peer is not None and not self._peer.continues(sdp):
                log.info("the media connection is moved to another server")
                self._fresh = self._make_peer()
            if self._fresh is not None:
                self._drop()
                self._peer, self._fresh = self._fresh, None
            assert self._peer is not None
            self._answered = await self._peer.answer(sdp)
        except SdpError as error:
            log.warning("an offer cannot be answered: %s", error)
            return None
        received = {_sid(mid, track, sids): track for mid, track in self._peer.tracks.items()}
        for sid, track in self._tracks.items():
            if sid in received:
                track.attach(received[sid])
            else:
                track.detach()
        return self._answered

    async def candidate(self, init: str, *, final: bool) -> None:
        """A trickled candidate of the server, as JSON."""
        if self._peer is None:
            return
        try:
            told = json.loads(init) if init else {}
            await self._peer.add_candidate(str(told.get("candidate") or "") or None, told.get("sdpMid"))
            if final:
                await self._peer.add_candidate(None)
        except (ValueError, AttributeError) as error:
            log.info("a candidate cannot be read: %s", error)

    def state(self) -> rtc.SyncState:
        """What the server is told of us when the signalling goes on."""
        return rtc.SyncState(
            answer=rtc.SessionDescription(type="answer", sdp=self._answered) if self._answered else None,
            subscription=rtc.UpdateSubscription(track_sids=self._subscriptions.subscribed, subscribe=True),
            track_sids_disabled=self._subscriptions.disabled,
        )

    async def close(self) -> None:
        self._drop()
        if self._fresh is not None:
            await self._fresh.close()
        await asyncio.gather(*self._closing, return_exceptions=True)

    # Tracks.

    def publish(self, key: Key, sid: str, codec: str) -> LivekitTrack:
        """A track is published, and may be listened to."""
        kind: Kind = "audio" if key[1].is_audio else "video"
        track = LivekitTrack(kind, codec, lambda: self._need(key, sid))
        self._tracks[sid] = track
        self._sids[key] = sid
        self._subscriptions.add(sid, video=kind == "video")
        self._subscriptions.wish(sid, self._wishes.get(key))
        return track

    def unpublish(self, key: Key, sid: str) -> None:
        """It is published no more, or cannot be received."""
        track = self._tracks.pop(sid, None)
        if track is not None:
            track.detach()
        if self._sids.get(key) == sid:
            del self._sids[key]
            self._wishes.pop(key, None)
        self._subscriptions.remove(sid)

    def knows(self, sid: str) -> bool:
        return sid in self._tracks

    def wish(self, key: Key, wish: Wants | None) -> None:
        """How large it is shown; None when it is not."""
        self._wishes[key] = wish
        if (sid := self._sids.get(key)) is not None:
            self._subscriptions.wish(sid, wish)
            self._need(key, sid)

    def failed(self, sid: str) -> None:
        """The server could not subscribe us."""
        self._subscriptions.failed(sid, time.monotonic())
        self._changed.set()

    async def ask(self, signal: Signal) -> None:
        """Ask for what is needed, now and whenever that changes. Raises ConnectionError."""
        while True:
            self._changed.clear()
            now = time.monotonic()
            for request in self._subscriptions.due(now):
                await signal.send(request)
            due = self._subscriptions.next_due(now)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if due is None else max(0.01, due - now)):
                    await self._changed.wait()

    def _need(self, key: Key, sid: str) -> None:
        """What somebody listens to is needed, unless it was said not to be."""
        track = self._tracks.get(sid)
        if track is not None:
            unwanted = key in self._wishes and self._wishes[key] is None
            self._subscriptions.need(sid, track.needed and not unwanted, time.monotonic())
            self._changed.set()

    def _make_peer(self) -> PeerReceiver:
        made = PeerReceiver(
            self._attending.ice,
            delay=self._attending.delay,
            on_closed=lambda reason: self._broke(made, reason),
        )
        return made

    def _broke(self, peer: PeerReceiver, reason: str) -> None:
        # Of one that is to be replaced nothing is expected any more.
        if peer is (self._fresh or self._peer) and not self.broken.done():
            self.broken.set_result(reason)

    def _drop(self) -> None:
        """Let the peer go; what its tracks have handed on is still shown."""
        peer, self._peer = self._peer, None
        if peer is None:
            return
        for track in self._tracks.values():
            track.detach()
        task = asyncio.create_task(peer.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def _sid(mid: str, track: PeerTrack, sids: Mapping[str, str]) -> str:
    """The server's name of a track: told beside the offer, by older servers as the last word of the track's msid."""
    return sids.get(mid) or (track.section.msid or "").rpartition(" ")[2]
