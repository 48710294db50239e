"""A receive-only WebRTC peer: answers offers on one bundled transport and hands out tracks below the decoder.

It is not aiortc's RTCPeerConnection but its ICE and DTLS objects put together for one purpose. So there are no
transceivers to renegotiate: an answer is written from the offer alone, sections may come and go with every offer, and
an offer that comes while the transport is being built cannot leave a track without media.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Callable

from aiortc import RTCCertificate, RTCIceTransport, RTCSctpTransport
from aiortc.sdp import candidate_from_sdp

from egress.rtc import feedback
from egress.rtc.feedback import Reception
from egress.rtc.ice import connection_of, gatherer
from egress.rtc.ice_settings import IceSettings
from egress.rtc.packet import RtpPacket, parse_rtp, unwrap
from egress.rtc.receiver import PeerTrack
from egress.rtc.sdp import DATA_PORT, PARSE_FAILURES, Offer, SdpError, Section, read_offer, write_answer
from egress.rtc.transport import MediaTransport

log = logging.getLogger(__name__)

REPORT_INTERVAL = 1.0
CONNECT_TIMEOUT = 15.0


class PeerReceiver:
    """One connection to an SFU (or to a guest) that only receives, for use ``delay`` seconds behind live.

    ``sender_clock`` says whose clock the sender reports carry. Those of an SFU that writes them itself, from when
    packets came in, know no more about picture and sound than the least delay does, and are off by the first one's.

    ``on_track(mid, track)`` is called once for each audio or video section that an offer brings; ``on_removed(mid)``
    when a later offer takes it away; ``on_closed(reason)`` once, when the connection fails or the other side ends it,
    not after :meth:`close`.
    """

    def __init__(
        self,
        ice: IceSettings,
        *,
        delay: float = 1.0,
        sender_clock: bool = True,
        on_track: Callable[[str, PeerTrack], None] | None = None,
        on_removed: Callable[[str], None] | None = None,
        on_closed: Callable[[str], None] | None = None,
    ) -> None:
        self._delay = delay
        self._sender_clock = sender_clock
        self._on_track = on_track
        self._on_removed = on_removed
        self._on_closed = on_closed
        self._gatherer = gatherer(ice)
        self._ice = RTCIceTransport(self._gatherer)
        self.transport = MediaTransport(
            self._ice,
            RTCCertificate.generateCertificate(),
            on_rtp=self._rtp,
            on_report=self._report,
        )
        self._ssrc = random.getrandbits(32)
        self._session = random.getrandbits(62)
        self._version = 0
        self._tracks: dict[str, PeerTrack] = {}
        self._by_ssrc: dict[int, PeerTrack] = {}
        self._receptions: dict[int, Reception] = {}
        self._extensions: dict[int, str] = {}
        self._offer: Offer | None = None
        self._data: RTCSctpTransport | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready.add_done_callback(lambda f: f.cancelled() or f.exception())
        self._reporting: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._told = False

    @property
    def tracks(self) -> dict[str, PeerTrack]:
        """The tracks that are offered now, by mid."""
        return self._tracks

    def continues(self, offer_sdp: str) -> bool:
        """Whether an offer comes from the transport that this peer is connected with, or is to be. Raises SdpError."""
        return self._offer is None or read_offer(offer_sdp).answers_to(self._offer)

    async def answer(self, offer_sdp: str) -> str:
        """Take an offer, the first or a later one, and return the answer with all candidates. Raises SdpError."""
        if self._closed:
            raise SdpError("the peer is closed")
        offer = read_offer(offer_sdp)
        before, self._offer = self._offer, offer
        if before is not None and offer.ice.usernameFragment != before.ice.usernameFragment:
            log.info("the other side restarts ICE")
            connection_of(self._gatherer).answer_restart(offer.ice)
        await self._gatherer.gather()
        # Whoever greets first may greet a side that is not ready, and wait a second for the next try. aioice keeps what
        # comes early, an SFU may not: so the SFU greets, if it leaves us the choice.
        role = "client" if offer.dtls.role == "server" else "server"
        self._apply(offer)
        for candidate in offer.candidates:
            if candidate.component == 1:
                await self._ice.addRemoteCandidate(candidate)
        if offer.candidates_complete:
            await self._ice.addRemoteCandidate(None)
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._connect(offer, role))
        self._version += 1
        return write_answer(
            offer,
            ice=self._gatherer.getLocalParameters(),
            dtls=self.transport.getLocalParameters(),
            candidates=self._gatherer.getLocalCandidates(),
            role=role,
            session=self._session,
            version=self._version,
        )

    async def add_candidate(self, candidate: str | None, mid: str | None = None) -> None:
        """A trickled candidate (the text after ``candidate:``), or None for their end. Raises SdpError."""
        if candidate is None or not candidate.strip():
            await self._ice.addRemoteCandidate(None)
            return
        try:
            parsed = candidate_from_sdp(candidate.strip().removeprefix("a=").removeprefix("candidate:"))
        except PARSE_FAILURES as error:
            raise SdpError(f"the candidate {candidate!r} cannot be read") from error
        parsed.sdpMid = mid
        if parsed.component == 1:
            await self._ice.addRemoteCandidate(parsed)

    async def connected(self) -> None:
        """Wait until media can flow. Raises ConnectionError."""
        await asyncio.shield(self._ready)

    async def close(self) -> None:
        """End the connection; safe to call twice."""
        self._closed = True
        if not self._ready.done():
            self._ready.set_exception(ConnectionError("the peer was closed"))
        await _end(self._connecting)
        # Begun by the other, which goes on after all when it is cancelled in the moment in which a datagram comes.
        await _end(self._reporting)
        if self._timer is not None:
            self._timer.cancel()
        for mid, track in self._tracks.items():
            track.clock.leave()
            log.info("track %s ends: %s", mid, track.summary())
        if self._data is not None:
            with contextlib.suppress(ConnectionError):
                await self._data.stop()
        connection_of(self._gatherer).on_media = None
        await self.transport.stop()
        await self._ice.stop()

    def _apply(self, offer: Offer) -> None:
        """Make the tracks those of the offer."""
        self._extensions = {i: uri for s in offer.sections for i, uri in s.extensions.items()}
        offered: set[str] = set()
        for section in offer.sections:
            known = self._tracks.get(section.mid)
            if not section.active or not section.readable:
                continue
            offered.add(section.mid)
            if known is not None and not _is_another(known.section, section):
                known.section = section
                self._route(section, known)
                continue
            if known is not None:
                self._remove(section.mid)
            track = PeerTrack(section, self._delay, self._wake)
            self._tracks[section.mid] = track
            self._route(section, track)
            if self._on_track is not None:
                self._on_track(section.mid, track)
        for mid in [m for m in self._tracks if m not in offered]:
            self._remove(mid)

    def _remove(self, mid: str) -> None:
        gone = self._tracks.pop(mid)
        log.info("track %s ends: %s", mid, gone.summary())
        gone.clock.leave()
        for ssrc in [s for s, track in self._by_ssrc.items() if track is gone]:
            del self._by_ssrc[ssrc]
            self._receptions.pop(ssrc, None)
        if self._on_removed is not None:
            self._on_removed(mid)

    def _route(self, section: Section, track: PeerTrack) -> None:
        for ssrc in (*section.ssrcs, *section.rtx_ssrcs):
            self._by_ssrc[ssrc] = track

    async def _connect(self, offer: Offer, role: str) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                if offer.ice.iceLite:
                    connection_of(self._gatherer).ice_controlling = True
                await self._ice.start(offer.ice)
                if self._ice.state != "completed":
                    raise ConnectionError("ICE found no way to the other side")
                self.transport._set_role(role)
                await self.transport.start(offer.dtls)
                if self.transport.state != "connected":
                    raise ConnectionError("the DTLS handshake failed")
                if offer.data is not None:
                    self._data = RTCSctpTransport(self.transport, port=DATA_PORT)
                    await self._data.start(offer.data.sctpCapabilities, offer.data.sctp_port or DATA_PORT)
        except TimeoutError:
            self._fail(f"no connection within {CONNECT_TIMEOUT:.0f} s")
            return
        except (ConnectionError, OSError) as error:
            self._fail(str(error))
            return
        except Exception as error:
            # Nobody awaits this task, so whatever ends it has to be told here.
            log.exception("the connection could not be made")
            self._fail(f"the connection could not be made: {error!r}")
            return
        self.transport.take_datagrams()
        self.transport.on("statechange", self._on_state)
        self._ice.on("statechange", self._on_state)
        self._reporting = asyncio.create_task(self._send_reports())
        if not self._ready.done():
            self._ready.set_result(None)
        self._wake()

    def _on_state(self) -> None:
        if self.transport.state in ("closed", "failed"):
            self._fail("the other side ended the connection")
        elif self._ice.state == "failed":
            self._fail("the network path was lost")

    def _fail(self, reason: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(ConnectionError(reason))
        if self._closed or self._told:
            return
        self._told = True
        if self._on_closed is not None:
            self._on_closed(reason)

    def _rtp(self, data: bytes, arrival: float) -> None:
        try:
            packet = parse_rtp(data, self._extensions, arrival)
        except ValueError as error:
            log.debug("an RTP packet cannot be read: %s", error)
            return
        track = self._by_ssrc.get(packet.ssrc) or self._adopt(packet)
        if track is None:
            return
        reception = self._receptions.get(packet.ssrc)
        if reception is None:
            reception = self._receptions[packet.ssrc] = Reception(packet.ssrc)
        reception.on_packet(unwrap(packet.seq, reception.highest if reception.base is not None else None, 16))
        track.on_packet(packet)
        if track.buffer.next_event() is not None or track.keyframes.wanted:
            self._wake()

    def _adopt(self, packet: RtpPacket) -> PeerTrack | None:
        """An SSRC that no offer named: found by its MID, else by a payload type that only one track has."""
        track = self._tracks.get(packet.mid) if packet.mid else None
        if track is None:
            able = [t for t in self._tracks.values() if packet.payload_type in t.section.codecs]
            unnamed = [t for t in able if not t.section.ssrcs]
            if len(able) == 1:
                track = able[0]
            elif len(unnamed) == 1:
                track = unnamed[0]
        if track is not None:
            self._by_ssrc[packet.ssrc] = track
        return track

    def _report(self, ssrc: int, ntp: float, rtp_timestamp: int, now: float) -> None:
        reception = self._receptions.get(ssrc)
        if reception is not None:
            reception.last_report = (int(ntp * 65536) & 0xFFFFFFFF, now)
        track = self._by_ssrc.get(ssrc)
        if track is None or track.clock.captured:
            return
        if self._sender_clock and track.timed and track.ssrc == ssrc and ntp:
            track.clock.on_sender_report(ntp, track.extended(rtp_timestamp), now)

    def _wake(self) -> None:
        """Make sure the timer runs while something is missing or wished for."""
        if self._timer is None and not self._closed and self._ready.done():
            self._timer = asyncio.get_running_loop().call_later(0.01, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._closed:
            return
        now = time.monotonic()
        again = False
        for track in self._tracks.values():
            track.deliver(now)
            if track.ssrc is None:
                continue
            wishes: list[bytes] = []
            lost = track.buffer.wants_again(now)
            if lost:
                wishes.append(feedback.nack(self._ssrc, track.ssrc, lost))
            if track.keyframes.due(now):
                wishes.append(feedback.picture_loss(self._ssrc, track.ssrc))
            if wishes:
                self._send_about(track.ssrc, wishes, now)
            again = again or track.keyframes.wanted or track.buffer.next_event() is not None
        if again:
            self._wake()

    def _send_about(self, ssrc: int, wishes: list[bytes], now: float) -> None:
        reception = self._receptions.get(ssrc)
        if reception is not None:
            self.transport.send_rtcp([feedback.receiver_report(self._ssrc, reception, now), *wishes])

    async def _send_reports(self) -> None:
        while True:
            now = time.monotonic()
            video = [t.ssrc for t in self._tracks.values() if t.kind == "video" and t.ssrc is not None]
            for ssrc in tuple(self._receptions):
                self._send_about(ssrc, [feedback.estimate(self._ssrc, video)] if ssrc in video else [], now)
            # RFC 3550, 6.2: spread, so that the reports of many receivers do not come together.
            await asyncio.sleep(REPORT_INTERVAL * random.uniform(0.7, 1.3))


async def _end(task: asyncio.Task[None] | None) -> None:
    if task is not None and task is not asyncio.current_task():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _is_another(before: Section, after: Section) -> bool:
    """Whether a section was given to another track: it has another name and comes from elsewhere."""
    if before.kind != after.kind:
        return True
    renamed = None not in (before.msid, after.msid) and before.msid != after.msid
    return renamed and not set(before.ssrcs) & set(after.ssrcs)
