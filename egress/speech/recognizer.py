"""The whole of speech to text for one call, inside its attendant: hears tracks, asks the engine, tells utterances."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from egress.rtc.track import MediaTrack
from egress.speech.client import EngineClient
from egress.speech.contract import Overlap, Segment, Segmenting, Utterance, UtteranceListener
from egress.speech.guards import LanguageLock, worth_asking
from egress.speech.languages import AUTO, language, target
from egress.speech.listening import Hearing, Listening
from egress.speech.seams import from_seam
from egress.speech.segments import Speech

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecognizerSettings:
    """What is wanted of the speech of one call. Raises SpeechError (``unsupported_language``)."""

    socket: Path
    """Of the host's engine process."""
    language: str = "en"
    """ISO 639-1, or ``auto``: each speaker's first that is detected surely stays."""
    segmenting: Segmenting = field(default_factory=Segmenting)
    words: bool = False
    translate_to: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        language(self.language)
        for code in self.translate_to:
            target(code)


@dataclass(slots=True)
class Tally:
    """What became of what was heard."""

    segments: int = 0
    not_asked: int = 0
    """Segments that were no speech by their loudness or the detector."""
    utterances: int = 0
    """With text."""
    empty: int = 0
    failed: int = 0


class Recognizer:
    """Event loop only. ``wall`` turns seconds of ``time.monotonic()`` into seconds since 1970."""

    def __init__(
        self, settings: RecognizerSettings, on_utterance: UtteranceListener, wall: Callable[[float], float]
    ) -> None:
        self.settings = settings
        self.tally = Tally()
        self._on_utterance = on_utterance
        self._wall = wall
        self._client = EngineClient(settings.socket, self._take)
        self._listening = Listening(settings.segmenting, self._heard)
        self._lock = LanguageLock()
        self._ids = itertools.count(1)
        self._asked: dict[int, tuple[bool, float]] = {}
        """Whether a segment's language was to be detected, and its seconds of speech."""
        self._open: dict[str, int] = {}
        """By speaker, the last segment, where the next one begins before it has ended."""
        self._overlaps: dict[str, Overlap] = {}
        """By speaker, what was heard in it."""
        self._following: dict[int, Segment] = {}
        """By segment that was asked for and is not answered yet, the next one, which waits for that."""
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Raises SpeechError when there is no voice activity detector."""
        self._loop = asyncio.get_running_loop()
        self._listening.start()
        self._client.start()

    @property
    def engine(self) -> dict[str, object] | None:
        """What the engine says of itself; None while none is there."""
        return self._client.hello

    @property
    def waiting(self) -> int:
        """Segments without an answer."""
        return self._client.waiting + len(self._following)

    @property
    def processor_seconds(self) -> float:
        """What decoding and listening cost."""
        return self._listening.processor_seconds

    def hear(self, speaker: str, track: MediaTrack) -> Hearing:
        """Hear ``track`` of the participant with that session id, until its hearing is ended."""
        return self._listening.hear(speaker, track)

    def set_language(self, code: str) -> None:
        """For segments that close from now on. Raises SpeechError (``unsupported_language``)."""
        self.settings = replace(self.settings, language=code)
        self._lock.forget()

    def set_wanted(self, *, words: bool, translate_to: tuple[str, ...]) -> None:
        """Raises SpeechError (``unsupported_language``)."""
        self.settings = replace(self.settings, words=words, translate_to=translate_to)

    def configure(self, segmenting: Segmenting) -> None:
        self.settings = replace(self.settings, segmenting=segmenting)
        self._listening.configure(segmenting)

    async def close(self, timeout: float = 20.0) -> bool:
        """Close what is being said and wait for its text; False when ``timeout`` seconds were not enough for all."""
        await asyncio.to_thread(self._listening.stop)
        # What the listening thread told last comes by the loop.
        await asyncio.sleep(0)
        whole = await self._client.answered(timeout)
        await self._client.close()
        return whole

    def _heard(self, speaker: str, speech: Speech) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._ask, speaker, speech)

    def _ask(self, speaker: str, speech: Speech) -> None:
        self.tally.segments += 1
        previous = self._open.pop(speaker, None)
        before = self._overlaps.pop(speaker, None)
        if not worth_asking(speech.samples, speech.voiced, speech.end - speech.start):
            self.tally.not_asked += 1
            return
        wanted = None if self.settings.language == AUTO else self.settings.language
        known = wanted or self._lock.of(speaker)
        key = next(self._ids)
        self._asked[key] = (known is None, speech.voiced)
        segment = Segment(
            segment_id=key,
            speaker=speaker,
            start=self._wall(speech.start),
            end=self._wall(speech.end),
            audio_start=self._wall(speech.audio_start),
            samples=speech.samples,
            voiced=speech.voiced,
            language=known,
            words=self.settings.words,
            translate_to=self.settings.translate_to,
            open_start=speech.open_start,
            open_end=speech.open_end,
        )
        if speech.open_end:
            self._open[speaker] = key
        if not speech.continues:
            self._client.submit(segment)
        elif previous in self._asked:
            self._hurry(previous)
            self._following[previous] = segment
        else:
            self._client.submit(replace(segment, before=before))

    def _take(self, utterance: Utterance) -> None:
        asked = [self._asked.pop(key) for key in utterance.segments if key in self._asked]
        if utterance.failure is not None:
            self.tally.failed += len(utterance.segments)
            log.warning("%s: %s", utterance.failure.code, utterance.failure.message)
        elif utterance.text:
            self.tally.utterances += 1
            if asked and all(detected for detected, _ in asked) and self.settings.language == AUTO:
                voiced = sum(seconds for _, seconds in asked)
                self._lock.heard(utterance.speaker, utterance.language, utterance.scores, voiced)
        else:
            self.tally.empty += 1
        self._go_on(utterance)
        self._on_utterance(utterance)

    def _hurry(self, key: int) -> None:
        """A segment that waits for another one is asked for from its seam on: one at a time waits for a speaker."""
        earlier = next((one for one, segment in self._following.items() if segment.segment_id == key), None)
        if earlier is not None:
            self._client.submit(from_seam(self._following.pop(earlier)))

    def _go_on(self, utterance: Utterance) -> None:
        """What follows it in the middle of speech can be asked for now."""
        last = utterance.segments[-1]
        if (segment := self._following.pop(last, None)) is not None:
            self._client.submit(replace(segment, before=utterance.overlap))
        elif utterance.overlap is not None and self._open.get(utterance.speaker) == last:
            self._overlaps[utterance.speaker] = utterance.overlap
