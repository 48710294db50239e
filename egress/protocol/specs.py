"""The egresses that may be asked for, told apart by their kind."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag, TypeAdapter

from egress.protocol.recordings import CompositeRecording
from egress.protocol.speech import SPEECH_KINDS, ClosedCaptions, Transcription


def _kind(value: Any) -> str:
    """Which of the models it is; what is neither transcription nor captions is a recording of a picture."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in SPEECH_KINDS else "composite_recording"


EgressSpec = Annotated[
    Annotated[CompositeRecording, Tag("composite_recording")]
    | Annotated[CompositeRecording, Tag("web_recording")]
    | Annotated[Transcription, Tag("transcription")]
    | Annotated[ClosedCaptions, Tag("closed_captions")],
    Discriminator(_kind),
]
EGRESS_KINDS = ("composite_recording", *SPEECH_KINDS)
EGRESS_SPEC: TypeAdapter[EgressSpec] = TypeAdapter(EgressSpec)
