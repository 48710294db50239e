"""The address of a demo call: the ``connector`` object of a message whose ``type`` is ``loopback``."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from egress.call.loopback.cast import MOST_GUESTS


class LoopbackAddress(BaseModel):
    """A demo call. Without ``url`` it lives and ends with its attendant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["loopback"] = "loopback"
    guests: int = Field(default=3, ge=1, le=MOST_GUESTS)
    """How many guests a room of its own has; a room that is named has its own number."""
    url: str | None = Field(default=None, max_length=200)
    """A room process that runs already: ``tcp://127.0.0.1:PORT``."""

    @field_validator("url")
    @classmethod
    def _is_on_this_machine(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        try:
            here = parts.hostname == "localhost" or ip_address(parts.hostname or "").is_loopback
        except ValueError:
            here = False
        if parts.scheme != "tcp" or not here or not parts.port or parts.path or parts.query or parts.username:
            raise ValueError("url must look like tcp://127.0.0.1:PORT: a room is on this machine only")
        return value
