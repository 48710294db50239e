"""An attendant's process: by hand with job files, by command with epochs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from egress import attend, process
from egress.process import Process
from egress.protocol.commands import Attend, Leave, Start, Stop
from egress.protocol.job import Job
from egress.protocol.recordings import CompositeRecording
from egress.protocol.reports import Refused, Report


def job(tmp_path: Path, **changed: Any) -> dict[str, Any]:
    return {
        "call_cid": "default:demo",
        "session_id": "s1",
        "connector": {"type": "loopback"},
        "spool": str(tmp_path / "spool"),
        "egresses": [{"egress_id": "e1"}],
        **changed,
    }


BAD = {
    "nothing": b"",
    "no json": b"{",
    "no object": b"[1]",
    "no text": b"\xff\xfe\x00\x80",
    "no fields": b"{}",
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_file_that_is_no_job_is_exit_code_2_and_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes
):
    path = tmp_path / "job.json"
    path.write_bytes(content)
    assert attend.main([str(path)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1
    assert str(path) in said.err


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"call_cid": "demo"}, "call_cid"),
        ({"connector": {}}, "connector.type"),
        ({"delay": -1}, "delay"),
        ({"epoch": 0}, "epoch"),
        ({"duration": 0}, "duration"),
        ({"egresses": [{"egress_id": "e1", "quality": "8k"}]}, "egresses.0.quality"),
        ({"egresses": [{"egress_id": "../e1"}]}, "egresses.0.egress_id"),
        ({"egresses": [{"egress_id": "e1", "roll_over": 0}]}, "egresses.0.roll_over"),
        ({"surprise": 1}, "surprise"),
        ({"ice": {"networks": ["300.0.0.0/8"]}}, "ice.networks"),
    ],
)
def test_a_bad_field_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str], changed: dict[str, Any], named: str):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job(tmp_path, **changed)))
    assert attend.main([str(path)]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert len(said.strip().splitlines()) == 1


def test_a_missing_file_is_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert attend.main([str(tmp_path / "none.json")]) == 2
    assert "none.json" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["job.json", "--socket", "s"], ["job.json", "--log-level", "LOUD"]])
def test_arguments_that_make_no_sense_are_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        attend.main(arguments)
    assert raised.value.code == 2
    assert "error:" in capsys.readouterr().err


def by_hand(path: Path) -> tuple[int, list[dict[str, Any]]]:
    done = subprocess.run(
        [sys.executable, "-m", "egress.attend", str(path), "--log-level", "ERROR"],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )
    assert "Traceback" not in done.stderr
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"connector": {"type": "zoom"}}, "unknown_connector"),
        ({"connector": {"type": "janus"}}, "bad_connector"),
        ({"egresses": [{"egress_id": "e1", "layout": {"name": "mosaic"}}]}, "bad_layout"),
    ],
)
def test_a_job_that_cannot_be_done_ends_with_exit_code_1_and_the_reason(
    tmp_path: Path, changed: dict[str, Any], code: str
):
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job(tmp_path, **changed)))
    result, reports = by_hand(path)
    assert result == 1
    assert reports[-1]["report"] == "over"
    codes = {report.get("code") for report in reports}
    assert code in codes
    assert all(report["at"].endswith("Z") for report in reports)
    numbers = [report["seq"] for report in reports if report["seq"]]
    assert numbers == list(range(1, len(numbers) + 1))


class Commanded:
    """A process whose attendant is a fake that notes what it is told."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        outer = self
        self.done: list[str] = []

        class FakeAttendant:
            def __init__(self, job: Job, tell: Any) -> None:
                self.job = job
                self.egresses: dict[str, Any] = {}
                self.ended = asyncio.Event()

            def open(self) -> None:
                outer.done.append("open")

            def start(self, spec: CompositeRecording) -> None:
                outer.done.append(f"start {spec.egress_id}")
                self.egresses[spec.egress_id] = spec

            def stop(self, egress_id: str, reason: str) -> bool:
                outer.done.append(f"stop {egress_id}")
                return egress_id in self.egresses

            async def close(self, reason: str) -> None:
                outer.done.append("close")

        monkeypatch.setattr(process, "Attendant", FakeAttendant)
        self.job = Job.model_validate(job(tmp_path, epoch=5))
        self.process = Process()
        self.told: list[Report] = []
        self.process.reports.listen(self.told.append, 0)

    def refusals(self) -> list[tuple[str, str]]:
        return [(r.op, r.code) for r in self.told if isinstance(r, Refused)]


@pytest.fixture
def commanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return lambda: Commanded(monkeypatch, tmp_path)


async def test_orders_of_an_older_epoch_are_refused_and_of_a_newer_one_end_the_older(commanded: Any):
    made = commanded()
    made.process.command(Attend(job=made.job))
    spec = CompositeRecording(egress_id="e9")
    made.process.command(Start(epoch=4, egress=spec))
    made.process.command(Start(epoch=5, egress=spec))
    made.process.command(Stop(epoch=7, egress_id="e9"))
    made.process.command(Leave(epoch=6))
    assert made.done == ["open", "start e9", "stop e9"]
    assert made.refusals() == [("start", "stale_epoch"), ("leave", "stale_epoch")]


async def test_orders_that_fit_nothing_are_refused_with_their_reason(commanded: Any):
    made = commanded()
    made.process.command(Start(epoch=1, egress=CompositeRecording(egress_id="e1")))
    made.process.command(Attend(job=made.job))
    made.process.command(Attend(job=made.job))
    made.process.command(Stop(epoch=5, egress_id="unknown"))
    assert made.refusals() == [
        ("start", "not_attending"),
        ("attend", "already_attending"),
        ("stop", "unknown_egress"),
    ]
    [unknown] = [r for r in made.told if isinstance(r, Refused) and r.op == "stop"]
    assert unknown.egress_id == "unknown"


async def test_leaving_closes_the_attendant_and_tells_why(commanded: Any):
    made = commanded()
    made.process.command(Attend(job=made.job))
    made.process.command(Leave(epoch=5))
    made.process.leave("a second word changes nothing")
    code, reason = await asyncio.wait_for(made.process.until_over(by_hand=False), 5)
    assert (code, reason) == ("", "the agent told to leave")
    assert made.done == ["open", "close"]


async def test_a_spare_that_is_told_to_leave_has_nothing_to_close(commanded: Any):
    made = commanded()
    made.process.leave("signal SIGTERM")
    assert await asyncio.wait_for(made.process.until_over(by_hand=False), 5) == ("", "signal SIGTERM")
    assert made.done == []
