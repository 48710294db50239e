"""Simulcast through aiortc, which has none: one media section, one stream for each layer of a picture.

The layers of a camera are encoded beforehand, so all show the same picture at the same time. Each has a sender with an
SSRC of its own on the section's transport, and each packet tells its layer (RFC 8852, 8853).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aiortc import RTCRtpSender, RTCRtpTransceiver
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters, RTCRtpSendParameters
from aiortc.rtp import HeaderExtensions, HeaderExtensionsMap

from tests.rig.exact import Camera, ExactSender, exact

RIDS = ("q", "h", "f")
"""What LiveKit calls layers, the smallest first."""
_EXTENSION = RTCRtpHeaderExtensionParameters(id=4, uri="urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id")


class _LayerMap(HeaderExtensionsMap):
    """Adds the layer's name to the extensions of every packet."""

    def __init__(self, rid: str) -> None:
        super().__init__()
        self._rid = rid

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        values.rtp_stream_id = self._rid
        return super().set(values)


class LayeredSender(ExactSender):
    """The sender of the smallest layer, which takes the others along."""

    others: list[RTCRtpSender]

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        told = replace(parameters, headerExtensions=[*parameters.headerExtensions, _EXTENSION])
        await super().send(told)
        for sender in self.others:
            sender.setTransport(self.transport)
            await sender.send(told)

    async def stop(self) -> None:
        for sender in self.others:
            await sender.stop()
        await super().stop()


def layered(line: RTCRtpTransceiver, cameras: list[Camera]) -> None:
    """Make a transceiver that was just made for the first of the cameras send them all, as its layers.

    Its codecs must leave out retransmission streams: those of layers would need names of their own.
    """
    others = [RTCRtpSender(camera, line.sender.transport) for camera in cameras[1:]]
    for rid, sender, camera in zip(RIDS, [line.sender, *others], cameras, strict=False):
        exact(sender, camera)
        sender._RTCRtpSender__rtp_header_extensions_map = _LayerMap(rid)  # type: ignore[attr-defined]
    line.sender.__class__ = LayeredSender
    assert isinstance(line.sender, LayeredSender)
    line.sender.others = others


def described(sdp: str, lines: dict[RTCRtpTransceiver, int]) -> str:
    """An offer in which the sections of these transceivers announce so many layers instead of their one SSRC."""
    head, *sections = sdp.split("m=")
    layers_of: dict[Any, int] = {line.mid: layers for line, layers in lines.items()}
    told = []
    for section in sections:
        kept = section.removesuffix("\r\n").split("\r\n")
        layers = next((layers for mid, layers in layers_of.items() if f"a=mid:{mid}" in kept), 0)
        if layers and "a=inactive" not in kept:
            rids = RIDS[:layers]
            kept = [line for line in kept if not line.startswith(("a=ssrc:", "a=ssrc-group:"))]
            kept += [f"a=extmap:{_EXTENSION.id} {_EXTENSION.uri}", *(f"a=rid:{rid} send" for rid in rids)]
            kept += [f"a=simulcast:send {';'.join(rids)}"]
        told.append("\r\n".join(kept) + "\r\n")
    return "m=".join([head, *told])
