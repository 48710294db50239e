"""An engine for tests: what it says is written down, by how long a segment is or by how loud.

``model`` is the path of a JSON file: ``{"texts": {"<loudness in tenths>": {"text", "language", "translations",
"translation_scores"}}, "default": {...}, "seconds": 0.0, "languages": [...], "die_on": "<text>", "hang_on": "<text>",
"fail_on": "<text>"}``.
A segment's loudness is the peak of its samples in tenths of full scale, rounded, which Opus leaves alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from egress.speech.contract import Capabilities, EngineSettings, Scores, Segment, SpeechError, Utterance, Word
from egress.speech.languages import LANGUAGES


class ScriptedEngine:
    """Says what its script says; may take its time, die, hang or fail where the script wants it to."""

    def __init__(self, settings: EngineSettings) -> None:
        self._path = Path(settings.model)
        self._script: dict[str, Any] = {}

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            languages=frozenset(self._script.get("languages", LANGUAGES)),
            detects_language=True,
            words=True,
            translates_to=frozenset({"en"}),
        )

    def load(self) -> None:
        try:
            self._script = json.loads(self._path.read_text())
        except (OSError, ValueError) as error:
            raise SpeechError("model_missing", f"the script {self._path} cannot be read: {error}") from error

    def warm_up(self) -> None:
        """Nothing is slow the first time."""

    def transcribe(self, batch: Sequence[Segment]) -> list[Utterance]:
        time.sleep(self._script.get("seconds", 0.0))
        return [self._say(segment) for segment in batch]

    def close(self) -> None:
        """Nothing is held."""

    def _say(self, segment: Segment) -> Utterance:
        peak = float(np.abs(segment.samples).max(initial=0.0))
        said = self._script.get("texts", {}).get(str(round(peak * 10)), self._script.get("default", {"text": ""}))
        text = said["text"]
        self._misbehave(text)
        words = text.split() if segment.words else []
        each = (segment.end - segment.start) / max(len(words), 1)
        return Utterance(
            segments=(segment.segment_id,),
            speaker=segment.speaker,
            start=segment.start,
            end=segment.end,
            text=text,
            language=segment.language or said.get("language", "en"),
            words=tuple(
                Word(word, segment.start + n * each, segment.start + (n + 1) * each, 1.0)
                for n, word in enumerate(words)
            ),
            scores=Scores(log_prob=-0.1, language=said.get("probability", 1.0)),
            translations={"en": said["translations"]["en"]}
            if "en" in segment.translate_to and "en" in said.get("translations", {})
            else {},
            translation_scores={
                target: Scores(**scores) for target, scores in said.get("translation_scores", {}).items()
            },
        )

    def _misbehave(self, text: str) -> None:
        once = self._path.with_suffix(".died")
        if text and text == self._script.get("die_once_on") and not once.exists():
            once.touch()
            os._exit(9)
        if text and text == self._script.get("die_on"):
            os._exit(9)
        if text and text == self._script.get("hang_on"):
            time.sleep(3600)
        if text and text == self._script.get("fail_on"):
            raise RuntimeError("the script wants this to fail")
