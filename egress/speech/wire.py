"""What is said between an engine process and those who ask it: a JSON header and raw sound, over a Unix socket.

Each message is two lengths (header, sound; big-endian), the header, and the sound as 16-bit little-endian samples. Both
ends are ours and of one version; what is checked is what a damaged or foreign message could do.
"""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import asdict
from typing import Any

import numpy as np

from egress.speech.contract import SAMPLE_RATE, Failure, Overlap, Scores, Segment, Utterance, Word

_LENGTHS = struct.Struct(">II")
MAX_HEADER = 1 << 18
MAX_SOUND = 2 * SAMPLE_RATE * 60


class WireError(Exception):
    """The other end says what cannot be understood; the connection is of no more use."""


def message(header: dict[str, Any], sound: bytes = b"") -> bytes:
    """One message, as it is sent."""
    told = json.dumps(header, separators=(",", ":")).encode()
    return _LENGTHS.pack(len(told), len(sound)) + told + sound


async def receive(reader: asyncio.StreamReader) -> tuple[dict[str, Any], bytes]:
    """The next message. Raises WireError, or asyncio.IncompleteReadError at the end."""
    header_length, sound_length = _LENGTHS.unpack(await reader.readexactly(_LENGTHS.size))
    if header_length > MAX_HEADER or sound_length > MAX_SOUND:
        raise WireError(f"a message of {header_length} and {sound_length} bytes is longer than any of ours")
    told = await reader.readexactly(header_length)
    sound = await reader.readexactly(sound_length)
    try:
        header = json.loads(told)
    except ValueError as error:
        raise WireError(f"a message is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise WireError("a message is no JSON object")
    return header, sound


def sound_of(segment: Segment) -> bytes:
    """Its samples, half as large."""
    told: bytes = (np.clip(segment.samples, -1.0, 1.0) * 32767).astype("<i2").tobytes()
    return told


def header_of(segment: Segment) -> dict[str, Any]:
    """The rest of it."""
    return {
        "op": "transcribe",
        "id": segment.segment_id,
        "speaker": segment.speaker,
        "start": segment.start,
        "end": segment.end,
        "audio_start": segment.audio_start,
        "voiced": segment.voiced,
        "language": segment.language,
        "words": segment.words,
        "translate_to": list(segment.translate_to),
        "open_start": segment.open_start,
        "open_end": segment.open_end,
        "before": None if segment.before is None else asdict(segment.before),
    }


def segment_of(header: dict[str, Any], sound: bytes) -> Segment:
    """What was asked. Raises WireError."""
    try:
        return Segment(
            segment_id=int(header["id"]),
            speaker=str(header["speaker"]),
            start=float(header["start"]),
            end=float(header["end"]),
            audio_start=float(header["audio_start"]),
            samples=np.frombuffer(sound, "<i2").astype(np.float32) * np.float32(1 / 32767),
            voiced=float(header["voiced"]),
            language=None if header["language"] is None else str(header["language"]),
            words=bool(header["words"]),
            translate_to=tuple(str(code) for code in header["translate_to"]),
            open_start=bool(header["open_start"]),
            open_end=bool(header["open_end"]),
            before=_overlap(header["before"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a segment is not whole: {error!r}") from error


def answer_of(utterance: Utterance) -> dict[str, Any]:
    """An utterance as it is told."""
    return {"op": "said", **asdict(utterance)}


def utterance_of(header: dict[str, Any]) -> Utterance:
    """An utterance that was told. Raises WireError."""
    try:
        failure = header["failure"]
        return Utterance(
            segments=tuple(header["segments"]),
            speaker=header["speaker"],
            start=header["start"],
            end=header["end"],
            text=header["text"],
            language=header["language"],
            words=tuple(Word(**word) for word in header["words"]),
            scores=Scores(**header["scores"]),
            translations=header["translations"],
            overlap=_overlap(header["overlap"]),
            failure=None if failure is None else Failure(**failure),
        )
    except (KeyError, TypeError) as error:
        raise WireError(f"an utterance is not whole: {error!r}") from error


def _overlap(told: dict[str, Any] | None) -> Overlap | None:
    return None if told is None else Overlap(tuple(Word(**word) for word in told["words"]), int(told["told"]))
