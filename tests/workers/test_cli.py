"""The command line, as people and programs run it: in processes of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from egress.sealing import new_key
from workers.events.models import EVENTS
from workers.messages import MESSAGES

ROOT = Path(__file__).parents[2]
FAKE = json.dumps([sys.executable, "-m", "tests.workers.fake_attendant", "records"])
START = {
    "type": "start_recording",
    "call_cid": "default:cli",
    "egress_id": "e1",
    "connector": {"type": "janus", "url": "http://127.0.0.1:8088/janus", "room": 1, "pin": "sesame"},
}


class Cli:
    """Runs commands on one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("WALLFLOWER_")},
            "WALLFLOWER_DATA_DIR": str(folder),
            "WALLFLOWER_ATTENDANTS__COMMAND": FAKE,
            "WALLFLOWER_SPOOL__RESERVE_HOURS": "0.01",
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "error::ResourceWarning",
            "COLUMNS": "200",
        }

    def __call__(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from workers.cli import main; main()", *arguments]
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.folder.parent,
            input=text,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def background(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", "from workers.cli import main; main()", *arguments]
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path / "data")


@pytest.fixture
def worker(cli: Cli) -> Iterator[subprocess.Popen[str]]:
    process = cli.background("worker")
    yield process
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


def wait_for(condition: Callable[[], bool], timeout: float = 30.0) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def test_a_recording_from_the_command_line(cli: Cli, worker: subprocess.Popen[str], tmp_path: Path) -> None:
    file = tmp_path / "start.json"
    file.write_text(json.dumps(START))
    sent = cli("send", str(file))
    assert sent.returncode == 0, sent.stderr
    assert json.loads(sent.stdout)["egress_ids"] == ["e1"]
    wait_for(lambda: cli.json("egress", "show", "e1")["state"] == "active")
    wait_for(lambda: cli.json("egress", "show", "e1")["recorded"] >= 1.0)
    assert [e["egress_id"] for e in cli.json("egress", "list", "--live")] == ["e1"]

    stopped = cli("egress", "stop", "e1")
    assert (stopped.returncode, stopped.stdout) == (0, "e1 is being stopped\n")
    wait_for(lambda: cli.json("egress", "show", "e1")["state"] == "complete")
    shown = cli("egress", "show", "e1")
    assert "complete" in shown.stdout and "file:///" in shown.stdout
    wait_for(lambda: cli.json("egress", "show", "e1")["manifest"]["state"] == "delivered")
    found = cli.json("egress", "show", "e1")
    assert found["manifest"]["key"] == found["files"][0]["key"].removesuffix(".mp4") + ".manifest.json"
    assert [one["participants"][0]["user_id"] for one in found["reception"]["attendants"]] == ["anna[1]"]
    (row,) = [line.split() for line in cli("egress", "show", "e1").stdout.splitlines() if "anna[1]" in line]
    assert row == ["anna[1]", "video", "vp8", "1000", "0", "3", "0", "paused", "by", "the", "SFU", "once,", "0.5", "s"]
    assert "sesame" not in shown.stdout
    assert cli.json("egress", "list", "--live") == []
    assert "e1" in cli("egress", "list").stdout

    lines = [json.loads(line) for line in cli("events", "--json").stdout.splitlines()]
    assert [line["position"] for line in lines] == [1, 2, 3]
    worker.terminate()
    out, log = worker.communicate(timeout=60)
    assert worker.returncode == 0
    told = [{**line["event"], "event_id": line["id"]} for line in lines]
    assert [json.loads(line) for line in out.splitlines()] == told
    assert out == (cli.folder / "events.jsonl").read_text()
    assert "sesame" not in log and "Traceback" not in log
    # There is no Janus at that address, which whoever looks for guests there may say.
    assert [line for line in log.splitlines() if "WARNING" in line and "workers.sessions" not in line] == []


def test_a_worker_told_to_end_finishes_what_it_records(cli: Cli, worker: subprocess.Popen[str]) -> None:
    cli("send", "--json", json.dumps(START))
    wait_for(lambda: cli.json("egress", "show", "e1")["state"] == "active")
    time.sleep(1)
    worker.send_signal(signal.SIGINT)
    worker.communicate(timeout=60)
    assert worker.returncode == 0
    found = cli.json("egress", "show", "e1")
    assert found["state"] == "complete"
    assert [f["state"] for f in found["files"]] == ["delivered"]


def test_a_worker_killed_leaves_its_recording_running_for_the_next_one(cli: Cli) -> None:
    first = cli.background("worker")
    cli("send", "--json", json.dumps(START))
    wait_for(lambda: cli.json("egress", "show", "e1")["recorded"] >= 1.0)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    second = cli.background("worker")
    try:
        cli("egress", "stop", "e1")
        wait_for(lambda: cli.json("egress", "show", "e1")["state"] == "complete")
        found = cli.json("egress", "show", "e1")
        assert found["restarts"] == 0
        assert [(f["part"], f["salvaged"]) for f in found["files"]] == [(1, False)]
    finally:
        second.terminate()
        second.communicate(timeout=60)
    assert second.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["send", "--json", "{}"],
            2,
            "wallflower: type: is missing; known are start_recording, stop_recording, ",
        ),
        (["send", "--json", "nonsense"], 2, "wallflower: the message is not JSON"),
        (["send", "/nowhere.json"], 2, "wallflower: /nowhere.json cannot be read: No such file or directory\n"),
        (["send"], 2, "wallflower: give the message as a file"),
        (
            ["send", "--json", json.dumps({**START, "recording": {"quality": "8k"}})],
            2,
            "wallflower: recording.quality: '8k' is not allowed; allowed are audio-only, 360p",
        ),
        (
            ["send", "--json", '{"type": "dance"}'],
            2,
            "wallflower: 'dance' is no message type; known are start_recording",
        ),
        (["send", "--json", '{"type": "stop_recording", "call_cid": "a:b"}'], 3, "wallflower: recording not running\n"),
        (
            ["send", "--wait", "--json", '{"type": "stop_recording", "call_cid": "a:b"}'],
            1,
            "wallflower: recording not running\n",
        ),
        (["call", "show", "a:b"], 3, "wallflower: nothing is known of a call 'a:b'\n"),
        (["call", "show", "-"], 3, "wallflower: nothing is known of a call '-'\n"),
        (["schema", "message", "dance"], 3, "wallflower: there is no message 'dance'; known are start_recording"),
        (["schema", "dances"], 2, "wallflower: 'dances' has no schemas; known are message, event, settings, layout\n"),
        (["egress", "show", "nobody"], 3, "wallflower: there is no egress 'nobody'\n"),
        (["egress", "stop", "nobody"], 3, "wallflower: there is no egress 'nobody'\n"),
        (["worker", "--log-level", "loud"], 2, "log level 'loud' is unknown"),
        (["dance"], 2, "No such command 'dance'"),
        (["egress", "list", "--limit", "0"], 2, "--limit"),
    ],
)
def test_errors_are_one_sentence_and_an_exit_code(cli: Cli, arguments: list[str], code: int, said: str) -> None:
    done = cli(*arguments)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_an_answer_is_waited_for_and_printed(cli: Cli) -> None:
    started = cli("send", "--wait", "--json", json.dumps({**START, "request_id": "mine"}))
    assert started.returncode == 0, started.stderr
    answer = json.loads(started.stdout)
    assert (answer["type"], answer["request_id"], answer["ok"]) == ("egress.request_answered", "mine", True)
    assert answer["egress_ids"] == ["e1"]
    second = cli("send", "--wait", "--json", json.dumps({**START, "egress_id": "e2"}))
    assert second.returncode == 1
    answer = json.loads(second.stdout)
    assert (answer["error"]["code"], answer["error"]["name"], answer["egress_id"]) == (409, "Conflict", "e1")
    assert answer["request_id"]
    assert second.stderr == f"wallflower: {answer['error']['message']}\n"


def test_an_answer_comes_by_way_of_a_queue_and_a_worker(cli: Cli, redis_url: str) -> None:
    cli.environment["WALLFLOWER_BROKER__URL"] = redis_url
    cli.environment["WALLFLOWER_BROKER__QUEUE"] = f"cli{os.getpid()}"
    update = {"type": "update_call", "call_cid": "default:cli", "settings": {"recording": {"mode": "disabled"}}}
    late = cli("send", "--wait", "--timeout", "0.5", "--json", json.dumps(update))
    assert late.returncode == 4
    assert late.stderr == "wallflower: no answer within 0.5 s; the message stays on the queue\n"
    process = cli.background("worker")
    try:
        refused = cli("send", "--wait", "--timeout", "40", "--json", json.dumps(START))
        assert refused.returncode == 1, refused.stderr
        assert json.loads(refused.stdout)["error"]["code"] == 403
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_queue_never_holds_the_secrets_of_a_room_in_clear_text(cli: Cli, redis_url: str) -> None:
    queue = f"sealed{os.getpid()}"
    cli.environment["WALLFLOWER_BROKER__URL"] = redis_url
    cli.environment["WALLFLOWER_BROKER__QUEUE"] = queue
    cli.environment["WALLFLOWER_SECRETS__KEYS"] = json.dumps([new_key()])
    assert cli("send", "--json", json.dumps(START)).returncode == 0
    with redis.Redis.from_url(redis_url) as client:
        (message,) = client.hvals(f"dramatiq:{queue}.msgs")
    assert b"sesame" not in message and b'"sealed"' in message
    process = cli.background("worker")
    try:
        wait_for(lambda: [e["egress_id"] for e in cli.json("egress", "list")] == ["e1"])
    finally:
        process.send_signal(signal.SIGINT)  # what it records is stopped, not waited for
        _, log = process.communicate(timeout=60)
    assert "sesame" not in log


def test_calls_are_shown_with_what_runs_and_their_sessions(cli: Cli) -> None:
    session = {
        "type": "call_session_started",
        "call_cid": "default:cli",
        "session_id": "s1",
        "connector": START["connector"],
        "settings": {"limits": {"max_duration_seconds": 90}},
    }
    assert cli("send", "--json", json.dumps(session)).returncode == 0
    assert cli("send", "--json", json.dumps(START)).returncode == 0
    assert cli.json("call", "show", "default:cli") == {
        "broadcasting": False,
        "composite_recording": {"status": "pending"},
        "rtmps": [],
    }
    shown = cli("call", "show", "default:cli").stdout
    assert "composite recording: pending" in shown and "egress e1: pending" in shown
    assert "session s1: 0 participants" in shown and "sesame" not in shown
    (listed,) = cli.json("call", "list")
    assert (listed["call_cid"], listed["egresses"], listed["sessions"]) == ("default:cli", 1, 1)
    assert "default:cli" in cli("call", "list").stdout
    settings = json.loads(cli("call", "settings", "default:cli").stdout)
    assert settings["limits"]["max_duration_seconds"] == 90
    assert settings["recording"]["mode"] == "available"


def test_schemas_are_printed_for_programs(cli: Cli) -> None:
    everything = json.loads(cli("schema").stdout)
    assert {kind: set(found) for kind, found in everything.items()} == {
        "message": set(MESSAGES),
        "event": set(EVENTS),
        "settings": {"worker", "call"},
        "layout": {"grid", "spotlight", "single-participant"},
    }
    start = json.loads(cli("schema", "message", "start_recording").stdout)
    assert start["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert start["required"] == ["call_cid"] and start["additionalProperties"] is False
    assert start["$defs"]["Quality"]["enum"][0] == "audio-only"


def test_bad_settings_are_bad_input(cli: Cli) -> None:
    cli.environment["WALLFLOWER_RECORDING__CRF"] = "many"
    done = cli("egress", "list")
    assert done.returncode == 2
    assert done.stderr.startswith("wallflower: settings: recording.crf: ")


def test_a_broker_or_ledger_out_of_reach_has_its_own_code(cli: Cli) -> None:
    cli.environment["WALLFLOWER_BROKER__URL"] = "redis://me:secret@127.0.0.1:1/0"
    done = cli("send", "--json", json.dumps(START))
    assert done.returncode == 4
    assert done.stderr.startswith("wallflower: the broker is out of reach") and "secret" not in done.stderr
    del cli.environment["WALLFLOWER_BROKER__URL"]
    cli.environment["WALLFLOWER_LEDGER__URL"] = f"sqlite:///{cli.folder.parent}"
    assert cli("egress", "list").returncode == 4


def test_the_doctor_names_what_is_broken(cli: Cli) -> None:
    cli.environment["WALLFLOWER_ATTENDANTS__COMMAND"] = '["no-such-program"]'
    done = cli("doctor", "--json")
    assert done.returncode == 1
    said = json.loads(done.stdout)
    checks = {check["check"]: check for check in said["checks"]}
    assert said["ok"] is False
    assert checks["attendants"] == {
        "check": "attendants",
        "ok": False,
        "text": "attendants.command names no-such-program, which cannot be run",
    }
    for name in ("python", "codecs", "settings", "ledger", "spool", "store local", "broker"):
        assert checks[name]["ok"] is True, checks[name]


def test_help_names_the_exit_codes(cli: Cli) -> None:
    done = cli("--help")
    assert done.returncode == 0
    assert "3 not found" in " ".join(done.stdout.split())
