"""Loads and tries what the first seconds of a call need, so that a spare attendant begins at once."""

from __future__ import annotations

import logging

import av
from aiortc import RTCCertificate

from egress.call.connector import BUILT_IN, connector
from egress.media.compositor import DecorMaker
from egress.media.decode import AudioDecoder, VideoDecoder
from egress.media.encode import AacEncoder, VideoEncoder
from egress.protocol.encoding import AudioEncoding, VideoEncoding
from layouts.engine import compose
from layouts.native import NativePainter
from layouts.scene import CallView, ParticipantView

log = logging.getLogger(__name__)


def warm() -> None:
    """Import connectors, find fonts, open every codec once. What fails here will fail again where it can be told."""
    for type_ in BUILT_IN:
        try:
            connector(type_)
        except ImportError as error:
            log.warning("the connector %s cannot be loaded: %s", type_, error)
    try:
        RTCCertificate.generateCertificate()
        guest = ParticipantView("warm", "warm", "Zoë 王 محمد", has_audio=True)
        DecorMaker(NativePainter()).make(compose("grid", {}, (320, 180), CallView((guest,))))
        VideoEncoder(320, 180, VideoEncoding()).encode(av.VideoFrame(320, 180, "yuv420p"), 0)
        AacEncoder(AudioEncoding())
        VideoDecoder("vp8")
        AudioDecoder()
    except Exception as error:
        log.warning("the attendant could not be warmed up: %r", error)
