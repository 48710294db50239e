"""Messages about what is recorded."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from egress.protocol.encoding import Quality
from egress.protocol.recordings import LayoutSettings
from workers.calls.models import RecordSettings
from workers.messages.pages import App, PageUrl
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
    app: App = App()
    """What the page of ``layout.external_app_url`` is told beside the call and its layout."""

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
        checked = RecordSettings.model_validate({"layout": layout}).layout
    except ValidationError as error:
        raise Inside(sentences(error, RecordSettings)) from None
    if checked.external_app_url is not None:
        raise Inside(["layout.external_app_url: what runs cannot become the recording of a page; start one beside it"])
    return checked


class StartWebRecording(Message):
    """Record a web page: what it shows and what it plays. It need not have to do with the call that it is kept with."""

    page_url: PageUrl
    """The page."""
    quality: Quality = Field(default=Quality.P720, strict=False)
    """The size of the page."""
    audio_only: bool = False
    """Only what the page plays."""
    await_start_signal: bool = False
    """Record nothing before the page says that it is ready. Else it is recorded 4 s after it loaded at the latest."""
    max_duration_seconds: float | None = Field(default=None, gt=0, le=604_800)
    """Seconds after which the recording ends; without it that of the settings."""
    layout: LayoutSettings | None = None
    """With this, or ``app``, the page is an app that is told of the call and of both."""
    app: App = App()
    """What an app is told beside the call and its layout."""
    egress_id: Identifier | None = None
    """Chosen by the sender. Without one it is made of ``request_id``, else of the queue's message id."""
    session_id: Identifier | None = None
    """The session of the call; without it the open one is joined, or a new one begun."""
    connector: Connector | None = None
    """The call's room; without it that of the session, the call or its type, else none at all (type ``page``)."""
    recording_external_storage: StoreName | None = None
    """The store; without it that of the call, else of the call's type, else the default one."""


class StopWebRecording(Message):
    """Stop one recording of a web page, or, without ``egress_id``, those that are kept with a call."""

    egress_id: Identifier | None = None
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""


class StopAll(Message):
    """Stop everything that runs of a call, or, with ``session_id``, of one session. That nothing runs is no error."""

    session_id: Identifier | None = None
