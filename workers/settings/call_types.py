"""Call types: what a call has before a message says otherwise."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from workers.calls.settings import CallSettings
from workers.settings.section import Section


class CallType(Section):
    """Settings, store and room of the calls of one type."""

    settings: CallSettings = CallSettings()
    external_storage: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    connector: dict[str, Any] | None = Field(default=None, repr=False)
    """The room's address with ``{call_id}``, ``{call_type}`` and ``{call_cid}`` filled in, in every string of it."""
