"""A translation engine for tests: a folder whose ``wallflower.json`` says what each text is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from egress.speech.contract import EngineSettings


class ScriptedTranslator:
    """``{"engine": "scripted", "texts": {"hello": "hallo"}}``; other texts come back with the target before them."""

    def __init__(self, target: str, folder: Path, settings: EngineSettings) -> None:
        del settings
        self.target = target
        self._folder = folder
        self._texts: dict[str, str] = {}

    def load(self) -> None:
        self._texts = json.loads((self._folder / "wallflower.json").read_text()).get("texts", {})

    def translate(self, texts: Sequence[str], sources: Sequence[str]) -> list[str]:
        return [self._texts.get(text, f"{self.target}: {text}") for text in texts]

    def close(self) -> None:
        """Nothing is held."""
