"""The events that Wallflower tells, one model each: what is sent is made by them, and so is the reference."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema


def rfc3339(time: datetime) -> str:
    """UTC with microseconds: ``2025-02-10T09:15:44.252969Z``."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


Time = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2025-02-10T09:15:44.252969Z"]}),
]
"""A moment as RFC 3339 text in UTC."""

RecordingType = Literal["composite", "individual", "raw"]


class _Told(BaseModel):
    """Fields that have no value are left out of what is sent."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        # We may not send what is not written here; who reads it must be ready for fields to come.
        json_schema_extra=lambda schema: schema.pop("additionalProperties", None),
    )

    def payload(self) -> dict[str, Any]:
        """The event as JSON takes it, its type first."""
        fields = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return {"type": fields.pop("type"), **fields}


class _CallEvent(_Told):
    created_at: Time
    """When the event came about."""
    call_cid: str
    """The call: ``type:id``."""


class _EgressEvent(_CallEvent):
    egress_id: str
    """The egress: what its request named, or what was made of the request."""


class _Failed(_Told):
    error: str
    """What happened: a sentence for people."""
    error_code: str
    """The same for programs: a stable word."""


class _File(_Told):
    filename: str
    """The name of the file, without folders."""
    session_id: str
    """The session of the call."""
    url: str
    """Where the store has it."""


class _RecordingEvent(_EgressEvent):
    recording_type: RecordingType
    """What kind of recording it is."""


class CallRecordingStartedEvent(_RecordingEvent):
    """A recording has its first picture, or its first sound. Told once, however often it is taken up again."""

    type: Literal["call.recording_started"] = "call.recording_started"


class CallRecordingStoppedEvent(_RecordingEvent):
    """Nothing more is recorded. Files may still have to be closed and delivered: each is told by an event."""

    type: Literal["call.recording_stopped"] = "call.recording_stopped"


class CallRecording(_File):
    """One file of a recording, delivered. It is a part of the event ``call.recording_ready``."""

    recording_type: RecordingType
    start_time: Time
    """The moment of its first picture or sound."""
    end_time: Time
    """The moment of its last picture or sound."""


class CallRecordingReadyEvent(_RecordingEvent):
    """A file is in its store, whole and playable. A recording has one or more, each with an event of its own."""

    type: Literal["call.recording_ready"] = "call.recording_ready"
    call_recording: CallRecording


class CallRecordingFailedEvent(_Failed, _RecordingEvent):
    """A recording is over and not what was asked for. Files that there are will still be delivered and told."""

    type: Literal["call.recording_failed"] = "call.recording_failed"


class CallTranscriptionStartedEvent(_EgressEvent):
    """What is said is written down from now on. Told once, however often that is taken up again."""

    type: Literal["call.transcription_started"] = "call.transcription_started"


class CallTranscriptionStoppedEvent(_EgressEvent):
    """A message stopped the transcription. Its other ends, and failures, are not told by this event."""

    type: Literal["call.transcription_stopped"] = "call.transcription_stopped"


class CallTranscription(_File):
    """A transcript, delivered. It is a part of the event ``call.transcription_ready``."""

    start_time: Time
    """When the transcription began."""
    end_time: Time
    """When the transcription ended, or the last word of it was said."""
    language: str | None = None
    """The language into which it is translated; left out of the transcript of what was said."""


class CallTranscriptionReadyEvent(_EgressEvent):
    """A transcript is in its store, and what accompanies it too. Each language has a transcript of its own."""

    type: Literal["call.transcription_ready"] = "call.transcription_ready"
    call_transcription: CallTranscription


class CallTranscriptionFailedEvent(_Failed, _EgressEvent):
    """A transcription is over and not what was asked for. What there is of it will still be delivered and told."""

    type: Literal["call.transcription_failed"] = "call.transcription_failed"


class CallClosedCaptionsStartedEvent(_EgressEvent):
    """What is said is told from now on. Told once, however often that is taken up again."""

    type: Literal["call.closed_captions_started"] = "call.closed_captions_started"


class CallClosedCaptionsStoppedEvent(_EgressEvent):
    """What is said is not told any more: all of it that will be told was told before this event."""

    type: Literal["call.closed_captions_stopped"] = "call.closed_captions_stopped"


class CallClosedCaptionsFailedEvent(_Failed, _EgressEvent):
    """Closed captions are over and not what was asked for."""

    type: Literal["call.closed_captions_failed"] = "call.closed_captions_failed"


class CaptionUser(_Told):
    """Who speaks, as the call has them."""

    id: str
    role: str
    """The first of their roles; empty when the call tells none."""
    name: str | None = None
    image: str | None = None


class CallClosedCaption(_Told):
    """Something that somebody said. It is told once and never changed."""

    id: str
    text: str
    start_time: Time
    """When it began. With ``speaker_id`` it is unlike that of any other caption: a translation's is some milliseconds
    later than what it translates."""
    end_time: Time
    """When its last word ended."""
    speaker_id: str
    """The user id of who speaks."""
    user: CaptionUser
    language: str
    """The language of the text (ISO 639-1); empty when it is not known."""
    translated: bool
    """Whether something else was said, in another language."""
    service: str | None = None
    """What made the text of it."""


class ClosedCaptionEvent(_CallEvent):
    """Somebody said something."""

    type: Literal["call.closed_caption"] = "call.closed_caption"
    closed_caption: CallClosedCaption


class RequestError(_Told):
    """Why a request was refused."""

    code: int
    """A number for programs, by the list in the reference of messages."""
    name: str
    """The name of that number."""
    message: str
    """What was wrong and what would be allowed: a sentence for people."""


class EgressRequestAnsweredEvent(_Told):
    """A message that carried a ``request_id`` was taken or refused."""

    type: Literal["egress.request_answered"] = "egress.request_answered"
    created_at: Time
    """When the answer was given."""
    call_cid: str | None = None
    """The call that the message named; left out when it named none."""
    request_id: str
    """As the message had it."""
    ok: bool
    """Whether what was asked for will be done. That it *was* done is told by the events of the egress."""
    egress_ids: list[str] = Field(default_factory=list)
    """The egresses that the message started, changed or stopped."""
    changed: list[str] | None = None
    """The settings that a message about the call changed, such as ``limits.max_duration_seconds``."""
    egress_id: str | None = None
    """The egress that runs already, when that is why the request was refused."""
    error: RequestError | None = None
    """Why it was refused; left out when it was not."""


class EgressWarningEvent(_CallEvent):
    """Something people should know, which stops nothing: it is told once a session for each cause."""

    type: Literal["egress.warning"] = "egress.warning"
    session_id: str
    """The session of the call."""
    egress_id: str | None = None
    """The egress that it concerns; left out when it concerns all of the call's."""
    code: str
    """What it is, for programs: a stable word."""
    message: str
    """The same for people: a sentence."""
    participant_session_id: str | None = None
    """The participant whom it concerns."""
    user_id: str | None = None
    """Their user id."""
    track: Literal["audio", "video", "screen_share", "screen_share_audio"] | None = None
    """Which of their tracks."""


EVENTS: dict[str, type[_Told]] = {
    model.model_fields["type"].default: model
    for model in (
        CallRecordingStartedEvent,
        CallRecordingStoppedEvent,
        CallRecordingReadyEvent,
        CallRecordingFailedEvent,
        CallTranscriptionStartedEvent,
        CallTranscriptionStoppedEvent,
        CallTranscriptionReadyEvent,
        CallTranscriptionFailedEvent,
        CallClosedCaptionsStartedEvent,
        CallClosedCaptionsStoppedEvent,
        CallClosedCaptionsFailedEvent,
        ClosedCaptionEvent,
        EgressRequestAnsweredEvent,
        EgressWarningEvent,
    )
}
"""Every event that is sent, by its type."""
