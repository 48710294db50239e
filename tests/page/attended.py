"""Pages recorded by an attendant that is run by hand, and what it reports."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

ROOT = Path(__file__).parents[2]
ALLOWED = ["127.0.0.1/32"]


class ByHand:
    """One attendant with one recording of a page."""

    def __init__(self, folder: Path, page: dict[str, Any], **changed: Any) -> None:
        self.folder = folder
        self.reports: list[dict[str, Any]] = []
        self._job = {
            "call_cid": "default:page",
            "session_id": "s1",
            "connector": {"type": "page"},
            "spool": str(folder / "spool"),
            "guard": {"allow_private": changed.pop("allow", ALLOWED)},
            "duration": changed.pop("duration", None),
            "egresses": [{"egress_id": "e1", "kind": "web_recording", "quality": "360p", "page": page, **changed}],
        }
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._came = asyncio.Event()

    async def __aenter__(self) -> Self:
        path = self.folder / "job.json"
        path.write_text(json.dumps(self._job))
        with (self.folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "egress.attend", str(path)),
                cwd=ROOT,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        assert self._reading is not None
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self.reports.append(json.loads(line))
            self._came.set()

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def children(self, having: str = "") -> list[psutil.Process]:
        """Everything that it has started, of which the command line has that word."""
        found = []
        for child in psutil.Process(self.pid).children(recursive=True):
            try:
                if having in " ".join(child.cmdline()):
                    found.append(child)
            except psutil.Error:
                continue
        return found

    def renderers(self) -> list[psutil.Process]:
        """The processes in which web pages are."""
        return [child for child in self.children("--type=renderer") if "--top-chrome-webui" not in child.cmdline()]

    def crash(self) -> None:
        for renderer in self.renderers():
            renderer.kill()

    async def told(self, report: str, timeout: float = 40.0) -> dict[str, Any]:
        """Wait for the first report of that kind."""
        async with asyncio.timeout(timeout):
            while True:
                for found in self.reports:
                    if found["report"] == report:
                        return found
                    if found["report"] == "egress_failed" and report != "over":
                        raise AssertionError(f"{found}\n{self.log}")
                self._came.clear()
                await self._came.wait()
