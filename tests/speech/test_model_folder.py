"""Missing and broken models: told before anything is loaded or fetched, in a sentence that says what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from egress.speech.contract import EngineSettings, SpeechError
from egress.speech.engines.registry import engine, engine_names
from egress.speech.supervisor import check
from tests.speech.sounds import MODEL


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL / "model", tmp_path / "model"))


def refusal(settings: EngineSettings) -> SpeechError:
    with pytest.raises(SpeechError) as caught:
        check(settings)
    return caught.value


def test_a_whole_folder_is_taken(model: Path):
    check(EngineSettings(model=str(model)))


def test_a_folder_that_is_not_there(tmp_path: Path):
    told = refusal(EngineSettings(model=str(tmp_path / "nowhere")))
    assert told.code == "model_missing"
    assert f"{tmp_path / 'nowhere'} does not exist; put a converted (CTranslate2) Whisper model there" in told.message


@pytest.mark.parametrize(
    "name", ["model.bin", "config.json", "tokenizer.json", "preprocessor_config.json", "vocabulary.json"]
)
def test_a_folder_that_lacks_a_file_names_it(model: Path, name: str):
    (model / name).unlink()
    told = refusal(EngineSettings(model=str(model)))
    assert told.code == "model_missing"
    assert f"lacks {name}; copy the whole folder" in told.message


def test_a_model_that_is_a_pointer_or_broke_off(model: Path):
    (model / "model.bin").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    told = refusal(EngineSettings(model=str(model)))
    assert told.code == "model_broken"
    assert "has only 43 bytes" in told.message


def test_a_description_that_is_damaged(model: Path):
    (model / "tokenizer.json").write_text('{"version": ')
    told = refusal(EngineSettings(model=str(model)))
    assert told.code == "model_broken"
    assert "tokenizer.json" in told.message


def test_weights_that_are_damaged_are_told_when_they_are_loaded(model: Path):
    whole = (model / "model.bin").read_bytes()
    (model / "model.bin").write_bytes(whole[: len(whole) // 2])
    broken = engine(EngineSettings(model=str(model)))
    with pytest.raises(SpeechError, match=r"cannot be loaded \(.*\); convert or download it again") as caught:
        broken.load()
    assert caught.value.code == "model_broken"


def test_a_name_is_not_fetched_unless_that_is_allowed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(
        SpeechError, match="the speech model small is not on this machine; download it before"
    ) as caught:
        engine(EngineSettings(model="small")).load()
    assert caught.value.code == "model_missing"


def test_names_that_can_be_none_are_refused():
    assert refusal(EngineSettings(model="../../etc")).code == "model_missing"
    assert "neither a folder nor a model's name" in refusal(EngineSettings(model="a b")).message


def test_an_unknown_engine_is_refused_with_the_known_ones():
    assert {"faster-whisper", "scripted"} <= set(engine_names())
    told = refusal(EngineSettings(engine="parrot"))
    assert told.message.startswith("the speech engine 'parrot' is unknown; known are faster-whisper")


def test_a_translation_folder_that_is_not_there(model: Path, tmp_path: Path):
    told = refusal(EngineSettings(model=str(model), translators={"de": tmp_path / "none"}))
    assert f"{tmp_path / 'none'} of speech.translators.de does not exist" in told.message


@pytest.mark.parametrize("name", ["threads", "workers", "window", "max_batch", "max_waiting"])
def test_figures_out_of_range_are_refused_with_the_range(name: str):
    assert f"speech.{name} is 0; allowed is" in refusal(EngineSettings(**{name: 0})).message
