"""Which local addresses ICE uses, and which servers help it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

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


class _Connection(AioiceConnection):  # type: ignore[misc]
    """An aioice connection that gathers only the addresses it is told to (aioice itself leaves loopback out)."""

    networks: list[str]

    async def get_component_candidates(
        self, component: int, addresses: list[str], timeout: int = 5
    ) -> list[Candidate]:
        if self.networks:
            wanted = [ip_network(network) for network in self.networks]
            local = [*addresses, *(str(net[1]) for net in wanted if net.is_loopback and net.num_addresses > 1)]
            addresses = [a for a in local if any(ip_address(a) in net for net in wanted)]
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
    made._connection.__class__ = _Connection
    made._connection.networks = settings.networks
    return made
