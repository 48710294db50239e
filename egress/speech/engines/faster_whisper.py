"""Whisper by faster-whisper and CTranslate2: many segments in one pass, each in its own language.

An encoder pass costs as much for one second as for thirty, so segments share a call. The library's batched pipeline
takes one language a call and passes over its own guards; what is used here lies below it: one encoding of all rows, a
prompt for each row, its scores, and a second try at a higher temperature for rows that came out badly.
"""

from __future__ import annotations

import logging
import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from egress.speech.contract import (
    SAMPLE_RATE,
    Capabilities,
    EngineSettings,
    Scores,
    Segment,
    Sound,
    SpeechError,
    Utterance,
    Word,
)
from egress.speech.engines.model_folder import checked_folder, checked_name, is_folder
from egress.speech.guards import compression, doubtful
from egress.speech.languages import likeliest
from egress.speech.seams import own

log = logging.getLogger(__name__)

TEMPERATURES = (0.0, 0.4, 0.8)
_FRAMES = 3000
"""Frames of 10 ms in a window of 30 s: the encoder takes no more."""
_TAIL = 0.2
"""Seconds of silence put behind a segment; the model ends its text more surely."""


class FasterWhisperEngine:
    """``settings.workers`` threads may transcribe at once."""

    def __init__(self, settings: EngineSettings) -> None:
        self._settings = settings
        self._model: Any = None
        self._tokenizers: dict[tuple[str, str], Any] = {}

    @property
    def capabilities(self) -> Capabilities:
        multilingual = self._model.model.is_multilingual
        return Capabilities(
            languages=frozenset(self._model.supported_languages) if multilingual else frozenset({"en"}),
            detects_language=multilingual,
            words=True,
            translates_to=frozenset({"en"}) if multilingual else frozenset(),
        )

    @property
    def window(self) -> int:
        """Seconds that the encoder goes over at least: those of the settings, or ``chunk_length`` of the model's
        ``preprocessor_config.json``, on which it was trained."""
        return self._settings.window or int(self._model.feature_extractor.chunk_length)

    def load(self) -> None:
        settings = self._settings
        local = is_folder(settings.model)
        name = str(checked_folder(settings.model)) if local else checked_name(settings.model)
        if local or not settings.download:
            # Libraries below look here too; what is not at hand must not be fetched behind our back.
            os.environ["HF_HUB_OFFLINE"] = "1"
        from faster_whisper import WhisperModel

        try:
            self._model = WhisperModel(
                name,
                device=settings.device,
                compute_type=settings.compute_type,
                cpu_threads=settings.threads,
                num_workers=settings.workers,
                local_files_only=local or not settings.download,
            )
        except Exception as error:
            raise _cannot_load(settings, local, error) from error

    def warm_up(self) -> None:
        silent = np.zeros(SAMPLE_RATE, np.float32)
        try:
            self.transcribe([Segment(0, "", 0.0, 1.0, 0.0, silent, 1.0, language="en")])
        except Exception as error:
            raise SpeechError(
                "model_broken",
                f"the speech model {self._settings.model} was loaded and cannot be run ({error}); "
                "convert or download it again",
            ) from error

    def close(self) -> None:
        self._model = None

    def transcribe(self, batch: Sequence[Segment]) -> list[Utterance]:
        encoded = self._model.encode(self._features(batch))
        languages = self._languages(batch, encoded)
        prompts = [self._prompt(language, "transcribe") for language, _ in languages]
        told = self._generate(encoded, prompts, list(range(len(batch))))
        words = self._words(batch, languages, encoded, told)
        english = self._english(batch, languages, encoded)
        return [
            Utterance(
                segments=(segment.segment_id,),
                speaker=segment.speaker,
                start=segment.start,
                end=segment.end,
                text=told[row].text,
                language=languages[row][0],
                words=words.get(row, ()),
                scores=Scores(told[row].no_speech, told[row].log_prob, told[row].compression, languages[row][1]),
                translations={"en": english[row].text} if row in english else {},
                translation_scores={"en": english[row].scores} if row in english else {},
            )
            for row, segment in enumerate(batch)
        ]

    def _features(self, batch: Sequence[Segment]) -> Sound:
        """What the encoder goes over: one row a segment, all as long as the longest needs."""
        from faster_whisper.audio import pad_or_trim

        longest = max(len(segment.samples) for segment in batch) / SAMPLE_RATE + 1.0
        frames = min(_FRAMES, round(max(self.window, longest)) * 100)
        tail = np.zeros(round(_TAIL * SAMPLE_RATE), np.float32)
        rows = [self._model.feature_extractor(np.concatenate([segment.samples, tail])) for segment in batch]
        features: Sound = np.stack([pad_or_trim(row[..., :-1], frames) for row in rows])
        return features

    def _languages(self, batch: Sequence[Segment], encoded: Any) -> list[tuple[str, float]]:
        """Of each row, and how sure that is."""
        if not self._model.model.is_multilingual:
            return [("en", 1.0)] * len(batch)
        unknown = [row for row, segment in enumerate(batch) if segment.language is None]
        found = dict.fromkeys(unknown, ("", 0.0))
        if unknown:
            for row, guesses in zip(unknown, self._model.model.detect_language(_rows(encoded, unknown)), strict=True):
                found[row] = likeliest(((token[2:-2], sure) for token, sure in guesses), self._settings.languages)
        return [found.get(row) or (segment.language or "en", 1.0) for row, segment in enumerate(batch)]

    def _tokenizer(self, language: str, task: str) -> Any:
        from faster_whisper.tokenizer import Tokenizer

        if (language, task) not in self._tokenizers:
            self._tokenizers[language, task] = Tokenizer(
                self._model.hf_tokenizer, self._model.model.is_multilingual, task=task, language=language
            )
        return self._tokenizers[language, task]

    def _prompt(self, language: str, task: str) -> list[int]:
        tokenizer = self._tokenizer(language, task)
        prompt: list[int] = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        return prompt

    def _generate(self, encoded: Any, prompts: list[list[int]], rows: list[int]) -> dict[int, _Told]:
        """What was said in each of ``rows``: at the lowest temperature at which it makes sense."""
        best: dict[int, _Told] = {}
        again = rows
        for temperature in TEMPERATURES:
            for row, told in zip(again, self._decode(_rows(encoded, again), again, prompts, temperature), strict=True):
                if row not in best or told.better_than(best[row]):
                    best[row] = told
            again = [row for row in again if doubtful(best[row].scores)]
            if not again:
                break
        return best

    def _decode(self, encoded: Any, rows: list[int], prompts: list[list[int]], temperature: float) -> list[_Told]:
        from faster_whisper.transcribe import get_suppressed_tokens

        tokenizer = self._tokenizer("en", "transcribe")
        how: dict[str, Any] = (
            {"beam_size": self._settings.beam_size}
            if temperature == 0
            else {"beam_size": 1, "num_hypotheses": 3, "sampling_topk": 0, "sampling_temperature": temperature}
        )
        results = self._model.model.generate(
            encoded,
            [prompts[row] for row in rows],
            max_length=self._model.max_length,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_blank=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [-1]),
            **how,
        )
        return [_Told(result, tokenizer) for result in results]

    def _english(self, batch: Sequence[Segment], languages: list[tuple[str, float]], encoded: Any) -> dict[int, _Told]:
        """Translations by the model itself; not of sound that another segment has too, where no word tells of it."""
        rows = [row for row, segment in enumerate(batch) if "en" in segment.translate_to and languages[row][0] != "en"]
        if not rows or not self._model.model.is_multilingual:
            return {}
        prompts = [self._prompt(language, "translate") for language, _ in languages]
        if not any(batch[row].open_start or batch[row].open_end for row in rows):
            return self._generate(encoded, prompts, rows)
        encoded = self._model.encode(self._features([own(batch[row]) for row in rows]))
        told = self._generate(encoded, [prompts[row] for row in rows], list(range(len(rows))))
        return {row: told[number] for number, row in enumerate(rows)}

    def _words(
        self, batch: Sequence[Segment], languages: list[tuple[str, float]], encoded: Any, told: dict[int, _Told]
    ) -> dict[int, tuple[Word, ...]]:
        """Times of words, where they are wanted; rows of one language are aligned together."""
        together: dict[str, list[int]] = defaultdict(list)
        for row, segment in enumerate(batch):
            # An empty row would end the process in CTranslate2 before 4.8.1, and has no words anyhow.
            if segment.words and told[row].tokens:
                together[languages[row][0]].append(row)
        words: dict[int, tuple[Word, ...]] = {}
        for language, rows in together.items():
            tokenizer = self._tokenizer(language, "transcribe")
            found = self._model.find_alignment(
                tokenizer,
                [told[row].tokens for row in rows],
                _rows(encoded, rows),
                [max(1, len(batch[row].samples) * 100 // SAMPLE_RATE) for row in rows],
            )
            for row, alignment in zip(rows, found, strict=True):
                words[row] = _placed(batch[row], alignment)
        return words


class _Told:
    """One row as it was decoded."""

    __slots__ = ("compression", "log_prob", "no_speech", "text", "tokens")

    def __init__(self, result: Any, tokenizer: Any) -> None:
        self.tokens: list[int] = [token for token in result.sequences_ids[0] if token < tokenizer.eot]
        self.text: str = tokenizer.decode(self.tokens).strip()
        length = len(result.sequences_ids[0])
        self.log_prob = result.scores[0] * length / (length + 1)
        self.no_speech = float(result.no_speech_prob)
        self.compression = compression(self.text) if self.text else 0.0

    @property
    def scores(self) -> Scores:
        return Scores(self.no_speech, self.log_prob, self.compression)

    def better_than(self, other: _Told) -> bool:
        mine, others = doubtful(self.scores), doubtful(other.scores)
        return others and (not mine or self.log_prob > other.log_prob)


def _rows(encoded: Any, rows: list[int]) -> Any:
    """Some rows of an encoding."""
    import ctranslate2

    if rows == list(range(encoded.shape[0])):
        return encoded
    on_cpu = encoded if encoded.device == "cpu" else encoded.to_device(ctranslate2.Device.cpu)
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(np.asarray(on_cpu)[rows]))


def _placed(segment: Segment, alignment: list[dict[str, Any]]) -> tuple[Word, ...]:
    """Words of the alignment at their times, inside the speech."""
    from faster_whisper.transcribe import merge_punctuations

    low = segment.audio_start if segment.open_start else segment.start
    high = segment.audio_start + len(segment.samples) / SAMPLE_RATE if segment.open_end else segment.end

    merge_punctuations(alignment, "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、")
    words = []
    for found in alignment:
        if not (text := found["word"].strip()):
            continue
        start = min(max(segment.audio_start + float(found["start"]), low), high)
        end = min(max(segment.audio_start + float(found["end"]), start), high)
        words.append(Word(text, start, end, float(found["probability"])))
    return tuple(words)


def _cannot_load(settings: EngineSettings, local: bool, error: Exception) -> SpeechError:
    if local:
        return SpeechError(
            "model_broken",
            f"the speech model in {settings.model} cannot be loaded ({error}); convert or download it again",
        )
    if settings.download:
        return SpeechError(
            "model_missing",
            f"the speech model {settings.model} could neither be found nor fetched ({error}); "
            "name a model of faster-whisper or a folder in speech.model",
        )
    return SpeechError(
        "model_missing",
        f"the speech model {settings.model} is not on this machine; download it before, name a folder in speech.model, "
        "or set speech.download",
    )
