"""Makes deliverable what a dead attendant left: parts that it opened and never closed, also such it never told of."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from egress.outputs.repair import drop_torn_fragment

log = logging.getLogger(__name__)

PROBE_TIMEOUT = 120.0
_NAME = re.compile(r"e(?P<epoch>[0-9]+)-(?P<part>[0-9]+)-(?P<start>[0-9]+)\.(mp4|m4a|mp3)")
"""Of a recording in the spool: the epoch of its attendant, its part, and when it begins in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What can be played of a file. ``duration`` in seconds."""

    size: int
    duration: float


async def examine(path: Path) -> Salvaged | str:
    """What can be played of a file, or a sentence saying why nothing can. A torn end is cut off."""
    try:
        torn = await asyncio.to_thread(drop_torn_fragment, path)
        if torn:
            log.info("%s: the last %d bytes were a torn fragment and are cut off", path.name, torn)
        size = (await asyncio.to_thread(path.stat)).st_size
    except OSError as error:
        return f"{path.name} is gone: {error.strerror}"
    if size == 0:
        return f"{path.name} is empty"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "workers.probe",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PROBE_TIMEOUT):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"{path.name} could not be read within {PROBE_TIMEOUT:g} s"
    if process.returncode != 0:
        return f"{path.name} cannot be read (exit code {process.returncode})"
    found = json.loads(said)
    if found["duration"] <= 0:
        return f"{path.name} holds nothing that can be played"
    return Salvaged(size, found["duration"])


@dataclass(frozen=True, slots=True)
class Unreported:
    """A file that the ledger does not know, and what its name says of it."""

    path: Path
    epoch: int
    part: int
    start_time: datetime


def unreported(folder: Path, known: Iterable[str]) -> list[Unreported]:
    """Media files in the spool of an egress that the ledger does not know, in the order in which they began."""
    names = {Path(path).name for path in known}
    if not folder.is_dir():
        return []
    found = []
    for path in folder.iterdir():
        said = _NAME.fullmatch(path.name)
        if said is not None and path.name not in names and path.is_file():
            start = datetime.fromtimestamp(int(said["start"]) / 1000, UTC)
            found.append(Unreported(path, int(said["epoch"]), int(said["part"]), start))
    return sorted(found, key=lambda one: (one.start_time, one.epoch))
