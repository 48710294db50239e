"""Which local addresses ICE uses, and which servers help it."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import cast

from aioice import Candidate
from aioice import Connection as AioiceConnection
from aiortc import RTCIceGatherer, RTCIceServer
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class IceServer(BaseModel):
    """A STUN or TURN server, as in RTCIceServer."""

    model_config = ConfigDict(extra="forbid")

    urls: list[str]
    username: str | None = None
    credential: SecretStr | None = None


class IceSettings(BaseModel):
    """Without ``networks`` every address of the host but loopback is offered; with them, only those inside,
    loopback too (``127.0.0.0/8``)."""

    model_config = ConfigDict(extra="forbid")

    networks: list[str] = Field(default_factory=list)
    servers: list[IceServer] = Field(default_factory=list)

    @field_validator("networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        for network in value:
            ip_network(network)
        return value


LOOPBACK = IceSettings(networks=["127.0.0.0/8"])


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
