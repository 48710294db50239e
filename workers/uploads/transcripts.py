"""Makes the files of transcripts out of what the ledger kept, once their calls are over, and lays them in the spool."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError
from sqlalchemy.orm import Session

from egress.logs import about
from egress.protocol.reports import Spoken
from egress.speech.contract import Line, Word
from egress.speech.subtitles import srt, txt, vtt
from egress.speech.transcript import TranscriptWriter
from workers.ledger import speech, transcripts
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import Egress, TranscriptLine
from workers.ledger.transcripts import Made
from workers.settings import Settings
from workers.settings.sections import SpeechSettings

log = logging.getLogger(__name__)

JOURNALS = "said-*.jsonl"
"""What attendants leave beside what they told: those that died in between told less."""


class Transcripts:
    """Lives on the event loop of a worker."""

    def __init__(self, ledger: AsyncLedger, settings: Settings) -> None:
        self._ledger = ledger
        self._settings = settings
        self._problems: dict[str, str] = {}
        """Why transcripts could not be made, by egress."""

    async def look(self) -> None:
        """Make what is due."""
        host, abandoned = self._settings.owner, self._settings.agent.abandoned
        due = await self._ledger.read(lambda tx: transcripts.due(tx, host, abandoned))
        for egress in due:
            with about(call_cid=egress.call_cid, egress_id=egress.id):
                try:
                    await self._make(egress)
                    self._problems.pop(egress.id, None)
                except Exception as error:
                    # A transcript that cannot be made must not keep others, and recordings, from being delivered.
                    if self._problems.get(egress.id) != str(error):
                        fault = None if isinstance(error, OSError) else error
                        log.error("the transcript of %s waits: %s", egress.call_cid, error, exc_info=fault)
                    self._problems[egress.id] = str(error)

    async def done(self) -> bool:
        """Whether none is left to make."""
        host, abandoned = self._settings.owner, self._settings.agent.abandoned
        return not await self._ledger.read(lambda tx: transcripts.due(tx, host, abandoned))

    async def _make(self, egress: Egress) -> None:
        folder = self._settings.spools / egress.id
        journaled = await asyncio.to_thread(_journaled, folder, egress.id)

        def gather(tx: Session) -> Sequence[TranscriptLine]:
            found = speech.keep(tx, egress.id, journaled)
            if found:
                log.warning("%d lines of %s were told to nobody and are in its transcript", found, egress.id)
            return speech.lines(tx, egress.id)

        said = await self._ledger.write(gather)
        start = egress.started_at or egress.created_at
        made = await asyncio.to_thread(write, folder, said, start, self._settings.speech)
        host, template = self._settings.owner, self._settings.storage.key_template
        now = datetime.now(UTC)
        if await self._ledger.write(lambda tx: transcripts.enter(tx, egress.id, made, host, template, now)):
            log.info("the transcript of %s has %d lines", egress.call_cid, len(said))
        await asyncio.to_thread(_clear_journals, folder)


def write(folder: Path, said: Sequence[TranscriptLine], start: datetime, wanted: SpeechSettings) -> list[Made]:
    """The files of a transcript: JSON lines and the formats asked for, of what was said and in each target language.

    ``start`` is when it began: subtitles count from there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    translations = sorted({line.language for line in said if line.translated and line.language})
    made = []
    for language in (None, *translations):
        # Who reads one language reads all that was said, whether in it or in another.
        mine = [one for one in said if (one.language == language if language else not one.translated)]
        made += _files(folder, [_line(one) for one in mine], language, start.timestamp(), wanted)
    return made


def _files(folder: Path, lines: list[Line], language: str | None, zero: float, wanted: SpeechSettings) -> list[Made]:
    stem = "transcript" if language is None else f"transcript.{language}"
    path = folder / f"{stem}.jsonl"
    path.unlink(missing_ok=True)  # of a try that was broken off
    writer = TranscriptWriter(path, language="language" in wanted.details, words="words" in wanted.details)
    for line in lines:
        writer.add(line)
    found = [writer.close()]
    for name in dict.fromkeys(wanted.formats):
        path = folder / f"{stem}.{name}"
        path.write_text(_FORMATS[name](lines, zero), "utf-8")
        found.append(path)
    return [Made(path, language, path.stat().st_size) for path in found]


_FORMATS: dict[str, Callable[[list[Line], float], str]] = {"srt": srt, "vtt": vtt, "txt": txt}


def _line(line: TranscriptLine) -> Line:
    words = tuple(
        Word(one["text"], _seconds(one["start_time"]), _seconds(one["end_time"]), one["probability"])
        for one in line.words or ()
    )
    return Line(
        start=line.start_time.timestamp(),
        stop=line.stop_time.timestamp(),
        speaker_id=line.speaker_id,
        text=line.text,
        name=line.name,
        language=line.language or None,
        words=words,
    )


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _journaled(folder: Path, egress_id: str) -> list[Spoken]:
    """What attendants on this host wrote down for that egress. The last line of one that died may be torn."""
    found: list[Spoken] = []
    for path in sorted(folder.glob(JOURNALS)):
        for text in path.read_text("utf-8", "replace").split("\n"):
            with contextlib.suppress(ValidationError):
                spoken = Spoken.model_validate_json(text)
                if egress_id in spoken.egress_ids:
                    found.append(spoken)
    return found


def _clear_journals(folder: Path) -> None:
    for path in folder.glob(JOURNALS):
        path.unlink(missing_ok=True)
