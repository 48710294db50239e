"""The one way from the sound of a call to text: open while anybody wants to know what is said.

Who is heard follows the call; how it is cut, and what is made of it beside the text, follows what is wanted of it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from egress.call.model import CallEvent, Left, Participant, TrackAdded, TrackMuted, TrackRemoved, TrackType
from egress.call.state import CallState
from egress.protocol.speech import SpeechSpec, Transcription
from egress.rtc.track import MediaTrack
from egress.speech.contract import Segmenting, SpeechError, Utterance
from egress.speech.listening import Hearing
from egress.speech.recognizer import Recognizer, RecognizerSettings

log = logging.getLogger(__name__)

LAST_WORDS = 20.0
"""Seconds in which what was being said at the end may become text."""
MOST_SPEAKERS = 2000
"""People who have spoken, of whom it is known who they were."""


class Recognizing:
    """Of one call. Event loop only."""

    def __init__(
        self, state: CallState, on_utterance: Callable[[Utterance], None], wall: Callable[[float], float]
    ) -> None:
        """``on_utterance`` is told what was said; ``wall`` makes seconds since 1970 of monotonic ones."""
        self.language = "en"
        """What is spoken."""
        self._state = state
        self._on_utterance = on_utterance
        self._wall = wall
        self._recognizer: Recognizer | None = None
        self._hearings: dict[str, Hearing] = {}
        self._speakers: dict[str, Participant] = {}
        self._closing: asyncio.Task[None] | None = None
        """What is still to be made into text of what was heard."""

    @property
    def known(self) -> tuple[RecognizerSettings, Mapping[str, Any]] | None:
        """What is wanted of the engine and what it says of itself; None before it has said that."""
        if self._recognizer is None or self._recognizer.engine is None:
            return None
        return self._recognizer.settings, self._recognizer.engine

    def listen(self, socket: Path, specs: Sequence[SpeechSpec]) -> None:
        """Hear everybody, as those want it that run. Raises SpeechError."""
        captions = [spec for spec in specs if not isinstance(spec, Transcription)]
        chosen = (captions or specs)[-1]
        if self._recognizer is None:
            self._recognizer = Recognizer(
                RecognizerSettings(socket=socket, language=self.language), self._on_utterance, self._wall
            )
            self._recognizer.start()
            for session_id, there in self._state.participants.items():
                if (track := there.tracks.get(TrackType.AUDIO)) is not None:
                    self._hear(session_id, track.media)
        self._recognizer.set_language(self.language)
        self._recognizer.configure(Segmenting(chosen.silence_duration_ms, chosen.max_speech_caption_ms))
        targets = tuple(dict.fromkeys(target for spec in specs for target in spec.translate_to))
        words = any(spec.words for spec in specs if isinstance(spec, Transcription))
        self._recognizer.set_wanted(words=words, translate_to=targets)

    def set_language(self, language: str) -> None:
        """What is spoken from now on; what is no language leaves it as it is."""
        if self._recognizer is not None:
            try:
                self._recognizer.set_language(language)
            except SpeechError as error:
                log.error("the language stays %s: %s", self.language, error.message)
                return
        self.language = language

    def hear(self, event: CallEvent) -> None:
        """Something happened in the call, and its state knows it."""
        match event:
            case TrackAdded(session_id, TrackType.AUDIO, media):
                self._hear(session_id, media)
            case TrackRemoved(session_id, TrackType.AUDIO) | Left(session_id):
                self._end_hearing(session_id)
            case TrackMuted(session_id, TrackType.AUDIO, muted):
                if (hearing := self._hearings.get(session_id)) is not None:
                    hearing.mute(muted)
            case _:
                pass

    def who(self, session_id: str) -> Participant | None:
        """Who somebody is, or was, that is or was heard."""
        there = self._state.participants.get(session_id)
        return there.participant if there is not None else self._speakers.get(session_id)

    def remember(self, who: Participant) -> None:
        """The last words of somebody who goes are still on their way then."""
        self._speakers.pop(who.session_id, None)
        self._speakers[who.session_id] = who
        if len(self._speakers) > MOST_SPEAKERS:
            del self._speakers[next(iter(self._speakers))]

    def release(self) -> None:
        """Nobody wants to hear more: what was heard is still to be made into text."""
        if self._recognizer is not None:
            self._closing = asyncio.create_task(_close(self._recognizer), name="last words")
            self._recognizer = None
            self._hearings.clear()

    async def last_words(self, silence: float) -> None:
        """Wait until what is being said is told: ``silence`` is how many seconds end it. Others may go on."""
        deadline = time.monotonic() + LAST_WORDS
        quiet = time.monotonic() + silence
        while (recognizer := self._recognizer) is not None and time.monotonic() < deadline:
            if time.monotonic() >= quiet and not recognizer.waiting:
                return
            await asyncio.sleep(0.05)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def close(self) -> None:
        """Make the last words into text."""
        self.release()
        if self._closing is not None:
            await self._closing

    def _hear(self, session_id: str, media: MediaTrack) -> None:
        if self._recognizer is None or session_id not in self._state.participants:
            return
        self._end_hearing(session_id)
        self.remember(self._state.participants[session_id].participant)
        self._hearings[session_id] = hearing = self._recognizer.hear(session_id, media)
        track = self._state.track(session_id, TrackType.AUDIO)
        if track is not None and track.muted:
            hearing.mute(True)

    def _end_hearing(self, session_id: str) -> None:
        if (hearing := self._hearings.pop(session_id, None)) is not None:
            hearing.end()


async def _close(recognizer: Recognizer) -> None:
    try:
        await recognizer.close(LAST_WORDS)
    except Exception:
        log.exception("the last words could not be waited for")
