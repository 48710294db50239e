"""ICE that keeps to its settings, and hands media on without a queue."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import cast

from aioice import Candidate
from aioice import Connection as AioiceConnection
from aiortc import RTCIceGatherer, RTCIceParameters, RTCIceServer

from egress.rtc.ice_settings import IceSettings


class IceConnection(AioiceConnection):
    """An aioice connection that gathers only the addresses it is told to (aioice itself leaves loopback out), and
    that can hand media datagrams on without its queue."""

    networks: list[str] = []  # noqa: RUF012 (never changed in place)
    on_media: Callable[[bytes], None] | None = None

    def data_received(self, data: bytes, component: int) -> None:
        # RFC 7983: 128 to 191 is RTP and RTCP, everything else (DTLS) goes the ordinary way.
        if self.on_media is not None and len(data) > 1 and 127 < data[0] < 192:
            self.on_media(data)
        else:
            super().data_received(data, component)

    def answer_restart(self, theirs: RTCIceParameters) -> None:
        """The other side began anew with other credentials (RFC 8445, 9). Our sockets and our own credentials stay, so
        nothing has to be found again: its checks are answered, and what it nominates is used."""
        self.remote_username, self.remote_password = theirs.usernameFragment, theirs.password
        self._remote_candidates_end = False

    async def get_component_candidates(self, component: int, addresses: list[str], timeout: int = 5) -> list[Candidate]:
        if self.networks:
            wanted = [ip_network(network) for network in self.networks]
            local = [
                *addresses,
                *(str(net[1]) for net in wanted if net.is_loopback and net.num_addresses > 1),
            ]
            addresses = [a for a in dict.fromkeys(local) if any(ip_address(a) in net for net in wanted)]
        found: list[Candidate] = await super().get_component_candidates(component, addresses, timeout)
        return found


def gatherer(settings: IceSettings) -> RTCIceGatherer:
    """An ICE gatherer that keeps to the settings."""
    made = RTCIceGatherer(
        iceServers=[
            RTCIceServer(
                urls=server.urls,
                username=server.username,
                credential=server.credential.get_secret_value() if server.credential else None,
            )
            for server in settings.servers
        ]
    )
    # The gatherer builds its connection itself; only the way addresses are chosen differs.
    connection_of(made).networks = settings.networks
    return made


def connection_of(gatherer: RTCIceGatherer) -> IceConnection:
    """The gatherer's connection, made ours: it builds its connection itself and offers no way to bring another."""
    connection = gatherer._connection
    if not isinstance(connection, IceConnection):
        connection.__class__ = IceConnection
    return cast(IceConnection, connection)
