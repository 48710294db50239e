"""The settings of a call, as call backends know them (CallSettingsRequest)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from workers.messages import RecordSettings


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class SessionSettings(_Part):
    inactivity_timeout_seconds: int = Field(default=30, ge=5, le=900)
    """Seconds after the last participant has gone at which everything that runs is stopped."""


class LimitsSettings(_Part):
    max_duration_seconds: int | None = Field(default=None, ge=0)
    """Seconds from the first join after which the session ends; 0 and None are no limit."""


class CallSettings(_Part):
    recording: RecordSettings = RecordSettings()
    session: SessionSettings = SessionSettings()
    limits: LimitsSettings = LimitsSettings()
