"""Call types as operations names them: what a call has before a message says otherwise."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from workers.calls.addresses import filled
from workers.calls.models import CallSettings
from workers.settings.section import Section


class CallType(Section):
    """Settings, store and room of the calls of one type. What is not said of a built-in type stays as it is, and
    what is not said of any other type is as the type ``default`` has it."""

    settings: CallSettings = CallSettings()
    external_storage: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    """The store of its recordings; null is that of the type ``default``, then ``storage.default``."""
    connector: dict[str, Any] | None = Field(default=None, repr=False)
    """The room's address with ``{call_id}``, ``{call_type}`` and ``{call_cid}`` filled in, in every string of it;
    null is that of the type ``default``."""

    @field_validator("connector")
    @classmethod
    def _can_be_filled(cls, value: dict[str, Any] | None) -> dict[str, Any] | None:
        if value is not None:
            filled(value, "type:id")
            if not isinstance(value.get("type"), str):
                raise ValueError("type must name a connector")
        return value
