"""The address of a LiveKit room: the ``connector`` object of a message whose ``type`` is ``livekit``."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from egress.call.connector import ConnectorError

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1024)]

_SECURE = {"ws": False, "http": False, "wss": True, "https": True}


class LivekitAddress(BaseModel):
    """Where the room is and what opens it. Secrets never reach a log, an event or a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["livekit"] = "livekit"
    project: str | None = Field(default=None, min_length=1, max_length=64)
    """A project of the worker's settings, which has the URL and what opens it. A worker puts these in its place."""
    url: str | None = Field(default=None, max_length=2048, validate_default=True)
    """The server: ``wss://host``, ``ws://host:7880``, or the same with ``https`` and ``http``; a path is a prefix."""
    room: str = Field(min_length=1, max_length=256)
    api_key: str | None = Field(default=None, min_length=1, max_length=256)
    api_secret: Secret | None = None
    token: Annotated[SecretStr, Field(min_length=1, max_length=8192)] | None = Field(
        default=None, validate_default=True
    )
    """A ready access token, where the key is not to be given away."""
    roles_key: str = Field(default="roles", min_length=1, max_length=256)
    """The attribute of a participant, or the key in its JSON metadata, that names its roles."""
    tell_room: bool = False
    """Tell the clients in the room of egresses and captions."""
    topic: str = Field(default="wallflower", min_length=1, max_length=256)
    """The topic of what they are told."""

    @field_validator("url")
    @classmethod
    def _is_a_server(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None:
            if info.data.get("project") is None:
                raise ValueError("is missing; only where a project is named may it be left out")
            return None
        parts = urlsplit(value)
        if parts.scheme not in _SECURE or not parts.hostname or not _has_a_host(value):
            raise ValueError("url must look like wss://host, ws://host:7880, https://host or http://host:7880")
        if parts.username or parts.password:
            raise ValueError("url must not carry a user name or password")
        if parts.query or parts.fragment:
            raise ValueError("url must end with its path")
        parts.port  # noqa: B018 (raises ValueError when it is no port)
        return value

    @field_validator("token")
    @classmethod
    def _one_way_in(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        given = info.data
        if not {"project", "api_key", "api_secret"} <= given.keys():
            return value  # one of them is wrong by itself, which is told
        key, secret = given["api_key"], given["api_secret"]
        if (key is None) != (secret is None):
            raise ValueError("api_key and api_secret belong together")
        ways = sum(way is not None for way in (given["project"], key, value))
        if ways == 0:
            raise ValueError("one of token, api_key with api_secret, and project must be given")
        if ways > 1:
            raise ValueError("only one of token, api_key with api_secret, and project may be given")
        return value

    @property
    def ws_url(self) -> str:
        """Where signalling goes, without a slash at its end. Raises ConnectorError before a project is looked up."""
        return self._with_scheme("ws", "wss")

    @property
    def http_url(self) -> str:
        """Where the server's API is, without a slash at its end. Raises ConnectorError as ``ws_url`` does."""
        return self._with_scheme("http", "https")

    def _with_scheme(self, plain: str, secure: str) -> str:
        if self.url is None:
            raise not_looked_up(self)
        scheme, _, rest = self.url.partition("://")
        return f"{secure if _SECURE[scheme.lower()] else plain}://{rest.rstrip('/')}"


def _has_a_host(url: str) -> bool:
    """Whether it names a host that can be asked for, international names included (RFC 5891)."""
    try:
        return url.isprintable() and " " not in url and bool(httpx.URL(url).host)
    except (httpx.InvalidURL, UnicodeError):
        return False


def not_looked_up(address: LivekitAddress) -> ConnectorError:
    """The address still names its project, of which only a worker's settings know."""
    return ConnectorError(
        "unknown_project",
        f"the address names the project '{address.project}', which only the settings of a worker know: "
        "give url, api_key and api_secret",
    )
