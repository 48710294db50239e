"""Translations: by the speech engine where it can, by a translation model otherwise; never into what was spoken."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from ctranslate2.specs import TransformerSpec

from egress.speech.answering import Answering
from egress.speech.contract import EngineSettings, Segment, SpeechError
from egress.speech.engines.ctranslate2 import Ctranslate2Translator
from egress.speech.waiting import Asked


@pytest.fixture
def answering(tmp_path: Path) -> Answering:
    script = tmp_path / "script.json"
    script.write_text(
        json.dumps(
            {
                "texts": {
                    "2": {"text": "guten Tag", "language": "de", "translations": {"en": "good day"}},
                    "4": {"text": "hello", "language": "en", "translations": {"en": "hello"}},
                    "6": {"text": "", "language": "de"},
                }
            }
        )
    )
    for target in ("fr", "de"):
        (tmp_path / target).mkdir()
    (tmp_path / "fr" / "wallflower.json").write_text('{"engine": "scripted", "texts": {"guten Tag": "bonjour"}}')
    (tmp_path / "de" / "wallflower.json").write_text('{"engine": "scripted", "texts": {"hello": "hallo"}}')
    translators = {"fr": tmp_path / "fr", "de": tmp_path / "de"}
    made = Answering(EngineSettings(engine="scripted", model=str(script), translators=translators))
    made.load()
    return made


def asked(tenths: int, *targets: str) -> Asked:
    sound = np.full(16_000, tenths / 10, np.float32)
    return Asked(1, Segment(tenths, "ann", 0.0, 1.0, 0.0, sound, 1.0, translate_to=targets), (tenths,), 0.0)


def test_each_text_is_translated_into_what_is_wanted_of_it(answering: Answering):
    told = answering.answer([asked(2, "en", "fr", "de"), asked(4, "en", "fr", "de"), asked(2), asked(6, "fr")])
    assert [dict(u.translations) for u in told] == [
        {"en": "good day", "fr": "bonjour"},
        {"fr": "fr: hello", "de": "hallo"},
        {},
        {},
    ]
    assert [u.language for u in told] == ["de", "en", "de", "de"]


@pytest.mark.parametrize(
    ("translated", "scores", "told"),
    [
        ("good day", {"no_speech": 0.01, "log_prob": -0.3}, {"en": "good day"}),
        ("thanks for watching", {"no_speech": 0.9, "log_prob": -1.2}, {}),
        ("thanks for watching", {"log_prob": -1.7}, {}),
        ("go and go and go and stop", {"log_prob": -0.1, "compression": 3.1}, {}),
        ("good good good good good day", {"log_prob": -0.1}, {"en": "good day"}),
        ("...", {"log_prob": -0.1}, {}),
        ("a b c d e f g h i j k l m n o p q", {"log_prob": -0.1}, {}),
    ],
)
def test_what_the_engine_translates_is_judged_like_what_it_hears(
    tmp_path: Path, translated: str, scores: dict[str, float], told: dict[str, str]
):
    said = {"text": "guten Tag", "language": "de", "translations": {"en": translated}}
    made = scripted(tmp_path, {**said, "translation_scores": {"en": scores}})
    [utterance] = made.answer([asked(2, "en")])
    assert (utterance.text, dict(utterance.translations)) == ("guten Tag", told)
    assert dict(utterance.translation_scores) == {}


def test_of_what_is_rejected_no_translation_appears(tmp_path: Path):
    """More than anybody says in a second; its translation would be believed."""
    many = " ".join("abcdefghijklmnop")
    made = scripted(tmp_path, {"text": many, "language": "de", "translations": {"en": "good day"}})
    [utterance] = made.answer([asked(2, "en")])
    assert (utterance.text, dict(utterance.translations)) == ("", {})


def scripted(folder: Path, said: dict[str, object]) -> Answering:
    script = folder / "script.json"
    script.write_text(json.dumps({"default": said}))
    made = Answering(EngineSettings(engine="scripted", model=str(script)))
    made.load()
    return made


def test_a_translator_that_fails_costs_its_translation_alone(answering: Answering, monkeypatch: pytest.MonkeyPatch):
    def fail(*texts: object) -> list[str]:
        raise RuntimeError("out of memory")

    monkeypatch.setattr(answering._translators["fr"], "translate", fail)
    [told] = answering.answer([asked(4, "fr", "de")])
    assert (told.failure, told.text, dict(told.translations)) == (None, "hello", {"de": "hallo"})


def test_the_targets_are_known(answering: Answering):
    assert answering.targets == {"en", "fr", "de"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A converted translation model with weights of chance: it can be loaded and run, and knows nothing."""
    folder = tmp_path_factory.mktemp("opus")
    text = folder / "text.txt"
    text.write_text("\n".join(f"the {a} house is {b} and we go home" for a in "abcdefgh" for b in "ijklmnop"))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "source"), vocab_size=48, hard_vocab_limit=False, minloglevel=2
    )
    (folder / "source.model").rename(folder / "source.spm")
    (folder / "target.spm").write_bytes((folder / "source.spm").read_bytes())
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(folder / "source.spm"))
    vocabulary = [pieces.id_to_piece(n) for n in range(pieces.get_piece_size())]
    spec = TransformerSpec.from_config(num_layers=1, num_heads=2)
    random = np.random.default_rng(1)
    width = 16
    sizes = {"embeddings": (len(vocabulary), width)}
    _fill(spec, random, width, len(vocabulary), sizes)
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    spec.validate()
    spec.save(str(folder))
    return folder


def _fill(spec, random, width: int, words: int, sizes) -> None:
    def matrix(*shape: int) -> np.ndarray:
        return (random.standard_normal(shape) * 0.1).astype(np.float32)

    def norm(layer) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def linear(layer, out: int, into: int) -> None:
        layer.weight, layer.bias = matrix(out, into), np.zeros(out, np.float32)

    def attention(layer, *, own: bool) -> None:
        norm(layer.layer_norm)
        for one, out in zip(layer.linear, (3 * width, width) if own else (width, 2 * width, width), strict=True):
            linear(one, out, width)

    def feed_forward(layer) -> None:
        norm(layer.layer_norm)
        linear(layer.linear_0, 32, width)
        linear(layer.linear_1, width, 32)

    for side in (spec.encoder, spec.decoder):
        embeddings = side.embeddings[0] if isinstance(side.embeddings, list) else side.embeddings
        embeddings.weight = matrix(words, width)
        for layer in side.layer:
            attention(layer.self_attention, own=True)
            feed_forward(layer.ffn)
            if side is spec.decoder:
                attention(layer.attention, own=False)
        norm(side.layer_norm)
    linear(spec.decoder.projection, words, width)


def test_a_model_in_a_folder_is_loaded_and_asked(folder: Path):
    settings = EngineSettings(threads=1)
    one = Ctranslate2Translator("de", folder, settings)
    one.load()
    told = one.translate(["the house", "we go home and the house is a"], ["en", "en"])
    assert len(told) == 2
    assert all(isinstance(text, str) for text in told)
    one.close()


def test_folders_that_lack_something_say_what(folder: Path, tmp_path: Path):
    with pytest.raises(SpeechError, match=r"for de has no model\.bin; put a converted"):
        Ctranslate2Translator("de", tmp_path, EngineSettings()).load()
    (tmp_path / "model.bin").write_bytes(b"x" * 100)
    with pytest.raises(SpeechError, match=r"has no SentencePiece model; copy source\.spm and target\.spm"):
        Ctranslate2Translator("de", tmp_path, EngineSettings()).load()
    for name in ("source.spm", "target.spm"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(SpeechError, match=r"for de cannot be loaded \(.*\); convert or download it again"):
        Ctranslate2Translator("de", tmp_path, EngineSettings()).load()
