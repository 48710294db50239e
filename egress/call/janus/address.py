"""The address of a VideoRoom: the ``connector`` object of a message whose ``type`` is ``janus``."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from egress.call.janus.display import GROUPS

Secret = Annotated[SecretStr, Field(min_length=1, max_length=1024)]


class JanusAddress(BaseModel):
    """Where the room is and what opens it. Secrets never reach a log, an event or a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["janus"] = "janus"
    url: str = Field(max_length=2048)
    """Janus's API: ``http(s)://host:8088/janus`` or ``ws(s)://host:8188``."""
    room: Annotated[int, Field(ge=0, lt=1 << 63, strict=True)] | Annotated[str, Field(min_length=1, max_length=256)]
    """A number, or a text when the server runs with ``string_ids``."""
    apisecret: Secret | None = None
    """The server's ``api_secret``."""
    token: Secret | None = None
    """A token of the server's token authentication."""
    pin: Secret | None = None
    """What one needs to join the room."""
    secret: Secret | None = None
    """The room's own secret; sent with the listing for servers that ask for it."""
    poll_interval: float = Field(default=0.5, ge=0.1, le=1.0)
    """Seconds between two looks at who is there."""
    display_pattern: str | None = Field(default=None, min_length=1, max_length=512)
    """A regular expression with the named groups ``user_id``, ``name``, ``roles``, ``image``, ``source``."""

    @field_validator("url")
    @classmethod
    def _is_an_api(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
            raise ValueError("url must look like http(s)://host:port/janus or ws(s)://host:port")
        if parts.username or parts.password:
            raise ValueError("url must not carry a user name or password")
        if parts.query or parts.fragment:
            raise ValueError("url must end with its path")
        parts.port  # noqa: B018 (raises ValueError when it is no port)
        return value

    @field_validator("display_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            names = set(re.compile(value).groupindex)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"display_pattern is not a regular expression: {error}") from error
        if unknown := names - GROUPS:
            raise ValueError(f"display_pattern names {sorted(unknown)}; known are {sorted(GROUPS)}")
        if not names & {"user_id", "name"}:
            raise ValueError("display_pattern needs a group named user_id or name")
        return value

    @property
    def pattern(self) -> re.Pattern[str] | None:
        return re.compile(self.display_pattern) if self.display_pattern else None

    @property
    def credentials(self) -> dict[str, str]:
        """What a request to the room itself carries."""
        given = {"pin": self.pin, "secret": self.secret}
        return {name: value.get_secret_value() for name, value in given.items() if value is not None}
