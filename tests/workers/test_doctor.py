"""The doctor on settings that name real servers, and on what is wrong with them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from egress.sealing import Keyring, new_key
from tests.rig import livekit
from tests.rig.livekit import LivekitServer
from tests.rig.required import unless
from tests.rig.servers.server import free_port
from tests.workers.conftest import make_settings
from workers.cli import doctor_site
from workers.cli.doctor import Broken, Finding, Lacking, _look
from workers.ledger import clock
from workers.ledger.database import HEAD, Ledger
from workers.ledger.tables import Call, CallSession
from workers.settings import Settings


def findings(settings: Settings) -> dict[str, Finding]:
    return {name: _look(name, check) for name, check in doctor_site.checks(settings)}


def test_everything_that_settings_name_is_looked_at(tmp_path: Path, postgresql: str, redis_url: str) -> None:
    key = new_key()
    settings = make_settings(
        tmp_path / "data",
        ledger={"url": postgresql},
        broker={"url": redis_url},
        secrets={"keys": [key]},
        guard={"allow_private": ["127.0.0.0/8"]},
        events={"webhooks": [{"url": "http://me:hushhush@127.0.0.1:9/hook", "secret": "s", "name": "mine"}]},
    )
    found = findings(settings)
    assert list(found) == [
        "ledger",
        "clock",
        "keys",
        "broker",
        "spool",
        "store local",
        "hook mine",
        "cores",
        "attendants",
        "ice",
    ]
    assert found["ledger"].ok and found["ledger"].text.endswith("is empty; the next worker sets it up")
    ledger = Ledger(postgresql, Keyring([key]))
    ledger.upgrade()
    ledger.close()
    found = findings(settings)
    assert found["ledger"].text.endswith(f"at {HEAD}") and "***" in found["ledger"].text
    assert found["clock"].ok and found["clock"].text.endswith("s from the database's")
    assert found["keys"] == Finding("keys", True, "1 in secrets.keys; the first one seals")
    assert found["broker"].ok and found["spool"].ok and found["store local"].ok
    assert found["hook mine"].ok is None and "http" in found["hook mine"].text
    assert all("hushhush" not in one.text for one in found.values())


def test_a_project_whose_server_is_away_is_told(tmp_path: Path) -> None:
    key = {"api_key": "APIkey", "api_secret": "hushhush"}
    settings = make_settings(
        tmp_path / "data",
        projects={
            "away": {"type": "livekit", "url": f"ws://127.0.0.1:{free_port()}", **key},
            "old": {"type": "janus", "url": "http://127.0.0.1:8088/janus", "apisecret": "hushhush"},
        },
    )
    found = findings(settings)
    assert found["project away"] == Finding("project away", False, "LiveKit does not answer (ConnectError)")
    assert found["project old"].ok is True
    assert "a server of the connector janus" in found["project old"].text


@unless(livekit.why_not())
def test_projects_are_tried_on_their_server(tmp_path: Path) -> None:
    async def look() -> dict[str, Finding]:
        async with LivekitServer() as server:
            good = {"type": "livekit", "url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
            projects = {"good": good, "bad": {**good, "api_secret": "hushhush of at least thirty-two characters"}}
            settings = make_settings(tmp_path / "data", projects=projects)
            return await asyncio.to_thread(findings, settings)

    found = asyncio.run(look())
    assert found["project good"].ok and found["project good"].text.endswith("answers, and takes its API key")
    assert found["project bad"] == Finding(
        "project bad", False, "the API secret, or what signed the token, is not that of the API key"
    )


def test_what_is_away_or_refused_is_told_without_passwords(tmp_path: Path) -> None:
    settings = make_settings(
        tmp_path / "data",
        ledger={"url": f"postgresql://me:hushhush@127.0.0.1:{free_port()}/none"},
        broker={"url": f"redis://me:hushhush@127.0.0.1:{free_port()}/0"},
        secrets={"keys": [new_key()]},
        events={"webhooks": [{"url": "https://me:hushhush@127.0.0.1/hook", "secret": "s"}]},
        agent={"cpus": 1000.0},
    )
    found = findings(settings)
    for name in ("ledger", "clock", "keys", "broker", "hook 1"):
        assert found[name].ok is False, found[name]
        assert "hushhush" not in found[name].text
    assert found["cores"].ok is None and "1000 cores may be taken" in found["cores"].text


def test_keys_that_do_not_open_the_ledger_are_found(tmp_path: Path, ledger: Ledger, ledger_url: str) -> None:
    now = datetime.now(UTC)
    with ledger.writing() as tx:
        tx.add(Call(cid="a:b", events=0, created_at=now))
        tx.flush()
        tx.add(CallSession(id="s1", call_cid="a:b", connector={"type": "janus"}, created_at=now))
    settings = make_settings(tmp_path / "data", ledger={"url": ledger_url}, secrets={"keys": [new_key()]})
    found = findings(settings)["keys"]
    assert found.ok is False and "its key is not here" in found.text


def test_a_key_file_and_a_spool_that_others_can_read_are_found(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "data")
    assert findings(settings)["keys"].ok
    (tmp_path / "data" / "secret.key").chmod(0o644)
    settings.spools.chmod(0o755)
    found = findings(settings)
    assert found["keys"].ok is False and "can be read by others" in found["keys"].text
    assert found["spool"].ok is None and "chmod 700" in found["spool"].text


def test_a_clock_that_is_wrong_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda tx: datetime.now(UTC) - timedelta(seconds=90))
    found = findings(make_settings(tmp_path / "data"))["clock"]
    assert found.ok is None and "90 s apart" in found.text


def test_the_command_tells_all_of_it_as_json(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from workers.cli import main; main()", "doctor", "--json"]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(root), "WALLFLOWER_DATA_DIR": str(tmp_path / "data")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    told = json.loads(done.stdout)
    assert {"ledger", "clock", "keys", "store local", "cores"} <= {one["check"] for one in told["checks"]}
    assert done.returncode == (0 if told["ok"] else 1)


def test_a_look_tells_good_bad_and_lacking() -> None:
    def bad(error: Exception) -> str:
        raise error

    assert _look("a", lambda: "fine").ok is True
    assert _look("a", lambda: bad(Broken("no"))).ok is False
    assert _look("a", lambda: bad(Lacking("hm"))).ok is None
    assert _look("a", lambda: bad(RuntimeError())) == Finding("a", False, "RuntimeError")
