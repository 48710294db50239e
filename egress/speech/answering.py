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
    Scores,
    Segment,
    TranslationEngine,
    Utterance,
)
from egress.speech.engines.registry import engine, translator
from egress.speech.guards import believed, without_repeats
from egress.speech.seams import own, whole
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
        words = self._engine.capabilities.words
        segments = [_asked(asked.segment, words) for asked in batch]
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
        segment = asked.segment
        seconds = len(segment.samples) / SAMPLE_RATE if _open(segment) else segment.end - segment.start
        heard = replace(utterance, segments=asked.ids, translations={}, translation_scores={})
        if not believed(without_repeats(heard.text, heard.language), heard.scores, seconds):
            return replace(heard, text="", words=())
        heard = whole(heard, segment)
        text = without_repeats(heard.text, heard.language)
        # Words of a text that was shortened would tell of it as it was.
        words = heard.words if segment.words and text == heard.text else ()
        translations = _translations(utterance, segment, seconds) if text else {}
        return replace(heard, text=text, words=words, translations=translations)

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
                if text := without_repeats(text, target):
                    said[row] = replace(said[row], translations={**said[row].translations, target: text})


def _open(segment: Segment) -> bool:
    return segment.open_start or segment.open_end


def _asked(segment: Segment, words: bool) -> Segment:
    """What the engine hears: it is asked for words too where an edge may have torn one."""
    if not _open(segment):
        return segment
    return replace(segment, words=True) if words else own(segment)


def _translations(utterance: Utterance, segment: Segment, seconds: float) -> dict[str, str]:
    """Those by the engine itself that are wanted, and believed like any text."""
    kept = {}
    for target, translated in utterance.translations.items():
        text = without_repeats(translated, target)
        scores = utterance.translation_scores.get(target, Scores())
        if target in segment.translate_to and target != utterance.language and believed(text, scores, seconds):
            kept[target] = text
    return kept


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
