"""Projects on their way through a worker: the ledger has the name, the attendant what it stands for."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from egress.call.connector import ConnectorError
from egress.protocol.commands import Attend
from egress.sealing import Keyring
from tests.workers.conftest import MakeBench, make_settings
from tests.workers.test_cli import Cli
from workers.attendants import Attendant
from workers.keyring import keyring
from workers.refused import BadMessage
from workers.sessions.rooms import Rooms

PROJECT = {"type": "janus", "url": "http://127.0.0.1:8088/janus", "apisecret": "swordfish"}
ADDRESS = {"type": "janus", "project": "main", "room": 1}


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The addresses of rooms that attendants are sent to."""
    found: list[dict[str, Any]] = []
    send = Attendant.send

    async def sent(self: Attendant, command: Any) -> None:
        if isinstance(command, Attend):
            found.append(command.job.connector)
        await send(self, command)

    monkeypatch.setattr(Attendant, "send", sent)
    return found


async def test_the_ledger_keeps_the_name_and_the_attendant_gets_what_it_stands_for(
    bench: MakeBench, jobs: list[dict[str, Any]]
) -> None:
    one = await bench(projects={"main": PROJECT})
    egress_id = one.record(connector=ADDRESS)
    await one.until_state(egress_id, "active")
    assert one.session().connector == ADDRESS
    assert jobs == [{**PROJECT, "room": 1}]
    one.send("stop_recording")
    await one.until_state(egress_id, "complete")
    told = json.dumps(one.events())
    assert "swordfish" not in told and "main" not in told


async def test_an_unknown_project_is_refused_when_the_message_comes(bench: MakeBench) -> None:
    one = await bench(projects={"main": PROJECT, "other": PROJECT})
    for message_type in ("start_recording", "call_session_started", "update_call"):
        with pytest.raises(BadMessage) as refused:
            one.send(message_type, connector={**ADDRESS, "project": "mian"}, request_id="r1")
        assert str(refused.value) == "connector.project: 'mian' is no project; known are main, other"
    answers = [e for e in one.events() if e["type"] == "egress.request_answered"]
    assert [a["error"]["message"] for a in answers] == [str(refused.value)] * 3


async def test_a_message_cannot_send_a_projects_key_to_another_server(bench: MakeBench) -> None:
    one = await bench(projects={"main": PROJECT})
    with pytest.raises(BadMessage) as refused:
        one.record(connector={**ADDRESS, "url": "http://evil.example/janus"})
    assert str(refused.value) == (
        "connector.url: may not stand beside a project: what opens 'main' is for its own server alone"
    )


async def test_a_recording_whose_project_the_next_worker_does_not_have_fails_with_the_reason(
    bench: MakeBench, jobs: list[dict[str, Any]]
) -> None:
    one = await bench(projects={"main": PROJECT}, attendants={"max": 1})
    running = one.record(call_cid="default:first", connector=ADDRESS)
    await one.until_state(running, "active")
    waiting = one.record(connector=ADDRESS)
    one.settings = make_settings(one.settings.data_dir, projects={"main2": PROJECT})
    await one.drop()
    await one.start()
    failed = await one.until_state(waiting, "failed")
    assert (failed.error_code, failed.error) == (
        "unknown_project",
        "connector.project: 'main' is no project; known are main2",
    )
    assert one.egress(running).state == "active", "who is in the room goes on"
    assert len(jobs) == 1


async def test_looks_into_rooms_go_where_the_project_is() -> None:
    rooms = Rooms({"main": {**PROJECT, "url": "http://127.0.0.1:9/janus"}})
    with pytest.raises(OSError):
        await rooms.guests(ADDRESS)
    with pytest.raises(ConnectorError) as refused:
        await rooms.guests({**ADDRESS, "project": "mian"})
    await rooms.close()
    assert (refused.value.code, str(refused.value)) == (
        "unknown_project",
        "connector.project: 'mian' is no project; known are main",
    )


def test_a_job_for_running_by_hand_has_what_the_project_stands_for(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "data")
    cli.environment["WALLFLOWER_PROJECTS"] = json.dumps({"main": PROJECT})
    cli.environment["WALLFLOWER_GUARD__ALLOW_PRIVATE"] = '["10.1.0.0/16"]'
    start = {"type": "start_recording", "call_cid": "default:a", "egress_id": "e1", "connector": ADDRESS}
    done = cli("send", "--json", json.dumps(start))
    assert done.returncode == 0, done.stderr
    job = json.loads(cli("egress", "job", "e1").stdout)
    assert job["guard"]["allow_private"] == ["10.1.0.0/16"]
    keys: Keyring = keyring(make_settings(tmp_path / "data"))
    assert keys.open(job["connector"]["sealed"]) == {**PROJECT, "room": 1}
    with sqlite3.connect(tmp_path / "data" / "ledger.sqlite") as ledger:
        (kept,) = ledger.execute("SELECT connector FROM sessions").fetchone()
    ledger.close()
    assert keys.open(kept) == ADDRESS
    del cli.environment["WALLFLOWER_PROJECTS"]
    gone = cli("egress", "job", "e1")
    assert (gone.returncode, gone.stderr) == (
        1,
        "wallflower: the session's connector.project: 'main' is no project; the worker's settings have none\n",
    )
