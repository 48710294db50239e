"""Job files: what is sealed in them opens with the worker's keys, and nothing of them is told in errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from egress import job_file
from egress.protocol.job import Job
from egress.sealing import Keyring, new_key

CONNECTOR = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1, "pin": "open sesame"}
ICE = {"servers": [{"urls": ["turn:127.0.0.1"], "username": "me", "credential": "hushhush"}]}


def job(**fields: Any) -> Job:
    return Job.model_validate(
        {"call_cid": "default:abc", "session_id": "s1", "connector": CONNECTOR, "spool": "/spool", **fields}
    )


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value))
    return path


def test_a_sealed_job_says_nothing_and_opens_with_its_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, older = new_key(), new_key()
    whole = job(ice=ICE)
    file = written(tmp_path / "job.json", job_file.sealed(whole, Keyring([older])))
    for secret in ("sesame", "hushhush", "8088"):
        assert secret not in file.read_text()
    assert json.loads(file.read_text())["connector"]["type"] == "janus"
    monkeypatch.setenv("WALLFLOWER_SECRETS__KEYS", json.dumps([key, older]))
    assert job_file.read(file) == whole


def test_a_job_in_the_clear_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WALLFLOWER_SECRETS__KEYS", raising=False)
    file = written(tmp_path / "job.json", job().model_dump(mode="json"))
    assert job_file.read(file) == job()


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (None, "something in it is sealed; WALLFLOWER_SECRETS__KEYS must hold the worker's keys"),
        ("no json", "WALLFLOWER_SECRETS__KEYS must be a JSON list of keys"),
        ('["short"]', "a key is no Fernet key"),
        (json.dumps([new_key()]), "its key is not here, or it is damaged"),
    ],
    ids=["no keys", "no list", "a short key", "another key"],
)
def test_a_key_that_does_not_fit_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: str | None, said: str
) -> None:
    if keys is not None:
        monkeypatch.setenv("WALLFLOWER_SECRETS__KEYS", keys)
    else:
        monkeypatch.delenv("WALLFLOWER_SECRETS__KEYS", raising=False)
    file = written(tmp_path / "job.json", job_file.sealed(job(), Keyring([new_key()])))
    with pytest.raises(job_file.JobFileError, match=said):
        job_file.read(file)


def test_what_is_wrong_with_a_job_is_told_without_what_is_in_it(tmp_path: Path) -> None:
    for value, said in (
        ({**job().model_dump(mode="json"), "call_cid": "open sesame"}, "is not valid: call_cid"),
        ([1, 2], "is not valid: job"),
    ):
        with pytest.raises(job_file.JobFileError, match=said) as caught:
            job_file.read(written(tmp_path / "job.json", value))
        assert "sesame" not in str(caught.value)
    with pytest.raises(job_file.JobFileError, match="cannot be read"):
        job_file.read(tmp_path / "nowhere.json")


def test_an_attendant_is_told_what_opens_its_relay() -> None:
    assert json.loads(job(ice=ICE).model_dump_json())["ice"]["servers"][0]["credential"] == "hushhush"
    assert "hushhush" not in repr(job(ice=ICE))
