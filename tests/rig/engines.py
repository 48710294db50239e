"""The speech engines of a worker, found from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path


def kill_engine(folder: Path) -> None:
    """End the one speech engine of a worker's folder with -9."""
    pids = engines(folder)
    assert len(pids) == 1, pids
    os.kill(pids[0], signal.SIGKILL)


def engines(folder: Path) -> list[int]:
    """Process ids of the speech engines of a worker's folder."""
    wanted = {str(folder / "run" / "speech" / "engine.sock"), "egress.speech.serve"}
    entries = [entry for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [int(entry.name) for entry in entries if wanted <= set(_command(entry))]


def _command(entry: Path) -> list[str]:
    try:
        return (entry / "cmdline").read_text(errors="replace").split("\0")
    except OSError:
        return []
