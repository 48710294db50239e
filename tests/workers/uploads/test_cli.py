"""``wallflower storage`` and ``wallflower uploads``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.rig.servers.s3 import VersityGateway
from tests.workers.uploads.conftest import PART, Host
from workers.cli.app import app
from workers.ledger import uploads

SECRET = "tests-secret-key"


def wallflower(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, list(arguments))
    error = done.exception
    said = done.output + (str(error) if error is not None and not isinstance(error, SystemExit) else "")
    assert SECRET not in said
    return getattr(error, "code", done.exit_code), said


@pytest.fixture
def configured(tmp_path: Path, gateway: VersityGateway, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    store = gateway.store(path=tmp_path.name)
    monkeypatch.setenv("WALLFLOWER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WALLFLOWER_STORES", json.dumps([store]))
    monkeypatch.setenv("WALLFLOWER_GUARD__ALLOW_PRIVATE", '["127.0.0.0/8"]')
    return store


def test_the_check_writes_a_file_and_says_where(
    configured: dict[str, Any], gateway: VersityGateway, tmp_path: Path
) -> None:
    code, said = wallflower("storage", "check", "s3")
    (key,) = [key for key in gateway.keys() if key.startswith(tmp_path.name)]  # noqa: SIM118
    assert code == 0
    assert said.strip() == f"store s3: files can be written; {gateway.url}/recordings/{key} was"
    assert wallflower("storage", "check")[1].startswith("store local: files can be written to")


def test_a_check_that_fails_says_why(
    configured: dict[str, Any], gateway: VersityGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WALLFLOWER_STORES", json.dumps([{**configured, "bucket": "nowhere"}]))
    code, said = wallflower("storage", "check", "s3")
    assert code == 1 and "the bucket does not exist" in said
    code, said = wallflower("storage", "check", "s3", "--json")
    assert code == 1 and json.loads(said)["ok"] is False
    code, said = wallflower("storage", "check", "s4")
    assert code == 3 and "there is no store 's4'; known are local, s3" in said


def test_stores_are_listed_without_their_keys(configured: dict[str, Any], tmp_path: Path) -> None:
    code, said = wallflower("storage", "list", "--json")
    local, s3 = json.loads(said)
    assert code == 0 and local["default"] and local["name"] == "local"
    assert s3["where"].startswith(f"recordings/{tmp_path.name} at http://127.0.0.1:")
    assert s3["credentials"] == "keys"
    assert "s3" in wallflower("storage", "list")[1]


def test_the_backlog_is_listed(configured: dict[str, Any], host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WALLFLOWER_LEDGER__URL", host.settings.ledger_url)
    monkeypatch.setenv("WALLFLOWER_SECRETS__KEYS", json.dumps([host.settings.secrets.keys[0].get_secret_value()]))
    assert wallflower("uploads") == (0, "Everything is delivered.\n")
    growing, closed = host.recording("e1"), host.recording("e2")
    growing.grow(100)
    closed.grow(PART + 100)
    closed.tell_closed()
    with host.ledger.writing() as tx:
        sent = {"token": "t", "part_size": PART, "parts": [{"number": 1, "size": PART}]}
        assert uploads.record(tx, closed.id, "one", sent)
        uploads.failing(tx, closed.id, "store s3: the endpoint is out of reach")
    code, said = wallflower("uploads", "--json")
    first, second = json.loads(said)
    assert code == 0 and (first["state"], first["parts"], first["size"]) == ("open", 0, None)
    assert (second["sent"], second["size"], second["host"], second["store"]) == (PART, PART + 100, "one", "s3")
    assert "out of reach" in wallflower("uploads")[1]
    with host.ledger.reading() as tx:
        (backlog,) = uploads.backlog(tx)
    assert (backlog.store, backlog.files, backlog.bytes, backlog.growing) == ("s3", 1, 100, 1)
    assert backlog.oldest == host.file(closed.id).end_time
