"""Secrets on their last mile: what a whole run leaves behind is searched for each of them."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis

from egress import job_file
from egress.protocol.job import Job
from egress.sealing import Keyring, SealError, new_key
from tests.rig.servers.redis import Redis
from tests.workers.test_cli import Cli, wait_for
from workers.attendant_environment import environment
from workers.ledger.database import Ledger
from workers.ledger.rotation import BATCH, rotate, sealed_columns
from workers.ledger.tables import Call, CallSession, Egress
from workers.settings import Settings

PIN, TOKEN = "pin-open-sesame", "token-of-the-janus"
STORE_KEY, STORE_SECRET = "AKIDSTOREKEY0001", "store-secret/with+signs="
HOOK_SECRET, TURN = "hook-signing-secret", "turn-credential"
PROJECT_SECRET = "secret-of-a-project"
SECRETS = (PIN, TOKEN, STORE_KEY, STORE_SECRET, HOOK_SECRET, TURN, PROJECT_SECRET)
KEY = new_key()


def start(egress_id: str, **fields: Any) -> dict[str, Any]:
    connector = {
        "type": "janus",
        "url": "http://127.0.0.1:8088/janus",
        "room": 1,
        "pin": PIN,
        "token": TOKEN,
        **fields,
    }
    if "project" in fields:
        del connector["url"]
    return {"type": "start_recording", "call_cid": "default:sec", "egress_id": egress_id, "connector": connector}


@pytest.fixture
def broker() -> Iterator[Redis]:
    """A Redis of its own: everything in it is of this test."""
    if not Redis.installed():
        pytest.skip("redis-server is not installed")
    with Redis() as server:
        yield server


@pytest.fixture
def cli(tmp_path: Path, broker: Redis) -> Cli:
    one = Cli(tmp_path / "data")
    store = {
        "name": "bucket",
        "storage_type": "s3",
        "bucket": "b",
        "aws_s3": {
            "s3_api_key": STORE_KEY,
            "s3_secret": STORE_SECRET,
            "s3_custom_endpoint_url": "http://127.0.0.1:9/",
        },
    }
    one.environment |= {
        "WALLFLOWER_BROKER__URL": broker.url,
        "WALLFLOWER_SECRETS__KEYS": json.dumps([KEY]),
        "WALLFLOWER_STORES": json.dumps([store]),
        "WALLFLOWER_PROJECTS": json.dumps(
            {"main": {"type": "janus", "url": "http://127.0.0.1:8088/janus", "apisecret": PROJECT_SECRET}}
        ),
        "WALLFLOWER_GUARD__ALLOW_PRIVATE": '["127.0.0.0/8"]',
        "WALLFLOWER_EVENTS__WEBHOOKS": json.dumps([{"url": "http://127.0.0.1:9/hook", "secret": HOOK_SECRET}]),
        "WALLFLOWER_ICE_SERVERS": json.dumps([{"urls": ["turn:127.0.0.1"], "username": "me", "credential": TURN}]),
        "WALLFLOWER_LOGS__FORMAT": "json",
        "AWS_SECRET_ACCESS_KEY": STORE_SECRET,
    }
    return one


@pytest.fixture
def worker(cli: Cli, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "from workers.cli import main; main()", "worker", "--log-level", "debug"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=cli.environment, cwd=tmp_path, stdout=log, stderr=log)
    yield process
    if process.poll() is None:
        # Not SIGTERM, which lets recordings go on to their end.
        process.send_signal(signal.SIGINT)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise


def state(cli: Cli, egress_id: str) -> str | None:
    ledger = Ledger(f"sqlite:///{cli.folder / 'ledger.sqlite'}", Keyring([KEY]))
    try:
        ledger.upgrade()
        found = ledger.read(lambda tx: tx.get(Egress, egress_id))
        return found.state if found is not None else None
    finally:
        ledger.close()


def holding(content: bytes) -> list[str]:
    return [secret for secret in (*SECRETS, KEY) if secret.encode() in content]


def in_files(folder: Path) -> dict[str, list[str]]:
    """Files with a secret in them."""
    found = {str(path): holding(path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    return {path: secrets for path, secrets in found.items() if secrets}


def in_queue(broker: Redis) -> list[str]:
    client = redis.Redis.from_url(broker.url)
    try:
        return holding(b"".join(client.dump(key) or b"" for key in client.scan_iter(count=1000)))
    finally:
        client.close()


def attendants(folder: Path) -> dict[int, bytes]:
    """Environments of the attendants of that worker."""
    found = {}
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if b"--socket" in command and os.fsencode(folder) in b" ".join(command):
                found[int(entry.name)] = (entry / "environ").read_bytes()
        except OSError:
            continue
    return found


def test_a_whole_run_leaves_no_secret_behind(
    cli: Cli, broker: Redis, worker: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    sent = cli("send", "--json", json.dumps(start("e1", project="main")))
    assert sent.returncode == 0, sent.stderr
    refused = cli("send", "--json", json.dumps(start("e2", room="no such room", pin=[PIN])))
    assert refused.returncode == 2 and holding(refused.stderr.encode()) == []
    wait_for(lambda: state(cli, "e1") == "active")
    running = attendants(tmp_path)
    assert running
    for content in running.values():
        assert holding(content) == []
        assert b"WALLFLOWER_LOGS__FORMAT=json" in content and b"AWS_" not in content
    assert in_queue(broker) == [], "a message that was handled leaves nothing"
    shown = cli("egress", "show", "e1", "--json")
    assert holding(shown.stdout.encode()) == []
    cli("send", "--json", json.dumps({"type": "stop_recording", "call_cid": "default:sec"}))
    wait_for(lambda: state(cli, "e1") == "complete")
    worker.terminate()
    assert worker.wait(60) == 0
    assert in_files(tmp_path) == {}, "ledger, write-ahead log, logs, events, spool, run folder"
    log = (tmp_path / "worker.log").read_text()
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{") and '"level"' in line]
    assert any(line.get("call_cid") == "default:sec" and line["logger"].startswith("workers") for line in lines)
    assert any(line.get("egress_id") == "e1" for line in lines)
    assert in_queue(broker) == []


def test_what_is_a_workers_own_is_private(cli: Cli, worker: subprocess.Popen[bytes], tmp_path: Path) -> None:
    (cli.folder / "spool").mkdir(parents=True, mode=0o755)
    wait_for(lambda: any(cli.folder.glob("run/*.sock")))

    def mode(path: Path) -> int:
        return stat.S_IMODE(path.stat().st_mode)

    assert mode(cli.folder / "run") == 0o700
    assert mode(cli.folder / "spool") == 0o700
    assert {mode(path) for path in cli.folder.glob("run/*.log")} == {0o600}
    assert mode(cli.folder / "ledger.sqlite") == 0o600


def test_an_egress_as_a_sealed_job_for_running_by_hand(
    cli: Cli, worker: subprocess.Popen[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cli("send", "--json", json.dumps(start("e1"))).returncode == 0
    wait_for(lambda: state(cli, "e1") is not None)
    done = cli("egress", "job", "e1", "--out", str(tmp_path / "job.json"))
    assert done.returncode == 0, done.stderr
    printed = cli("egress", "job", "e1")
    assert holding(printed.stdout.encode()) == holding((tmp_path / "job.json").read_bytes()) == []
    assert stat.S_IMODE((tmp_path / "job.json").stat().st_mode) == 0o600
    monkeypatch.setenv("WALLFLOWER_SECRETS__KEYS", json.dumps([KEY]))
    job = job_file.read(tmp_path / "job.json")
    assert isinstance(job, Job)
    assert job.connector["pin"] == PIN and job.egresses[0].egress_id == "e1"
    credential = job.ice.servers[0].credential
    assert credential is not None and credential.get_secret_value() == TURN
    missing = cli("egress", "job", "nobody")
    assert (missing.returncode, missing.stderr) == (3, "wallflower: there is no egress 'nobody'\n")


def test_an_attendant_inherits_what_it_needs_alone() -> None:
    ours = {
        "PATH": "/bin",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": "/here",
        "XDG_CACHE_HOME": "/cache",
        "https_proxy": "http://proxy",
        "WALLFLOWER_DATA_DIR": "/data",
        "WALLFLOWER_SECRETS__KEYS": KEY,
        "WALLFLOWER_LEDGER__URL": "postgresql://me:hush@db/ledger",
        "AWS_SECRET_ACCESS_KEY": STORE_SECRET,
        "DATABASE_PASSWORD": "hush",
    }
    kept = environment(Settings(), ours)
    dropped = set(ours) - set(kept)
    assert dropped == {
        "WALLFLOWER_SECRETS__KEYS",
        "WALLFLOWER_LEDGER__URL",
        "AWS_SECRET_ACCESS_KEY",
        "DATABASE_PASSWORD",
    }
    assert kept["WALLFLOWER_LOGS__FORMAT"] == "text"


def test_a_new_key_is_put_in_front_and_the_old_one_is_not_needed_any_more(ledger_url: str) -> None:
    old, new = new_key(), new_key()
    first = Ledger(ledger_url, Keyring([old]))
    first.upgrade()
    now = datetime.now(UTC)

    def fill(tx: Any) -> None:
        for number in range(BATCH + 50):
            tx.add(Call(cid=f"default:{number:04}", events=0, connector={"pin": PIN}, created_at=now))
        tx.add(Call(cid="default:none", events=0, created_at=now))
        tx.flush()
        tx.add(CallSession(id="s1", call_cid="default:0000", connector={"pin": PIN}, created_at=now))
        tx.flush()
        fixed = {"call_cid": "default:0000", "kind": "k", "recording_type": "r", "state": "active", "desired": "run"}
        tx.add(
            Egress(id="e1", session_id="s1", spec={"a": 1}, storage="local", created_at=now, updated_at=now, **fixed)
        )

    first.write(fill)
    first.close()
    keys = Keyring([new, old])
    both = Ledger(ledger_url, keys)
    done = rotate(both, keys)
    assert (done.seen, done.changed) == (BATCH + 52, BATCH + 52)
    again = rotate(both, keys)
    assert (again.seen, again.changed) == (BATCH + 52, 0)
    both.close()
    alone = Ledger(ledger_url, Keyring([new]))
    with alone.reading() as tx:
        assert tx.get_one(CallSession, "s1").connector == {"pin": PIN}
        assert tx.get_one(Egress, "e1").spec == {"a": 1}
        assert tx.get_one(Call, "default:0249").connector == {"pin": PIN}
    alone.close()


def test_a_value_that_no_key_opens_stops_a_rotation_with_its_place(ledger: Ledger) -> None:
    now = datetime.now(UTC)
    ledger.write(lambda tx: tx.add(Call(cid="default:x", events=0, connector={"pin": PIN}, created_at=now)))
    with pytest.raises(SealError, match=r"calls\.connector of default:x: something sealed cannot be opened"):
        rotate(ledger, Keyring([new_key()]))


def test_every_column_that_is_sealed_has_one_key_to_find_it_by() -> None:
    names = {f"{column.table.name}.{column.name}" for column in sealed_columns()}
    assert {"calls.connector", "sessions.connector", "egresses.spec"} <= names
    assert all(len(column.table.primary_key.columns) == 1 for column in sealed_columns())
