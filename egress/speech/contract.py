"""The contract of speech: what passes between hearing, engines, captions and transcripts.

Times of speech are seconds since 1970 in UTC (wall-clock of this machine). Sound is mono float32 at 16 kHz, -1 to 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
"""Hz of the sound that detectors and engines take."""

Sound = NDArray[np.float32]
"""Mono sound: shape (n,), at SAMPLE_RATE."""


class SpeechError(Exception):
    """What cannot be done, with a code for programs and a sentence that says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Segmenting:
    """speech_segment_config of the call backends. Raises SpeechError (``invalid_speech_segment_config``)."""

    silence_duration_ms: int = 700
    """Silence that closes a segment, 300 to 2000."""
    max_speech_caption_ms: int = 9000
    """The longest segment while somebody speaks on, 5000 to 10000."""

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("silence_duration_ms", self.silence_duration_ms, 300, 2000),
            ("max_speech_caption_ms", self.max_speech_caption_ms, 5000, 10_000),
        ):
            if not low <= value <= high:
                raise SpeechError(
                    "invalid_speech_segment_config",
                    f"speech_segment_config.{name} is {value}; allowed is {low} to {high}",
                )


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was spoken."""

    text: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class Overlap:
    """What was heard in a segment towards its end, where the next one's sound has begun already."""

    words: tuple[Word, ...]
    told: int
    """How many of the words, from the first, the segment has told; the others are the next one's."""


@dataclass(slots=True)
class Segment:
    """A stretch of one speaker's speech, closed for good."""

    segment_id: int
    """Unique among the segments of one attendant."""
    speaker: str
    """Session id of who speaks."""
    start: float
    """When the first sound of speech was heard; or the seam to the segment before, whose end ``samples`` have too."""
    end: float
    """When the last one was; or the seam to the next segment, whose beginning ``samples`` have too."""
    audio_start: float
    """When ``samples[0]`` was: before ``start``, by the padding or by what the segment before has too."""
    samples: Sound
    voiced: float
    """Seconds in which the detector heard speech."""
    language: str | None = None
    """ISO 639-1; None lets the engine find out."""
    words: bool = False
    """Whether times of words are wanted."""
    translate_to: tuple[str, ...] = ()
    """Languages into which the text is wanted too."""
    open_start: bool = False
    """``samples`` begin in the middle of speech."""
    open_end: bool = False
    """``samples`` end in the middle of speech."""
    before: Overlap | None = None
    """What the segment before heard in the sound that both have."""


@dataclass(frozen=True, slots=True)
class Scores:
    """How sure an engine was."""

    no_speech: float = 0.0
    """Probability that nobody spoke."""
    log_prob: float = 0.0
    """Mean log-probability of the tokens."""
    compression: float = 1.0
    """Length of the text over its compressed length: high when it repeats itself."""
    language: float = 1.0
    """Probability of the language, where it was detected."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a segment has no text although somebody may have spoken."""

    code: str
    """``too_late``, ``queue_full``, ``engine_died``, ``engine_failed`` or ``engine_away``."""
    message: str


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said in one segment, or in several of one speaker that were taken together; final.

    Each segment that was submitted is answered by exactly one utterance. ``text`` is empty where nothing was said.
    """

    segments: tuple[int, ...]
    """Ids of the segments, in their order."""
    speaker: str
    start: float
    end: float
    text: str
    language: str
    """ISO 639-1; empty when unknown."""
    words: tuple[Word, ...] = ()
    scores: Scores = Scores()
    translations: Mapping[str, str] = field(default_factory=dict)
    """Text by target language; targets equal to the language spoken are left out."""
    translation_scores: Mapping[str, Scores] = field(default_factory=dict)
    """How sure an engine was of translations that it made of the sound."""
    overlap: Overlap | None = None
    """What the next segment is to know, where it goes on in the middle of speech."""
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do."""

    languages: frozenset[str]
    """ISO 639-1 codes that it understands."""
    detects_language: bool
    words: bool
    translates_to: frozenset[str] = frozenset()
    """Languages into which it can translate speech by itself."""
    max_seconds: float = 30.0
    """Of sound in one segment."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How the engine of a host runs; all attendants share it."""

    engine: str = "faster-whisper"
    """Name among the entry points ``wallflower.speech_engines``."""
    model: str = "small"
    """A model's name, or a local folder."""
    device: str = "cpu"
    compute_type: str = "int8"
    threads: int = 2
    """Threads of one inference."""
    workers: int = 1
    """Inferences at once."""
    beam_size: int = 5
    window: int | None = None
    """Seconds of sound that the model's encoder goes over at least, 6 to 30; a longer segment gets what it needs.
    None: as many as the model was trained on. With less it takes less time, and a model may make more mistakes."""
    download: bool = False
    """Whether a model that is given by name may be fetched; otherwise it must be in the cache."""
    languages: tuple[str, ...] = ()
    """Those among which the language of ``auto`` is found; none named is all that are documented."""
    translators: Mapping[str, Path] = field(default_factory=dict)
    """Folders of CTranslate2 translation models by target language."""
    max_batch: int = 8
    """Segments in one inference."""
    batch_window: float = 0.03
    """Seconds in which others may join a batch."""
    max_waiting: int = 64
    """Segments that may wait; then a speaker's waiting ones are merged, then the oldest is given up."""
    deadline: float = 120.0
    """Seconds after which a waiting segment is given up."""


class Engine(Protocol):
    """Turns segments into text. Made and used in the engine process, by one thread at a time for each worker."""

    @property
    def capabilities(self) -> Capabilities: ...

    def load(self) -> None:
        """Check what is there and load the model. Raises SpeechError with a sentence that says what to do."""
        ...

    def warm_up(self) -> None:
        """Run once on nothing, so that the first segment is not the slow one. Raises SpeechError when that fails."""
        ...

    def transcribe(self, batch: Sequence[Segment]) -> list[Utterance]:
        """One utterance a segment, in the same order. Speakers, calls and languages may be mixed.

        Translations are filled in for those targets that ``capabilities.translates_to`` names. Raises nothing for
        sound that is strange; any exception counts as a failure of the whole batch.
        """
        ...

    def close(self) -> None: ...


class TranslationEngine(Protocol):
    """Turns text of any language into one target language."""

    target: str

    def load(self) -> None:
        """Raises SpeechError with a sentence that says what to do."""
        ...

    def translate(self, texts: Sequence[str], sources: Sequence[str]) -> list[str]:
        """Each text, from its source language (ISO 639-1)."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript."""

    start: float
    stop: float
    speaker_id: str
    text: str
    name: str = ""
    """What subtitles call the speaker; empty is ``speaker_id``."""
    language: str | None = None
    words: tuple[Word, ...] = ()


UtteranceListener = Callable[[Utterance], None]
"""Called on the event loop, once for each utterance; with empty text too."""
