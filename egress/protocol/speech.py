"""What is to be made of speech, and where the engine is that makes text of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from egress.protocol.model import Strict


class _Speech(Strict):
    """What is said in a call, as text. All egresses of a call that want it share one way from sound to text."""

    egress_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    language: str = Field(default="en", pattern=r"^([a-z]{2,3}|auto)$")
    """What is spoken; ``auto`` finds out."""
    silence_duration_ms: int = Field(default=700, ge=300, le=2000)
    """Silence after which what was said before is made into text."""
    max_speech_caption_ms: int = Field(default=9000, ge=5000, le=10000)
    """Speech without such a silence after which it is cut."""
    translate_to: tuple[str, ...] = Field(default=(), max_length=40)
    """Languages into which it is translated as well."""


class Transcription(_Speech):
    """Everything that is said, for the transcript."""

    kind: Literal["transcription"] = "transcription"
    words: bool = False
    """Tell the times of single words as well."""


class ClosedCaptions(_Speech):
    """What is said, told while the call goes on."""

    kind: Literal["closed_captions"] = "closed_captions"


SpeechSpec = Transcription | ClosedCaptions

SPEECH_KINDS = ("transcription", "closed_captions")
"""Kinds that end without a file of their attendant's: what is said is told in reports."""


EXTERNAL = "external"
"""What a sentence from outside is told to be the work of, unless it says so itself."""


class SpeechService(Strict):
    """What makes text of speech on this host."""

    socket: Path | None
    """Where its engine listens; None where nobody is heard, and all text comes from outside."""
    service: str = Field(default="faster-whisper", max_length=64)
    """What captions tell of who made them."""
