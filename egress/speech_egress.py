"""One transcription, or closed captions, of a call: when it runs, and where what is said is written down."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

from egress.protocol.reports import Spoken
from egress.protocol.speech import SpeechSpec
from egress.speech.contract import Utterance

log = logging.getLogger(__name__)


@dataclass(slots=True)
class SpeechEgress:
    """Times are seconds since 1970."""

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

    @property
    def size(self) -> int:
        """Bytes that are written down."""
        with contextlib.suppress(OSError):
            return self.journal.stat().st_size if self.journal is not None else 0
        return 0

    def wants(self, utterance: Utterance) -> bool:
        if self.began is None or self.over.is_set():
            return False
        return utterance.end > self.began and (self.until is None or utterance.start < self.until)

    def write(self, spoken: Spoken) -> None:
        """Of a transcription: an agent may never be told, and what it finds in the spool then is this."""
        if self.journal is None:
            return
        try:
            self.journal.parent.mkdir(parents=True, exist_ok=True)
            with self.journal.open("a", encoding="utf-8") as file:
                file.write(spoken.model_dump_json() + "\n")
        except OSError as error:
            log.error("%s cannot be written: %s", self.journal, error)
