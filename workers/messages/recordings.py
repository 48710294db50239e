"""Messages about what is recorded."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import ValidationError, field_validator, model_validator

from egress.protocol import LayoutSettings
from workers.calls.models import RecordSettings
from workers.messages.shape import Connector, Identifier, Message, StoreName
from workers.sentences import At, Inside, sentences


class StartRecording(Message):
    """Record a call."""

    recording_type: Literal["composite"] = "composite"
    """One picture of everybody."""
    egress_id: Identifier | None = None
    """Chosen by the sender. Without one it is made of ``request_id``, else of the queue's message id."""
    session_id: Identifier | None = None
    """The session of the call; without it the open one is joined, or a new one begun."""
    connector: Connector | None = None
    """The room; without it that of the session, else of the call, else of the call's type."""
    recording: RecordSettings = RecordSettings()
    """What is to be other than the call's settings say, for this recording alone."""
    recording_external_storage: StoreName | None = None
    """The store; without it that of the call, else of the call's type, else the default one."""

    @field_validator("recording")
    @classmethod
    def _enabled(cls, value: RecordSettings) -> RecordSettings:
        if value.mode == "disabled":
            raise At("mode", "recording is disabled for this call; allowed are available, auto-on")
        return value


class StopRecording(Message):
    """Stop one recording of a call, or, without ``egress_id``, all of that type."""

    recording_type: Literal["composite"] = "composite"
    egress_id: Identifier | None = None
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""


class UpdateRecording(Message):
    """Change the layout of a recording that runs, or, without ``egress_id``, of all of that type.

    The picture changes at once, and the file goes on. Its size stays, whatever ``detect_orientation`` says.
    """

    recording_type: Literal["composite"] = "composite"
    egress_id: Identifier | None = None
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""
    layout: LayoutSettings | None = None
    """The layout in the place of the one that runs, with all of its options."""
    options: dict[str, Any] | None = None
    """Laid over the options of the layout; one that is null takes its default again."""

    @model_validator(mode="after")
    def _says_something(self) -> UpdateRecording:
        if self.layout is None and not self.options:
            raise ValueError("nothing is said: give layout, options or both")
        if self.layout is not None:
            check_drawn(self.layout.model_dump(mode="json", exclude_unset=True))
        return self


def check_drawn(layout: dict[str, Any]) -> LayoutSettings:
    """The layout, if recordings can be drawn by it. Raises Inside with sentences."""
    try:
        return RecordSettings.model_validate({"layout": layout}).layout
    except ValidationError as error:
        raise Inside(sentences(error, RecordSettings)) from None


class StopAll(Message):
    """Stop everything that runs of a call, or, with ``session_id``, of one session. That nothing runs is no error."""

    session_id: Identifier | None = None
