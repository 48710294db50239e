"""Messages about what is said in a call: transcripts and closed captions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic import BaseModel as _BaseModel

from workers.calls.models import Language, SpeechSegmentConfig
from workers.messages.shape import Connector, Identifier, Message, StoreName
from workers.payload import shown
from workers.sentences import At


def _moment(value: object) -> object:
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        raise ValueError(f"'{shown(str(value))}' is no time such as 2025-02-10T09:15:44.25Z (RFC 3339)") from None


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"'{value.isoformat()}' lies outside the years 1 to 9999 of UTC") from None


Moment = Annotated[
    AwareDatetime,
    BeforeValidator(_moment),
    AfterValidator(_in_utc),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""RFC 3339, with its time zone; in UTC once it was read."""


class _Start(Message):
    egress_id: Identifier | None = None
    """Chosen by the sender. Without one it is made of ``request_id``, else of the queue's message id."""
    session_id: Identifier | None = None
    """The session of the call; without it the open one is joined, or a new one begun."""
    connector: Connector | None = None
    """The room; without it that of the session, else of the call, else of the call's type."""
    language: Language | None = None
    """What is spoken, from now on, by all egresses of the call; without it what the call's settings say."""


class StartTranscription(_Start):
    """Write down what is said. The transcript is delivered at the end."""

    enable_closed_captions: bool = False
    """Start closed captions too, unless they run already."""
    transcription_external_storage: StoreName | None = None
    """The store; without it that of the call, else of the call's type, else the default one."""


class StopTranscription(Message):
    """Stop the transcription of a call: what is being said still comes into the transcript."""

    stop_closed_captions: bool = False
    """Stop closed captions too, if they run."""
    egress_id: Identifier | None = None
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""


class StartClosedCaptions(_Start):
    """Tell what is said, sentence by sentence."""

    speech_segment_config: SpeechSegmentConfig | None = None
    """How speech is cut; without it, and for what it leaves out, what the call's settings say."""
    enable_transcription: bool = False
    """Start a transcription too, unless it runs already."""
    external_storage: StoreName | None = None
    """The store of that transcription; without it that of the call, else of the call's type, else the default one."""


class StopClosedCaptions(Message):
    """Stop the closed captions of a call."""

    stop_transcription: bool = False
    """Stop the transcription too, if it runs."""
    egress_id: Identifier | None = None
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""


class UpdateTranscription(Message):
    """Change the language of what runs: transcription and closed captions alike."""

    language: Language
    """What is spoken from now on; ``auto`` finds out."""
    session_id: Identifier | None = None
    """Only what runs in this session of the call."""


class Speaker(_BaseModel):
    """Who speaks, as captions show them."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True)

    name: str | None = Field(default=None, max_length=255)
    image: str | None = Field(default=None, max_length=2000)
    role: str | None = Field(default=None, max_length=255)


class SendClosedCaption(Message):
    """A sentence that another recogniser made: it goes the way of our own, into captions and transcript as they run."""

    caption_id: Identifier | None = None
    """Chosen by the sender. Without one it is made of ``request_id``, else of the queue's message id."""
    speaker_id: str = Field(min_length=1, max_length=255)
    """The user id of who speaks."""
    text: str = Field(min_length=1, max_length=4000)
    start_time: Moment | None = None
    """When it began; without it, when the message was sent."""
    end_time: Moment | None = None
    """When it ended; without it, when the message was sent."""
    language: Language | None = None
    """Its language; without it the one that the call's settings name."""
    translated: bool = False
    """Whether something else was said, in another language."""
    service: str | None = Field(default=None, min_length=1, max_length=64)
    """What made the text of it."""
    user: Speaker = Speaker()
    """How the speaker is called."""
    session_id: Identifier | None = None
    """The session of the call; without it whatever runs of the call."""

    @model_validator(mode="after")
    def _in_order(self) -> SendClosedCaption:
        if self.start_time is not None and self.end_time is not None and self.end_time < self.start_time:
            raise At("end_time", "must not be before start_time")
        if not self.text.strip():
            raise At("text", "must not be blank")
        return self
