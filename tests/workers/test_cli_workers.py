"""``wallflower workers``: who is there, and what they have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.workers.conftest import MakeBench
from workers.cli.app import app


async def test_workers_are_listed_with_what_they_have(
    bench: MakeBench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WALLFLOWER_DATA_DIR", str(tmp_path / "data"))
    assert CliRunner().invoke(app, ["workers"]).stdout == "No worker has run yet.\n"
    b = await bench(worker_id="here")
    egress_id = b.record()
    await b.until_recorded(egress_id, 0.5)
    (listed,) = json.loads(CliRunner().invoke(app, ["workers", "--json"]).stdout)
    assert (listed["worker_id"], listed["alive"]) == ("here", True)
    assert (listed["sessions"], listed["attended"], listed["files"]) == (1, 1, 1)
    shown = CliRunner().invoke(app, ["workers"]).stdout
    assert "here" in shown and "files in its spool" in shown
    b.send("stop_recording")
    await b.until_state(egress_id, "complete")
    await b.end()
    assert CliRunner().invoke(app, ["workers"]).stdout == "No worker has run yet.\n"
