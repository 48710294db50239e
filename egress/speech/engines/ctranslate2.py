"""Translation of text by a CTranslate2 model in a folder: OPUS-MT and Argos (one pair), NLLB-200 and M2M-100 (many).

Pieces are made by the SentencePiece model beside it: ``source.spm`` and ``target.spm``, or one ``sentencepiece.model``
or ``sentencepiece.bpe.model`` for both. Many-language models are told their languages by a token; which kind of token
is seen in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from egress.speech.contract import EngineSettings, SpeechError

_SHARED = ("sentencepiece.model", "sentencepiece.bpe.model")
FLORES = {
    "ar": "arb_Arab",
    "bg": "bul_Cyrl",
    "ca": "cat_Latn",
    "cs": "ces_Latn",
    "da": "dan_Latn",
    "de": "deu_Latn",
    "el": "ell_Grek",
    "en": "eng_Latn",
    "es": "spa_Latn",
    "et": "est_Latn",
    "fi": "fin_Latn",
    "fr": "fra_Latn",
    "he": "heb_Hebr",
    "hi": "hin_Deva",
    "hr": "hrv_Latn",
    "hu": "hun_Latn",
    "id": "ind_Latn",
    "it": "ita_Latn",
    "ja": "jpn_Jpan",
    "ko": "kor_Hang",
    "ms": "zsm_Latn",
    "nl": "nld_Latn",
    "no": "nob_Latn",
    "pl": "pol_Latn",
    "pt": "por_Latn",
    "ro": "ron_Latn",
    "ru": "rus_Cyrl",
    "sk": "slk_Latn",
    "sl": "slv_Latn",
    "sv": "swe_Latn",
    "ta": "tam_Taml",
    "th": "tha_Thai",
    "tl": "tgl_Latn",
    "tr": "tur_Latn",
    "uk": "ukr_Cyrl",
    "zh": "zho_Hans",
}
"""How NLLB-200 names the languages."""


class Ctranslate2Translator:
    """One target language."""

    def __init__(self, target: str, folder: Path, settings: EngineSettings) -> None:
        self.target = target
        self._folder = folder
        self._settings = settings
        self._translator: Any = None
        self._split: Any = None
        self._join: Any = None
        self._form: str | None = None
        """How a language's token is written, where the model knows many."""

    def load(self) -> None:
        folder = self._folder
        model = folder / "model" if (folder / "model" / "model.bin").is_file() else folder
        if not (model / "model.bin").is_file():
            raise SpeechError(
                "model_missing",
                f"the translation model folder {folder} for {self.target} has no model.bin; "
                "put a converted (CTranslate2) translation model there, or name another in speech.translators",
            )
        source, target = self._pieces()
        import ctranslate2
        import sentencepiece

        try:
            self._translator = ctranslate2.Translator(
                str(model),
                device=self._settings.device,
                compute_type=self._settings.compute_type,
                inter_threads=self._settings.workers,
                intra_threads=self._settings.threads,
            )
            self._split = sentencepiece.SentencePieceProcessor(model_file=str(source))
            self._join = sentencepiece.SentencePieceProcessor(model_file=str(target))
        except (RuntimeError, ValueError, OSError) as error:
            raise SpeechError(
                "model_broken",
                f"the translation model in {folder} for {self.target} cannot be loaded ({error}); "
                "convert or download it again",
            ) from error
        self._form = _token_form(model, self.target)

    def translate(self, texts: Sequence[str], sources: Sequence[str]) -> list[str]:
        told = [
            self._dressed(self._split.encode(text, out_type=str), source)
            for text, source in zip(texts, sources, strict=True)
        ]
        prefix = None if self._form is None else [[_token(self._form, self.target)]] * len(told)
        results = self._translator.translate_batch(
            told, target_prefix=prefix, beam_size=2, max_decoding_length=256, no_repeat_ngram_size=6
        )
        skipped = 0 if prefix is None else 1
        return [str(self._join.decode(result.hypotheses[0][skipped:])) for result in results]

    def close(self) -> None:
        self._translator = None

    def _dressed(self, pieces: list[str], source: str) -> list[str]:
        if self._form is None:
            return [*pieces, "</s>"] if self._folder.joinpath("source.spm").is_file() else pieces
        return [_token(self._form, source), *pieces, "</s>"]

    def _pieces(self) -> tuple[Path, Path]:
        """The SentencePiece models of both sides."""
        folder = self._folder
        if (folder / "source.spm").is_file() and (folder / "target.spm").is_file():
            return folder / "source.spm", folder / "target.spm"
        for name in _SHARED:
            if (folder / name).is_file():
                return folder / name, folder / name
        raise SpeechError(
            "model_missing",
            f"the translation model folder {folder} for {self.target} has no SentencePiece model; "
            f"copy source.spm and target.spm, or {' or '.join(_SHARED)}, of the model into it",
        )


def _token_form(model: Path, target: str) -> str | None:
    told = "".join(path.read_text() for path in sorted(model.glob("*vocabulary.*")))
    if FLORES.get(target, "") in told and "_Latn" in told:
        return "flores"
    return "m2m" if f"__{target}__" in told else None


def _token(form: str, language: str) -> str:
    return FLORES.get(language, "eng_Latn") if form == "flores" else f"__{language}__"
