"""What is said in the call, for every egress that wants it: which of them run, and who is told of it.

Sound is heard from the first egress on and until the last one has ended. Text belongs to an egress when it was said
between its beginning and its end, so one that ends waits for what was being said then.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from egress.call.model import CallEvent
from egress.call.state import CallState
from egress.composite import Tell, utc
from egress.lacking import lacking
from egress.protocol.directions import Directions
from egress.protocol.job import Job
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    LanguageKept,
    Progress,
    Spoken,
    Warned,
)
from egress.protocol.speech import SpeechSpec, Transcription
from egress.recognizing import Recognizing
from egress.silences import Silences
from egress.speech.contract import SpeechError, Utterance
from egress.speech.languages import NOT_UNDERSTOOD, not_understood
from egress.speech_egress import SpeechEgress
from egress.spoken import caption, told

log = logging.getLogger(__name__)

ENGINE_AWAY = 90.0
"""Seconds in which nothing at all could be made into text, after which the egresses fail."""
SPEECH_LOST = "speech_lost"
JOURNAL = "said-e{epoch}.jsonl"


class Transcribing:
    """All transcription and closed captions of one call. Event loop only."""

    def __init__(self, job: Job, state: CallState, tell: Tell, show: Callable[[Mapping[str, Any]], None]) -> None:
        """``show`` tells a caption to the room."""
        self.egresses: dict[str, SpeechEgress] = {}
        self._job = job
        self._tell = tell
        self._show = show
        self._offset = time.time() - time.monotonic()
        self._recognizing = Recognizing(state, self._on_utterance, self._wall)
        self._silences = Silences()
        self._failing_since: float | None = None
        self._warned: set[str] = set()
        """Ways in which speech was lost, and languages of which nothing can be made, of which people know."""
        self._finishing: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> bool:
        """Whether anybody wants to know what is said now."""
        return any(egress.started and not egress.stopping for egress in self.egresses.values())

    def start(self, spec: SpeechSpec) -> None:
        """Begin an egress as soon as the call is attended; a repeated order changes nothing."""
        if spec.egress_id in self.egresses:
            return
        journal = None
        if isinstance(spec, Transcription):
            journal = self._job.spool / spec.egress_id / JOURNAL.format(epoch=self._job.epoch)
        self.egresses[spec.egress_id] = egress = SpeechEgress(spec, journal)
        if self._job.speech is None:
            self._fail(egress, "no_speech_engine", "no engine that makes text of speech was named (speech.socket)")
        elif (why := self._not_understood(spec.language)) is not None:
            self._fail(egress, NOT_UNDERSTOOD, why)
        else:
            self._recognizing.language = spec.language

    def stop(self, egress_id: str, reason: str) -> bool:
        """End an egress, once what is being said is text; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return False
        if not egress.stopping and not egress.over.is_set():
            egress.stopping, egress.until = True, self._wall(time.monotonic())
            if not self.running:
                self._recognizing.release()
            task = asyncio.create_task(self._finish(egress, reason), name=f"last words of {egress_id}")
            self._finishing.add(task)
            task.add_done_callback(self._finishing.discard)
        return True

    def set_language(self, egress_id: str, language: str) -> bool:
        """What is spoken from now on, for all egresses; False if there is none of that id.

        What runs goes on in the language that it has, where the new one is none that the engine understands.
        """
        if egress_id not in self.egresses:
            return False
        if (why := self._not_understood(language)) is not None:
            kept = self._recognizing.language
            self._warn(f"{NOT_UNDERSTOOD} {language}", NOT_UNDERSTOOD, f"{why}; it goes on in '{kept}'")
            self._tell(LanguageKept(at=utc(time.time()), egress_id=egress_id, language=kept, refused=language))
        else:
            self._recognizing.set_language(language)
        return True

    def direct(self, directions: Directions) -> None:
        """Who is silenced from now on: nothing is written of what they say."""
        silenced = (one.user_id for one in directions.moderation if one.audio == "silence")
        self._silences.direct(silenced, self._wall(time.monotonic()))

    def look(self) -> None:
        """The call is attended: begin what waits for that."""
        waiting = [e for e in self.egresses.values() if not e.started and not e.stopping and not e.over.is_set()]
        if not waiting:
            return
        now = self._wall(time.monotonic())
        for egress in waiting:
            egress.began = now
        try:
            self._listen()
        except SpeechError as error:
            for egress in waiting:
                self._fail(egress, error.code, error.message)
            return
        for egress in waiting:
            self._tell(EgressStarted(at=utc(now), egress_id=egress.spec.egress_id))
            log.info("%s %s has begun", egress.spec.kind, egress.spec.egress_id)

    def hear(self, event: CallEvent) -> None:
        """Something happened in the call, and its state knows it."""
        self._recognizing.hear(event)

    def progress(self, participants: int) -> None:
        self._compare()
        for egress in self.egresses.values():
            if egress.started and not egress.over.is_set():
                at, egress_id = utc(time.time()), egress.spec.egress_id
                self._tell(
                    Progress(
                        at=at,
                        egress_id=egress_id,
                        recorded=round(egress.recorded, 3),
                        size=egress.size,
                        participants=participants,
                        pictures=0,
                        pictures_dropped=0,
                    )
                )

    def over(self, code: str, reason: str, *, wanted: bool) -> None:
        """The call is over."""
        for egress in self.egresses.values():
            if egress.started and (wanted or not code):
                self.stop(egress.spec.egress_id, reason)
            else:
                self._fail(egress, code or "call_ended", reason)

    async def close(self, reason: str) -> None:
        """End everything, with the last words."""
        for egress_id in self.egresses:
            self.stop(egress_id, reason)
        await asyncio.gather(*(egress.over.wait() for egress in self.egresses.values()))
        await self._recognizing.close()

    def _wall(self, monotonic: float) -> float:
        """Seconds since 1970, on a clock that nobody sets: what is said lies where recordings have it."""
        return monotonic + self._offset

    def _listen(self) -> None:
        assert self._job.speech is not None
        if self._job.speech.socket is None:
            return
        running = [e.spec for e in self.egresses.values() if e.started and not e.stopping]
        self._recognizing.listen(self._job.speech.socket, running)

    async def _finish(self, egress: SpeechEgress, reason: str) -> None:
        if egress.started:
            await self._recognizing.last_words(egress.spec.silence_duration_ms / 1000)
        if egress.over.is_set():
            return
        egress.over.set()
        at, egress_id = utc(time.time()), egress.spec.egress_id
        self._tell(EgressStopped(at=utc(egress.until or time.time()), egress_id=egress_id, reason=reason))
        self._tell(EgressEnded(at=at, egress_id=egress_id))

    def _fail(self, egress: SpeechEgress, code: str, message: str) -> None:
        if egress.over.is_set():
            return
        egress.stopping = True
        egress.until = egress.until or time.time()
        egress.over.set()
        failed = EgressFailed(at=utc(time.time()), egress_id=egress.spec.egress_id, code=code, error=message)
        self._tell(failed)
        if not self.running:
            self._recognizing.release()

    def _on_utterance(self, utterance: Utterance) -> None:
        if utterance.failure is not None:
            self._on_failure(utterance)
            return
        self._failing_since = None
        self._compare()
        wanted = [egress for egress in self.egresses.values() if egress.wants(utterance)]
        who = self._recognizing.who(utterance.speaker)
        if not utterance.text or not wanted or who is None:
            return
        if self._silences.touch(who.user_id, utterance.start, utterance.end):
            return
        assert self._job.speech is not None
        for spoken, some in told(utterance, who, wanted, self._job.speech.service):
            self._say(spoken, some)

    def _compare(self) -> None:
        """Once the engine has said what it knows: fail what it does not understand, warn of what is not translated."""
        if (known := self._recognizing.known) is None:
            return
        for code, language, message in lacking(*known):
            if code == NOT_UNDERSTOOD:
                for egress in self.egresses.values():
                    self._fail(egress, code, message)
            else:
                self._warn(f"{code} {language}", code, message)

    def _not_understood(self, language: str) -> str | None:
        """Why speech in ``language`` cannot be made into text; None where it can, or before the engine has told."""
        known = self._recognizing.known
        return None if known is None else not_understood(language, known[1].get("languages", []))

    def _warn(self, key: str, code: str, message: str) -> None:
        if key not in self._warned:
            self._warned.add(key)
            log.warning("%s", message)
            self._tell(Warned(at=utc(time.time()), code=code, message=message))

    def _on_failure(self, utterance: Utterance) -> None:
        assert utterance.failure is not None
        now = time.monotonic()
        code, message = utterance.failure.code, utterance.failure.message
        self._warn(code, SPEECH_LOST, f"something said is lost: {message}")
        self._failing_since = self._failing_since or now
        if now - self._failing_since >= ENGINE_AWAY:
            for egress in self.egresses.values():
                self._fail(egress, code, message)

    def _say(self, spoken: Spoken, wanted: Sequence[SpeechEgress]) -> None:
        for egress in wanted:
            egress.write(spoken)
        self._tell(spoken)
        if any(egress.journal is None for egress in wanted):
            self._show(caption(self._job.call_cid, spoken))
