"""Offers of SFUs and the answers to them."""

from __future__ import annotations

import random

import pytest
from aiortc import RTCIceCandidate, RTCIceParameters
from aiortc.rtcdtlstransport import RTCDtlsFingerprint, RTCDtlsParameters
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from egress.rtc.packet import AUDIO_LEVEL, MID, VIDEO_ORIENTATION
from egress.rtc.sdp import SdpError, read_offer, write_answer

FINGERPRINT = "AB:" * 31 + "CD"
HEAD = """v=0
o=- 1714 1 IN IP4 10.0.0.1
s=-
t=0 0
"""
SECURITY = f"""a=ice-ufrag:abcd
a=ice-pwd:0123456789abcdef0123456789
a=fingerprint:sha-256 {FINGERPRINT}
a=setup:actpass
"""
JANUS = (
    HEAD
    + "a=group:BUNDLE 0 1\na=ice-options:trickle\na=msid-semantic: WMS *\n"
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\nc=IN IP4 10.0.0.1\na=sendonly\na=mid:0\na=rtcp-mux\n"
    + SECURITY
    + """a=rtpmap:111 opus/48000/2
a=fmtp:111 useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid
a=rtcp-fb:111 transport-cc
a=msid:janus janus0
a=ssrc:1001 cname:janus
a=candidate:1 1 udp 2015363327 10.0.0.1 40000 typ host
a=end-of-candidates
m=video 9 UDP/TLS/RTP/SAVPF 96 97 45
c=IN IP4 10.0.0.1
a=sendonly
a=mid:1
a=rtcp-mux
"""
    + SECURITY
    + """a=rtpmap:96 VP8/90000
a=rtcp-fb:96 ccm fir
a=rtcp-fb:96 nack
a=rtcp-fb:96 nack pli
a=rtcp-fb:96 goog-remb
a=rtcp-fb:96 transport-cc
a=rtpmap:97 rtx/90000
a=fmtp:97 apt=96
a=rtpmap:45 AV1/90000
a=extmap:13 urn:3gpp:video-orientation
a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
a=ssrc-group:FID 2001 2002
a=ssrc:2001 cname:janus
a=ssrc:2002 cname:janus
a=candidate:1 1 udp 2015363327 10.0.0.1 40000 typ host
a=end-of-candidates
"""
)
LIVEKIT = (
    HEAD
    + "a=group:BUNDLE 0 1 2\na=ice-lite\na=extmap-allow-mixed\n"
    + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\nc=IN IP4 0.0.0.0\na=mid:0\na=sendrecv\na=sctp-port:5000\n"
    + SECURITY
    + "m=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 0.0.0.0\na=mid:1\na=sendrecv\na=rtcp-mux\n"
    + SECURITY
    + "a=rtpmap:111 opus/48000/2\na=ssrc:5 cname:x\n"
    + "m=video 9 UDP/TLS/RTP/SAVPF 125 107\nc=IN IP4 0.0.0.0\na=mid:2\na=sendonly\na=rtcp-mux\n"
    + SECURITY
    + """a=rtpmap:125 H264/90000
a=fmtp:125 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f
a=rtpmap:107 rtx/90000
a=fmtp:107 apt=125
a=ssrc:6 cname:x
"""
)


def crlf(text: str) -> str:
    return text.replace("\n", "\r\n")


def answered(sdp: str, *, role: str = "client") -> tuple[str, SessionDescription]:
    text = write_answer(
        read_offer(sdp),
        ice=RTCIceParameters(usernameFragment="ours", password="p" * 24),
        dtls=RTCDtlsParameters([RTCDtlsFingerprint("sha-256", FINGERPRINT)]),
        candidates=[RTCIceCandidate(1, "f", "127.0.0.1", 5000, 1, "udp", "host")],
        role=role,
        session=7,
        version=3,
    )
    return text, SessionDescription.parse(text)


def test_a_janus_offer_is_read():
    offer = read_offer(crlf(JANUS))
    audio, video = offer.sections
    assert (audio.mid, audio.kind, audio.codecs) == ("0", "audio", {111: "opus", 63: "red"})
    assert audio.extensions == {1: AUDIO_LEVEL, 4: MID}
    assert (video.codecs, video.rtx_of) == ({96: "vp8", 97: "rtx"}, {97: 96})
    assert video.extensions == {13: VIDEO_ORIENTATION}
    assert (audio.ssrcs, video.ssrcs, video.rtx_ssrcs) == ([1001], [2001], {2002: 2001})
    assert offer.ice.usernameFragment == "abcd"
    assert offer.candidates_complete
    assert offer.candidates[0].port == 40000


def test_a_janus_offer_is_answered_section_by_section():
    text, answer = answered(crlf(JANUS))
    audio, video = answer.media
    assert [m.kind for m in answer.media] == ["audio", "video"]
    assert [m.direction for m in answer.media] == ["recvonly", "recvonly"]
    assert audio.fmt == [111, 63]
    assert "a=fmtp:63 111/111\r\n" in text
    assert video.fmt == [96, 97]
    assert "a=group:BUNDLE 0 1\r\n" in text
    assert text.count("a=setup:active\r\n") == 2
    assert {e.uri for e in video.rtp.headerExtensions} == {VIDEO_ORIENTATION}
    assert all(m.rtcp_mux and m.ice.usernameFragment == "ours" for m in answer.media)


def test_transport_wide_feedback_is_neither_echoed_nor_promised():
    text, _ = answered(crlf(JANUS))
    assert "transport-cc" not in text
    assert "transport-wide-cc" not in text
    for kept in ("a=rtcp-fb:96 nack\r\n", "a=rtcp-fb:96 nack pli\r\n", "a=rtcp-fb:96 goog-remb\r\n"):
        assert kept in text


def test_lost_sound_may_be_asked_for_though_nobody_offered_that():
    text, _ = answered(crlf(JANUS))
    assert "a=rtcp-fb:111 nack\r\n" in text


def test_a_livekit_offer_has_its_data_channel_accepted():
    text, answer = answered(crlf(LIVEKIT))
    assert [(m.kind, m.port) for m in answer.media] == [("application", 9), ("audio", 9), ("video", 9)]
    assert answer.media[0].sctp_port == 5000
    assert "a=group:BUNDLE 0 1 2\r\n" in text
    assert answer.media[2].fmt == [125, 107]
    assert read_offer(crlf(LIVEKIT)).ice.iceLite


def test_an_offer_with_nothing_but_a_data_channel_is_answered():
    only = LIVEKIT[: LIVEKIT.index("m=audio")].replace("BUNDLE 0 1 2", "BUNDLE 0")
    _, answer = answered(crlf(only))
    assert [(m.kind, m.port) for m in answer.media] == [("application", 9)]


def test_a_paused_section_is_answered_inactive_and_stays_in_the_bundle():
    sdp = crlf(JANUS.replace("a=sendonly\na=mid:1", "a=inactive\na=mid:1"))
    assert [s.active for s in read_offer(sdp).sections] == [True, False]
    text, answer = answered(sdp)
    assert [m.direction for m in answer.media] == ["recvonly", "inactive"]
    assert "a=group:BUNDLE 0 1\r\n" in text


def test_a_removed_section_keeps_its_place_with_port_0():
    sdp = crlf(JANUS.replace("m=video 9", "m=video 0").replace("BUNDLE 0 1", "BUNDLE 0"))
    assert [s.active for s in read_offer(sdp).sections] == [True, False]
    text, answer = answered(sdp)
    assert [m.port for m in answer.media] == [9, 0]
    assert "a=group:BUNDLE 0\r\n" in text


def test_a_section_that_only_wants_to_receive_is_not_active():
    sdp = crlf(JANUS.replace("a=sendonly\na=mid:1", "a=recvonly\na=mid:1"))
    assert [s.active for s in read_offer(sdp).sections] == [True, False]


def test_a_section_of_codecs_we_cannot_decode_is_turned_down():
    sdp = crlf(JANUS.replace("VP8/90000", "VP9/90000"))
    _, answer = answered(sdp)
    assert [m.port for m in answer.media] == [9, 0]


def test_an_offer_that_is_the_dtls_client_gets_a_server():
    text, _ = answered(crlf(JANUS.replace("setup:actpass", "setup:active")), role="server")
    assert "a=setup:passive\r\n" in text


@pytest.mark.parametrize(
    "sdp",
    [
        "",
        "hello",
        "v=0\r\n",
        HEAD,
        crlf(JANUS.replace("a=fingerprint", "a=nothing")),
        crlf(JANUS.replace("a=ice-ufrag", "a=x")),
    ],
    ids=["empty", "text", "version only", "no media", "no fingerprint", "no ice"],
)
def test_an_offer_that_cannot_be_used_is_an_sdp_error(sdp: str):
    with pytest.raises(SdpError):
        read_offer(sdp)


@settings(max_examples=300, deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from([JANUS, LIVEKIT]))
def test_a_damaged_offer_raises_nothing_but_sdp_error(dice: random.Random, text: str):
    lines = text.split("\n")
    for _ in range(dice.randint(1, 4)):
        n = dice.randrange(len(lines))
        line = lines[n]
        what = dice.randrange(4)
        if what == 0:
            del lines[n]
        elif what == 1:
            lines[n] = line[: dice.randint(0, len(line))]
        elif what == 2 and line:
            at = dice.randrange(len(line))
            lines[n] = line[:at] + dice.choice("0 :=-ä\x00/9") + line[at + 1 :]
        else:
            lines.insert(n, dice.choice(lines))
    try:
        answered(crlf("\n".join(lines)))
    except SdpError:
        return
