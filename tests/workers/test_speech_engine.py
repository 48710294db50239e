"""The speech engine of a worker: what is wrong with a model is told in a sentence, at the start or in events."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from egress.speech.engine_settings import from_json, to_json
from tests.workers.conftest import CONNECTOR, MakeBench, make_settings, until
from tests.workers.test_doctor import findings
from workers.demo import MODEL
from workers.settings import Settings, SettingsError, load
from workers.speech_engine import SpeechEngine, engine_settings
from workers.worker import Worker

MODEL_SIZE = 2_000_000


def settings_with(tmp_path: Path, model: Path, **speech: Any) -> Settings:
    return make_settings(tmp_path / "data", speech={"model": str(model), "threads": 1, **speech})


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A model folder that has every file, but one of them holds nothing but zeros."""
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    (folder / "model.bin").chmod(0o644)
    (folder / "model.bin").write_bytes(bytes(MODEL_SIZE))
    return folder


def test_a_worker_does_not_start_with_a_model_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="nowhere") as caught:
        Worker(settings_with(tmp_path, tmp_path / "nowhere"))

    assert str(caught.value).startswith("settings: speech: ")


def test_a_worker_does_not_start_with_a_model_folder_that_lacks_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    folder.chmod(0o755)
    (folder / "tokenizer.json").unlink()

    with pytest.raises(SettingsError, match=r"tokenizer\.json"):
        Worker(settings_with(tmp_path, folder))


def test_a_language_that_nobody_speaks_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'xx'"):
        load(data_dir=tmp_path, speech={"languages": ["en", "xx"]})


def test_the_window_of_the_settings_is_the_engines(tmp_path: Path) -> None:
    given = engine_settings(settings_with(tmp_path, MODEL, window=12))
    usual = engine_settings(settings_with(tmp_path, MODEL))

    assert given is not None and usual is not None
    assert from_json(to_json(given)).window == 12
    assert from_json(to_json(usual)).window is None
    with pytest.raises(SettingsError, match="window"):
        load(data_dir=tmp_path, speech={"window": 5})


def test_without_a_model_nothing_is_started(tmp_path: Path) -> None:
    engine = SpeechEngine(make_settings(tmp_path / "data"))

    assert engine.service is None
    assert engine.failure is not None and engine.failure[0] == "no_speech_model"


def test_where_text_comes_from_outside_no_engine_is_started_and_no_model_named(tmp_path: Path) -> None:
    engine = SpeechEngine(make_settings(tmp_path / "data", speech={"external": True}))

    assert engine.service is not None and engine.service.socket is None
    assert engine.failure is None
    with pytest.raises(SettingsError, match="each sentence would be told twice"):
        load(data_dir=tmp_path, speech={"model": str(MODEL), "external": True})


async def test_a_broken_model_fails_what_needs_it_with_what_is_wrong(bench: MakeBench, broken: Path) -> None:
    one = await bench(speech={"model": str(broken), "threads": 1})
    assert one.worker is not None
    speech = one.worker._speech
    await until(lambda: speech.failure is not None, 30.0)
    one.send("start_transcription", egress_id="t1", connector=CONNECTOR, enable_closed_captions=True)
    await until(lambda: len(one.events()) == 2)
    failed = {event["type"]: event["error"] for event in one.events()}

    assert set(failed) == {"call.transcription_failed", "call.closed_captions_failed"}
    assert all(str(broken) in error for error in failed.values())


async def test_an_english_model_fails_what_is_to_be_heard_in_another_language(bench: MakeBench) -> None:
    one = await bench(speech={"model": str(MODEL), "threads": 1})
    assert one.worker is not None
    speech = one.worker._speech
    await until(lambda: speech.languages == {"en"}, 30.0)
    one.send("start_transcription", egress_id="t1", connector=CONNECTOR, language="de")
    await until(lambda: len(one.events()) == 1)
    (failed,) = one.events()

    assert (failed["type"], failed["error_code"]) == ("call.transcription_failed", "language_not_understood")
    assert "does not understand 'de', only en" in failed["error"]


def test_the_doctor_loads_the_model(tmp_path: Path, broken: Path) -> None:
    well = findings(settings_with(tmp_path, MODEL))["speech"]
    ill = findings(settings_with(tmp_path, broken))["speech"]

    assert well.ok and str(MODEL) in well.text
    assert ill.ok is False and str(broken) in ill.text
