"""Messages about participants: who comes first in the picture, and what may be seen and heard of somebody."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from egress.protocol.directions import ModeratedAudio, ModeratedVideo
from workers.messages.shape import Identifier, Message

ParticipantName = Annotated[str, Field(min_length=1, max_length=256)]


class _Who(Message):
    user_id: ParticipantName | None = None
    """The user, wherever they joined from."""
    participant_session_id: ParticipantName | None = None
    """Or one participant, by their session id."""
    session_id: Identifier | None = None
    """The session of the call; without it all that are open are meant, else the one that begins next."""

    @model_validator(mode="after")
    def _not_both(self) -> _Who:
        if self.user_id is not None and self.participant_session_id is not None:
            raise ValueError("name user_id or participant_session_id, not both")
        return self


class Pin(_Who):
    """Let somebody come first in every picture of the session. Several may be pinned: the latest is the first."""

    @model_validator(mode="after")
    def _somebody(self) -> Pin:
        if self.user_id is None and self.participant_session_id is None:
            raise ValueError("user_id is missing (or participant_session_id)")
        return self


class Unpin(_Who):
    """Take a pin back, named as it was pinned; without ``user_id`` and ``participant_session_id`` all of them.

    That nobody is pinned is no error.
    """


class ModerateParticipant(Message):
    """Say what may be seen and heard of a user in everything that is composed, for the session.

    What is not said stays as it is. It is in force within a second, also in what was taken just before and is not in
    a file yet.
    """

    user_id: ParticipantName
    """The user, wherever they join from."""
    video: ModeratedVideo | None = None
    """``blur`` makes their pictures unrecognisable, ``hide`` shows the placeholder and receives nothing of them."""
    audio: ModeratedAudio | None = None
    """``silence`` leaves them out of every mix."""
    session_id: Identifier | None = None
    """The session of the call; without it all that are open are meant, else the one that begins next."""

    @model_validator(mode="after")
    def _something(self) -> ModerateParticipant:
        if self.video is None and self.audio is None:
            raise ValueError("nothing is said: give video (show, blur, hide), audio (keep, silence) or both")
        return self
