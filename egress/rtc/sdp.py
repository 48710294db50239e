"""Reads an SFU's offer and writes our answer: receive everything we can decode, send nothing (RFC 8829).

Parsing is aiortc's; what is ours is the choice: codecs (with RED and RTX), header extensions, feedback. A section of
data channels is accepted (RFC 8841): an SFU may count nobody as connected whose association does not stand.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from aiortc import RTCIceCandidate, RTCIceParameters, RTCRtpCodecParameters, RTCSctpTransport
from aiortc.rtcdtlstransport import RTCDtlsParameters
from aiortc.rtcrtpparameters import RTCRtcpFeedback
from aiortc.sdp import GroupDescription, MediaDescription, SessionDescription

from egress.rtc.packet import ABSOLUTE_CAPTURE_TIME, AUDIO_LEVEL, MID, VIDEO_ORIENTATION
from egress.rtc.track import Kind

FEEDBACK = ("nack", "ccm", "goog-remb")
"""Not transport-cc: a constant REMB is all the bandwidth feedback there is, so nobody may wait for more."""
DATA_PORT = 5000
"""Our port of the association of data channels, inside DTLS."""
EXTENSIONS = (AUDIO_LEVEL, VIDEO_ORIENTATION, ABSOLUTE_CAPTURE_TIME, MID)


PARSE_FAILURES = (ArithmeticError, AssertionError, AttributeError, LookupError, StopIteration, TypeError, ValueError)
"""What aiortc's parser raises on damage, seen by fuzzing."""


class SdpError(ValueError):
    """An offer that cannot be answered; the text says why."""


@dataclass(slots=True)
class Section:
    """One audio or video section of an offer that we accept."""

    mid: str
    kind: Kind
    codecs: dict[int, str]
    """Payload type to ``vp8``, ``h264``, ``opus``, ``red`` or ``rtx``."""
    clock_rates: dict[int, int]
    rtx_of: dict[int, int]
    """RTX payload type to the one it repeats."""
    extensions: dict[int, str]
    ssrcs: list[int] = field(default_factory=list)
    rtx_ssrcs: dict[int, int] = field(default_factory=dict)
    """RTX SSRC to the one it repeats."""
    active: bool = True
    """False where the sender has paused or removed the track (``inactive``, port 0)."""
    msid: str | None = None
    """What the sender calls the stream and the track (RFC 8830), two words."""

    @property
    def readable(self) -> bool:
        """Whether it has a codec that can be decoded."""
        return any(name not in ("rtx", "red") for name in self.codecs.values())


@dataclass(slots=True)
class Offer:
    """What is taken from an offer."""

    description: SessionDescription
    sections: list[Section]
    ice: RTCIceParameters
    dtls: RTCDtlsParameters
    candidates: list[RTCIceCandidate]
    candidates_complete: bool
    data: MediaDescription | None
    """The section of data channels, if there is one."""

    def answers_to(self, other: Offer) -> bool:
        """Whether it comes from the same transport: its certificate is the same."""
        return {f.value for f in self.dtls.fingerprints} == {f.value for f in other.dtls.fingerprints}


def read_offer(sdp: str) -> Offer:
    """Parse an offer. Raises SdpError."""
    try:
        description = SessionDescription.parse(sdp)
    except PARSE_FAILURES as error:
        raise SdpError(f"the offer cannot be read: {error!r}") from error
    carrier = next(
        (m for m in description.media if m.dtls and m.dtls.fingerprints and m.ice and m.ice.usernameFragment),
        None,
    )
    if carrier is None or carrier.dtls is None or carrier.ice is None:
        raise SdpError("the offer names no ICE credentials or no DTLS fingerprint")
    sections = [s for m in description.media if (s := _section(m)) is not None]
    candidates = [c for m in description.media for c in m.ice_candidates]
    return Offer(
        description=description,
        sections=sections,
        ice=carrier.ice,
        dtls=carrier.dtls,
        candidates=candidates,
        candidates_complete=any(m.ice_candidates_complete for m in description.media),
        data=next((m for m in description.media if _is_data(m)), None),
    )


def _is_data(media: MediaDescription) -> bool:
    return media.kind == "application" and "SCTP" in media.profile and media.port != 0


def _section(media: MediaDescription) -> Section | None:
    if media.kind not in ("audio", "video"):
        return None
    codecs: dict[int, str] = {}
    rates: dict[int, int] = {}
    rtx_of: dict[int, int] = {}
    for codec in media.rtp.codecs:
        name = codec.name.lower()
        payload_type = int(codec.payloadType or 0)
        wanted = name in ("opus", "red") if media.kind == "audio" else name in ("vp8", "h264", "rtx")
        if not wanted or (name == "red" and codec.clockRate != 48000):
            continue
        codecs[payload_type] = name
        rates[payload_type] = codec.clockRate
        if name == "rtx":
            repeated = codec.parameters.get("apt")
            if isinstance(repeated, int):
                rtx_of[payload_type] = repeated
    for payload_type in [pt for pt, name in codecs.items() if name == "rtx" and codecs.get(rtx_of.get(pt, -1)) is None]:
        del codecs[payload_type]
    section = Section(
        mid=str(media.rtp.muxId),
        kind="audio" if media.kind == "audio" else "video",
        codecs=codecs,
        clock_rates=rates,
        rtx_of=rtx_of,
        extensions={e.id: e.uri for e in media.rtp.headerExtensions if e.uri in EXTENSIONS},
        active=media.port != 0 and (media.direction or "sendrecv") in ("sendonly", "sendrecv"),
        msid=media.msid,
    )
    for group in media.ssrc_group:
        if group.semantic == "FID" and len(group.items) == 2:
            section.rtx_ssrcs[int(group.items[1])] = int(group.items[0])
    section.ssrcs = [s.ssrc for s in media.ssrc if s.ssrc not in section.rtx_ssrcs]
    return section


def _feedback(kind: Kind, codec: RTCRtpCodecParameters) -> list[RTCRtcpFeedback]:
    wanted = [f for f in codec.rtcpFeedback if f.type in FEEDBACK]
    if kind == "audio" and not any(f.type == "nack" for f in wanted):
        # Seldom offered for sound, but understood: Janus keeps sound for repetition once somebody says this.
        wanted.append(RTCRtcpFeedback(type="nack"))
    return wanted


def write_answer(
    offer: Offer,
    *,
    ice: RTCIceParameters,
    dtls: RTCDtlsParameters,
    candidates: list[RTCIceCandidate],
    role: str,
    session: int,
    version: int,
) -> str:
    """The answer to ``offer``: every usable section received on one transport, everything else turned down."""
    answer = SessionDescription()
    answer.type = "answer"
    answer.origin = f"- {session} {version} IN IP4 0.0.0.0"
    answer.msid_semantic.append(GroupDescription(semantic="WMS", items=["*"]))
    accepted: list[int | str] = []
    by_mid = {s.mid: s for s in offer.sections}
    for theirs in offer.description.media:
        section = by_mid.get(str(theirs.rtp.muxId))
        usable = section is not None and section.readable
        data = theirs is offer.data
        fmt: list[Any] = list(section.codecs) if usable and section else list(theirs.fmt)
        ours = MediaDescription(theirs.kind, 9 if (usable and theirs.port) or data else 0, theirs.profile, fmt)
        ours.host = "0.0.0.0"
        ours.rtp.muxId = theirs.rtp.muxId
        ours.rtcp_port, ours.rtcp_host, ours.rtcp_mux = 9, "0.0.0.0", True
        ours.ice = ice
        ours.ice_candidates = candidates
        ours.ice_candidates_complete = True
        ours.dtls = RTCDtlsParameters(fingerprints=dtls.fingerprints, role=role)
        if usable and section is not None:
            ours.direction = "recvonly" if section.active else "inactive"
            ours.rtp.codecs = [
                replace(c, rtcpFeedback=_feedback(section.kind, c))
                for c in theirs.rtp.codecs
                if c.payloadType in section.codecs
            ]
            ours.rtp.headerExtensions = [e for e in theirs.rtp.headerExtensions if e.uri in EXTENSIONS]
            if theirs.port:
                accepted.append(str(theirs.rtp.muxId))
        elif data:
            ours.sctp_port = DATA_PORT
            ours.sctpCapabilities = RTCSctpTransport.getCapabilities()
            accepted.append(str(theirs.rtp.muxId))
        else:
            ours.direction = "inactive"
        answer.media.append(ours)
    answer.group.append(GroupDescription(semantic="BUNDLE", items=accepted))
    return str(answer)
