"""Where events are sent by HTTP, and how they are signed."""

from __future__ import annotations

from pydantic import Field, SecretStr

from workers.settings.section import Section


class Webhook(Section):
    """One receiver of events."""

    url: SecretStr
    """It may carry a password, and so it is not logged whole."""
    api_key: str = ""
    """Told in ``X-API-KEY``."""
    secret: SecretStr
    """The API secret that signs: ``X-SIGNATURE`` is the hex HMAC-SHA256 of the body with it."""
    events: list[str] = Field(default_factory=list)
    """Event types that are sent; none named is all of them, new ones too."""
