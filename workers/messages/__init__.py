"""The messages, and the one function that turns what came off a queue into them."""

from __future__ import annotations

from pydantic import ValidationError

from egress.sealing import Keyring
from workers.calls.projects import Projects
from workers.messages import hosted
from workers.messages.calls import UpdateCall
from workers.messages.participants import ModerateParticipant, Pin, Unpin
from workers.messages.recordings import (
    StartRecording,
    StartWebRecording,
    StopAll,
    StopRecording,
    StopWebRecording,
    UpdateRecording,
)
from workers.messages.sessions import CallSessionEnded, CallSessionStarted
from workers.messages.shape import Message
from workers.messages.speech import (
    SendClosedCaption,
    StartClosedCaptions,
    StartTranscription,
    StopClosedCaptions,
    StopTranscription,
    UpdateTranscription,
)
from workers.payload import check, shown
from workers.refused import BadMessage
from workers.sentences import sentences

__all__ = [
    "MESSAGES",
    "CallSessionEnded",
    "CallSessionStarted",
    "Message",
    "ModerateParticipant",
    "Pin",
    "SendClosedCaption",
    "StartClosedCaptions",
    "StartRecording",
    "StartTranscription",
    "StartWebRecording",
    "StopAll",
    "StopClosedCaptions",
    "StopRecording",
    "StopTranscription",
    "StopWebRecording",
    "Unpin",
    "UpdateCall",
    "UpdateRecording",
    "UpdateTranscription",
    "named",
    "parse",
]

MESSAGES: dict[str, type[Message]] = {
    "start_recording": StartRecording,
    "stop_recording": StopRecording,
    "update_recording": UpdateRecording,
    "start_web_recording": StartWebRecording,
    "stop_web_recording": StopWebRecording,
    "start_transcription": StartTranscription,
    "stop_transcription": StopTranscription,
    "update_transcription": UpdateTranscription,
    "start_closed_captions": StartClosedCaptions,
    "stop_closed_captions": StopClosedCaptions,
    "send_closed_caption": SendClosedCaption,
    "stop_all": StopAll,
    "pin": Pin,
    "unpin": Unpin,
    "moderate_participant": ModerateParticipant,
    "call_session_started": CallSessionStarted,
    "call_session_ended": CallSessionEnded,
    "update_call": UpdateCall,
}


def named(type_: object) -> str:
    """The message type by the name that a sender gave it, which may be that of a hosted platform's event.

    Raises BadMessage naming those that there are.
    """
    name = hosted.MESSAGES.get(type_, type_) if isinstance(type_, str) else type_
    if not isinstance(name, str) or name not in MESSAGES:
        raise BadMessage(f"'{shown(str(type_))}' is no message type; known are {', '.join(MESSAGES)}")
    return name


def parse(
    message_type: str, payload: object, keyring: Keyring | None = None, projects: Projects | None = None
) -> Message:
    """The message, checked to the last field. Raises BadMessage, with a sentence for each thing that is wrong.

    With a ``keyring``, sealed addresses of rooms are opened; without one they stay as they are. With ``projects``,
    those that addresses name must be among them; they stay names all the same.
    """
    model = MESSAGES[named(message_type)]
    fields = check(hosted.taken(message_type, payload))
    try:
        return model.model_validate(fields, context={"keyring": keyring, "projects": projects})
    except ValidationError as error:
        raise BadMessage(*sentences(error, model)) from None
