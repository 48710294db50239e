"""Where events are sent by HTTP, and how they are signed."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from workers.settings.section import Section


class Webhook(Section):
    """One receiver of events."""

    url: SecretStr
    """It may carry a password, and so it is not logged whole."""
    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """What the ledger and the command line know it by. None is made of its URL: another URL is then another hook."""
    api_key: str = Field(default="", max_length=1000, pattern=r"^[\x21-\x7e]*$")
    """Told in ``X-API-KEY``."""
    secret: SecretStr
    """The API secret that signs: ``X-SIGNATURE`` is the hex HMAC-SHA256 of the body with it."""
    events: list[str] = Field(default_factory=list)
    """Event types that are sent; none named is all of them, new ones too."""

    @field_validator("secret")
    @classmethod
    def _signs(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value():
            raise ValueError("an empty secret signs nothing")
        return value
