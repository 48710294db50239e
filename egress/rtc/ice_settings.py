"""Which local addresses ICE uses, and which servers help it: settings alone, so that reading them loads no WebRTC."""

from __future__ import annotations

from ipaddress import ip_network

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_serializer, field_validator


class IceServer(BaseModel):
    """A STUN or TURN server, as in RTCIceServer."""

    model_config = ConfigDict(extra="forbid")

    urls: list[str]
    username: str | None = None
    credential: SecretStr | None = None

    @field_serializer("credential", when_used="json")
    def _in_the_clear(self, value: SecretStr | None) -> str | None:
        """An agent tells its attendant by JSON, over a socket that is theirs alone."""
        return None if value is None else value.get_secret_value()


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
