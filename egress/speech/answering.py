"""What an engine process does with a batch: asks the engine, keeps what is believed, translates it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from egress.speech.contract import (
    SAMPLE_RATE,
    Capabilities,
    EngineSettings,
    Failure,
    TranslationEngine,
    Utterance,
)
from egress.speech.engines.registry import engine, translator
from egress.speech.guards import believed, without_repeats
from egress.speech.waiting import Asked

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counts:
    """What was done since the process began."""

    segments: int = 0
    batches: int = 0
    sound_seconds: float = 0.0
    busy_seconds: float = 0.0


class Answering:
    """An engine and its translators. ``answer`` may be called by several threads."""

    def __init__(self, settings: EngineSettings) -> None:
        self.counts = Counts()
        self._engine = engine(settings)
        self._translators: dict[str, TranslationEngine] = {
            target: translator(target, folder, settings) for target, folder in settings.translators.items()
        }
        self._counting = threading.Lock()

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    @property
    def targets(self) -> frozenset[str]:
        """Languages that can be translated into."""
        return self._engine.capabilities.translates_to | frozenset(self._translators)

    def load(self) -> None:
        """Load and try everything. Raises SpeechError."""
        self._engine.load()
        self._engine.warm_up()
        for one in self._translators.values():
            one.load()

    def answer(self, batch: Sequence[Asked]) -> list[Utterance]:
        """One utterance for each that was asked; a failure is one too."""
        began = time.monotonic()
        segments = [asked.segment for asked in batch]
        try:
            heard = self._engine.transcribe(segments)
            said = [self._kept(utterance, asked) for utterance, asked in zip(heard, batch, strict=True)]
            self._translate(said, batch)
        except Exception as error:
            log.exception("the engine failed on a batch of %d", len(batch))
            return [_failed(asked, error) for asked in batch]
        with self._counting:
            self.counts.segments += sum(len(asked.ids) for asked in batch)
            self.counts.batches += 1
            self.counts.sound_seconds += sum(len(segment.samples) for segment in segments) / SAMPLE_RATE
            self.counts.busy_seconds += time.monotonic() - began
        return said

    def _kept(self, utterance: Utterance, asked: Asked) -> Utterance:
        text = without_repeats(utterance.text, utterance.language)
        if not believed(text, utterance.scores, asked.segment.end - asked.segment.start):
            return replace(utterance, segments=asked.ids, text="", words=(), translations={})
        # Words of a text that was shortened would tell of it as it was.
        words = utterance.words if text == utterance.text else ()
        wanted = asked.segment.translate_to
        translations = {
            target: without_repeats(translated, target)
            for target, translated in utterance.translations.items()
            if target in wanted and target != utterance.language
        }
        return replace(utterance, segments=asked.ids, text=text, words=words, translations=translations)

    def _translate(self, said: list[Utterance], batch: Sequence[Asked]) -> None:
        for target, one in self._translators.items():
            rows = [
                row
                for row, (utterance, asked) in enumerate(zip(said, batch, strict=True))
                if utterance.text and target in asked.segment.translate_to and target != utterance.language
            ]
            if not rows:
                continue
            try:
                texts = one.translate([said[row].text for row in rows], [said[row].language for row in rows])
                translated = list(zip(rows, texts, strict=True))
            except Exception:
                # What was said is known all the same.
                log.exception("the translator into %s failed on %d texts", target, len(rows))
                continue
            for row, text in translated:
                said[row] = replace(said[row], translations={**said[row].translations, target: text})


def _failed(asked: Asked, error: Exception) -> Utterance:
    segment = asked.segment
    return Utterance(
        asked.ids,
        segment.speaker,
        segment.start,
        segment.end,
        "",
        "",
        failure=Failure("engine_failed", f"the speech engine failed on the segment: {error}"),
    )
