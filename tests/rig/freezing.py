"""Networks of single peer connections that die for a while: their sockets fall silent in both directions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aioice.ice
from aiortc import RTCPeerConnection

_LOOK = 0.01
_frozen: set[aioice.ice.Connection] = set()


class _FreezingProtocol(aioice.ice.StunProtocol):
    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        if self.receiver not in _frozen:
            super().datagram_received(data, addr)

    async def send_data(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.receiver not in _frozen:
            await super().send_data(data, addr)

    def send_stun(self, message: Any, addr: tuple[str, int]) -> None:
        if self.receiver not in _frozen:
            super().send_stun(message, addr)


def freezable(peer: RTCPeerConnection) -> None:
    """Prepare a peer connection that has gathered its candidates."""
    for connection in _connections(peer):
        for protocol in connection._protocols:
            protocol.__class__ = _FreezingProtocol


async def freeze(peers: Callable[[], list[RTCPeerConnection]], seconds: float) -> None:
    """The networks of the peer connections are dead for so long, those included that are made meanwhile."""
    dead: set[aioice.ice.Connection] = set()
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        dead.update(connection for peer in peers() for connection in _connections(peer))
        _frozen.update(dead)
        await asyncio.sleep(min(left, _LOOK))
    _frozen.difference_update(dead)


async def cut_off(peer: RTCPeerConnection) -> None:
    """Close a peer connection without a word to the other side."""
    dead = _connections(peer)
    _frozen.update(dead)
    await peer.close()
    _frozen.difference_update(dead)


def _connections(peer: RTCPeerConnection) -> list[aioice.ice.Connection]:
    transports: Any = peer._RTCPeerConnection__iceTransports  # type: ignore[attr-defined]
    return [transport.iceGatherer._connection for transport in transports]
