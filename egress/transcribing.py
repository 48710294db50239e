"""What is said in the call, for every egress that wants it: one way from sound to text, and who is told of it.

Sound is heard from the first egress on and until the last one has ended. Text belongs to an egress when it was said
between its beginning and its end, so one that ends waits for what was being said then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from egress.call.model import CallEvent, Left, Participant, TrackAdded, TrackMuted, TrackRemoved, TrackType
from egress.call.state import CallState
from egress.composite import Tell, utc
from egress.protocol.directions import Directions
from egress.protocol.job import Job
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    Progress,
    Spoken,
    SpokenWord,
    Warned,
)
from egress.protocol.speech import SpeechSpec, Transcription
from egress.rtc.track import MediaTrack
from egress.silences import Silences
from egress.speech.contract import Segmenting, SpeechError, Utterance, Word
from egress.speech.languages import AUTO
from egress.speech.listening import Hearing
from egress.speech.recognizer import Recognizer, RecognizerSettings

log = logging.getLogger(__name__)

LAST_WORDS = 20.0
"""Seconds in which what was being said at the end may become text."""
ENGINE_AWAY = 90.0
"""Seconds in which nothing at all could be made into text, after which the egresses fail."""
SPEECH_LOST = "speech_lost"
NOT_UNDERSTOOD = "language_not_understood"
NOT_TRANSLATED = "language_not_translated"
MOST_SPEAKERS = 2000
"""People who have spoken, of whom it is known who they were."""
TRANSLATED_LATER = 0.001
"""Seconds by which a translation begins later than what it translates: whoever knows captions by speaker and start
would take it for the same one."""
JOURNAL = "said-e{epoch}.jsonl"


@dataclass(slots=True)
class SpeechEgress:
    """One egress. Times are seconds since 1970."""

    spec: SpeechSpec
    journal: Path | None
    """Where everything is written down before it is told, of a transcription."""
    began: float | None = None
    until: float | None = None
    """What began later does not belong to it."""
    stopping: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def started(self) -> bool:
        return self.began is not None

    @property
    def recorded(self) -> float:
        return 0.0 if self.began is None else (self.until or time.time()) - self.began

    def wants(self, utterance: Utterance) -> bool:
        if self.began is None or self.over.is_set():
            return False
        return utterance.end > self.began and (self.until is None or utterance.start < self.until)


class Transcribing:
    """All transcription and closed captions of one call. Event loop only."""

    def __init__(self, job: Job, state: CallState, tell: Tell, show: Callable[[Mapping[str, Any]], None]) -> None:
        """``show`` tells a caption to the room."""
        self.egresses: dict[str, SpeechEgress] = {}
        self._job = job
        self._state = state
        self._tell = tell
        self._show = show
        self._recognizer: Recognizer | None = None
        self._hearings: dict[str, Hearing] = {}
        self._speakers: dict[str, Participant] = {}
        self._language = "en"
        self._offset = time.time() - time.monotonic()
        self._silences = Silences()
        self._failing_since: float | None = None
        self._warned: set[str] = set()
        """Ways in which speech was lost, and languages that the engine does not know, of which people know."""
        self._closing: asyncio.Task[None] | None = None
        """What is still to be made into text of what was heard."""
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
        self._language = spec.language
        if self._job.speech is None:
            self._fail(egress, "no_speech_engine", "no engine that makes text of speech was named (speech.socket)")

    def stop(self, egress_id: str, reason: str) -> bool:
        """End an egress, once what is being said is text; False if there is none of that id."""
        egress = self.egresses.get(egress_id)
        if egress is None:
            return False
        if not egress.stopping and not egress.over.is_set():
            egress.stopping, egress.until = True, self._wall(time.monotonic())
            if not self.running:
                self._release()
            task = asyncio.create_task(self._finish(egress, reason), name=f"last words of {egress_id}")
            self._finishing.add(task)
            task.add_done_callback(self._finishing.discard)
        return True

    def set_language(self, egress_id: str, language: str) -> bool:
        """What is spoken from now on, for all egresses; False if there is none of that id."""
        if egress_id not in self.egresses:
            return False
        if self._recognizer is not None:
            try:
                self._recognizer.set_language(language)
            except SpeechError as error:
                log.error("the language stays %s: %s", self._language, error.message)
                return True
        self._language = language
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

    def progress(self, participants: int) -> None:
        if self._recognizer is not None and self._recognizer.engine is not None:
            self._compare(self._recognizer.settings, self._recognizer.engine)
        for egress in self.egresses.values():
            if egress.started and not egress.over.is_set():
                at, egress_id = utc(time.time()), egress.spec.egress_id
                self._tell(
                    Progress(
                        at=at,
                        egress_id=egress_id,
                        recorded=round(egress.recorded, 3),
                        size=_size(egress.journal),
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
        self._release()
        if self._closing is not None:
            await self._closing

    def _wall(self, monotonic: float) -> float:
        """Seconds since 1970, on a clock that nobody sets: what is said lies where recordings have it."""
        return monotonic + self._offset

    def _listen(self) -> None:
        """Hear everybody, as the egresses that run want it."""
        assert self._job.speech is not None
        specs = [e.spec for e in self.egresses.values() if e.started and not e.stopping]
        captions = [spec for spec in specs if not isinstance(spec, Transcription)]
        chosen = (captions or specs)[-1]
        if self._recognizer is None:
            self._recognizer = Recognizer(
                RecognizerSettings(socket=self._job.speech.socket, language=self._language),
                self._on_utterance,
                self._wall,
            )
            self._recognizer.start()
            for session_id, there in self._state.participants.items():
                if (track := there.tracks.get(TrackType.AUDIO)) is not None:
                    self._hear(session_id, track.media)
        self._recognizer.set_language(self._language)
        self._recognizer.configure(Segmenting(chosen.silence_duration_ms, chosen.max_speech_caption_ms))
        targets = tuple(dict.fromkeys(target for spec in specs for target in spec.translate_to))
        words = any(spec.words for spec in specs if isinstance(spec, Transcription))
        self._recognizer.set_wanted(words=words, translate_to=targets)

    def _hear(self, session_id: str, media: MediaTrack) -> None:
        if self._recognizer is None or session_id not in self._state.participants:
            return
        self._end_hearing(session_id)
        self._remember(self._state.participants[session_id].participant)
        self._hearings[session_id] = hearing = self._recognizer.hear(session_id, media)
        track = self._state.track(session_id, TrackType.AUDIO)
        if track is not None and track.muted:
            hearing.mute(True)

    def _end_hearing(self, session_id: str) -> None:
        if (hearing := self._hearings.pop(session_id, None)) is not None:
            hearing.end()

    def _release(self) -> None:
        """Nobody wants to hear more: what was heard is still to be made into text."""
        if self._recognizer is not None:
            self._closing = asyncio.create_task(_close(self._recognizer), name="last words")
            self._recognizer = None
            self._hearings.clear()

    async def _finish(self, egress: SpeechEgress, reason: str) -> None:
        if egress.started:
            await self._last_words(egress)
        if egress.over.is_set():
            return
        egress.over.set()
        at, egress_id = utc(time.time()), egress.spec.egress_id
        self._tell(EgressStopped(at=utc(egress.until or time.time()), egress_id=egress_id, reason=reason))
        self._tell(EgressEnded(at=at, egress_id=egress_id))

    async def _last_words(self, egress: SpeechEgress) -> None:
        """Wait until what was being said when it ended is told. Others may go on."""
        deadline = time.monotonic() + LAST_WORDS
        quiet = time.monotonic() + egress.spec.silence_duration_ms / 1000
        while (recognizer := self._recognizer) is not None and time.monotonic() < deadline:
            if time.monotonic() >= quiet and not recognizer.waiting:
                return
            await asyncio.sleep(0.05)
        if self._closing is not None:
            await asyncio.shield(self._closing)

    def _fail(self, egress: SpeechEgress, code: str, message: str) -> None:
        if egress.over.is_set():
            return
        egress.stopping = True
        egress.until = egress.until or time.time()
        egress.over.set()
        failed = EgressFailed(at=utc(time.time()), egress_id=egress.spec.egress_id, code=code, error=message)
        self._tell(failed)

    def _on_utterance(self, utterance: Utterance) -> None:
        if utterance.failure is not None:
            self._on_failure(utterance)
            return
        self._failing_since = None
        wanted = [egress for egress in self.egresses.values() if egress.wants(utterance)]
        who = self._who(utterance.speaker)
        if not utterance.text or not wanted or who is None:
            return
        if self._silences.touch(who.user_id, utterance.start, utterance.end):
            return
        self._say(self._spoken(utterance, who, wanted), wanted)
        translations = ((t, text) for t, text in utterance.translations.items() if text)
        for number, (target, text) in enumerate(translations, start=1):
            some = [egress for egress in wanted if target in egress.spec.translate_to]
            if some:
                self._say(self._spoken(utterance, who, some, target, text, number * TRANSLATED_LATER), some)

    def _compare(self, wanted: RecognizerSettings, engine: Mapping[str, Any]) -> None:
        """Warn once of each language that is wanted and that the engine does not know."""
        spoken, known = wanted.language, engine.get("languages", [])
        if spoken != AUTO and known and spoken not in known:
            self._warn(
                f"{NOT_UNDERSTOOD} {spoken}",
                NOT_UNDERSTOOD,
                f"the model of this site does not understand '{spoken}', only {', '.join(known)}: what is written "
                "will be wrong; start with another language, or name another speech.model",
            )
        for target in wanted.translate_to:
            if target != spoken and target not in engine.get("translates_to", []):
                self._warn(
                    f"{NOT_TRANSLATED} {target}",
                    NOT_TRANSLATED,
                    f"nothing here translates into '{target}': name a translation model as speech.translators.{target}",
                )

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

    def _say(self, spoken: Spoken, wanted: list[SpeechEgress]) -> None:
        for egress in wanted:
            if egress.journal is not None:
                _write(egress.journal, spoken)
        self._tell(spoken)
        if any(egress.journal is None for egress in wanted):
            caption = spoken.model_dump(
                mode="json", include={"id", "text", "start_time", "end_time", "language", "translated"}
            )
            self._show(
                {
                    "type": "closed_caption",
                    "call_cid": self._job.call_cid,
                    "closed_caption": {**caption, "speaker_id": spoken.user_id, "name": spoken.name},
                }
            )

    def _spoken(
        self,
        utterance: Utterance,
        who: Participant,
        wanted: list[SpeechEgress],
        target: str | None = None,
        text: str = "",
        later: float = 0.0,
    ) -> Spoken:
        assert self._job.speech is not None
        words = [] if target else [_word(word) for word in utterance.words]
        return Spoken(
            at=utc(time.time()),
            id=str(uuid.uuid4()),
            egress_ids=[egress.spec.egress_id for egress in wanted],
            participant=who.session_id,
            user_id=who.user_id,
            name=who.name,
            image=who.image,
            role=who.roles[0] if who.roles else "",
            text=text or utterance.text,
            start_time=_moment(utterance.start + later),
            end_time=_moment(max(utterance.end, utterance.start + later)),
            language=target or utterance.language,
            translated=target is not None,
            service=self._job.speech.service,
            words=words,
        )

    def _who(self, session_id: str) -> Participant | None:
        there = self._state.participants.get(session_id)
        return there.participant if there is not None else self._speakers.get(session_id)

    def _remember(self, who: Participant) -> None:
        """The last words of somebody who goes are still on their way then."""
        self._speakers.pop(who.session_id, None)
        self._speakers[who.session_id] = who
        if len(self._speakers) > MOST_SPEAKERS:
            del self._speakers[next(iter(self._speakers))]


async def _close(recognizer: Recognizer) -> None:
    try:
        await recognizer.close(LAST_WORDS)
    except Exception:
        log.exception("the last words could not be waited for")


def _moment(seconds: float) -> Any:
    return utc(round(seconds, 3))


def _word(word: Word) -> SpokenWord:
    return SpokenWord(
        text=word.text.strip(),
        start_time=_moment(word.start),
        end_time=_moment(word.end),
        probability=word.probability,
    )


def _write(journal: Path, spoken: Spoken) -> None:
    """An agent may never be told: what it finds in the spool then is this."""
    try:
        journal.parent.mkdir(parents=True, exist_ok=True)
        with journal.open("a", encoding="utf-8") as file:
            file.write(spoken.model_dump_json() + "\n")
    except OSError as error:
        log.error("%s cannot be written: %s", journal, error)


def _size(journal: Path | None) -> int:
    with contextlib.suppress(OSError):
        return journal.stat().st_size if journal is not None else 0
    return 0
