"""Wallflower as its users run it: a worker process, messages by the command line, events from the file.

``async with Product(folder, networks=[...]) as product`` starts a worker; ``await product.send({...})`` puts a message
on the queue; ``await product.event("call.recording_ready")`` waits for one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sqlite3
import sys
import time
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import url2pathname

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).with_name("wallflower"))


def moment(text: str) -> float:
    """An event's time as seconds since 1970."""
    return datetime.fromisoformat(text).timestamp()


def path_of(event: dict[str, Any]) -> Path:
    """The file of a ``call.recording_ready`` or ``call.transcription_ready`` event on local storage."""
    made = event.get("call_recording") or event["call_transcription"]
    return Path(url2pathname(urlsplit(made["url"]).path))


class Product:
    """One worker on a folder of its own. ``settings`` are environment variables without their prefix."""

    def __init__(self, folder: Path, networks: list[str], **settings: str) -> None:
        self.folder = folder
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("WALLFLOWER_")},
            "WALLFLOWER_DATA_DIR": str(folder),
            "WALLFLOWER_ICE_NETWORKS": json.dumps(networks),
            "WALLFLOWER_SPOOL__RESERVE_HOURS": "0.05",
            # A worker that is told to end stops what it records, where a test does not say otherwise.
            "WALLFLOWER_AGENT__DRAIN": "0",
            **{f"WALLFLOWER_{name.upper()}": value for name, value in settings.items()},
        }
        self._worker: asyncio.subprocess.Process | None = None
        self._log = folder / "worker.log"

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def alive(self) -> bool:
        return self._worker is not None and self._worker.returncode is None

    @property
    def pid(self) -> int:
        """Of the worker."""
        assert self._worker is not None
        return self._worker.pid

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._worker = await asyncio.create_subprocess_exec(
                COMMAND, "worker", cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(30):
            while not self._spare_waits():
                assert self.alive, self._log.read_text()
                await asyncio.sleep(0.05)

    def _spare_waits(self) -> bool:
        """Whether a warm attendant is there, so that latencies are those of a worker at rest."""
        return bool(self.attendants())

    def attendants(self) -> list[int]:
        """Process ids of this worker's attendants, spares among them, once they listen."""
        logs = (self.folder / "run").resolve()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                command = (entry / "cmdline").read_text(errors="replace").split("\0") if entry.name.isdigit() else []
                if "--socket" not in command or not Path(command[command.index("--socket") + 1]).exists():
                    continue
                # Its environment says nothing of ours, but its log lies in our run folder.
                if (entry / "fd" / "1").readlink().parent == logs:
                    found.append(int(entry.name))
        return found

    def attending(self) -> int:
        """The process id of the attendant of the only call that is attended."""
        with contextlib.closing(sqlite3.connect(self.folder / "ledger.sqlite")) as ledger:
            ((pid,),) = ledger.execute("SELECT attendant_pid FROM sessions WHERE attendant_pid IS NOT NULL").fetchall()
        return int(pid)

    async def stop(self) -> int:
        """End the worker as a service manager would; returns its exit code."""
        worker, self._worker = self._worker, None
        if worker is None:
            return 0
        if worker.returncode is None:
            worker.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(60):
                return await worker.wait()
        except TimeoutError:
            worker.kill()
            await worker.wait()
            raise

    async def kill(self) -> None:
        """End the worker with -9: its attendants go on."""
        worker, self._worker = self._worker, None
        assert worker is not None
        worker.kill()
        await worker.wait()

    async def send(self, message: dict[str, Any]) -> tuple[int, str]:
        """Put a message on the queue by the command line; returns exit code and what it printed."""
        return await self.run("send", "--json", json.dumps(message))

    async def egresses(self) -> list[dict[str, Any]]:
        """What ``wallflower egress list --json`` says."""
        code, said = await self.run("egress", "list", "--json")
        assert code == 0, said
        listed: list[dict[str, Any]] = json.loads(said)
        return listed

    async def run(self, *arguments: str) -> tuple[int, str]:
        """Run the command line on this worker's folder."""
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            cwd=ROOT,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    def events(self, type_: str | None = None) -> list[dict[str, Any]]:
        """Events so far, of one type or all."""
        path = self.folder / "events.jsonl"
        if not path.exists():
            return []
        told = [json.loads(line) for line in path.read_text().splitlines()]
        return [event for event in told if type_ in (None, event["type"])]

    async def event(
        self, type_: str, number: int = 1, timeout: float = 30.0, *, failing: bool = False
    ) -> dict[str, Any]:
        """Wait for the ``number``-th event of a type; a recording that fails meanwhile ends it, unless ``failing``."""
        deadline = time.monotonic() + timeout
        while len(found := self.events(type_)) < number:
            failed = self.events("call.recording_failed")
            if failed and not failing and type_ != "call.recording_failed":
                raise AssertionError(f"the recording failed: {failed[0]}\n{self.log}")
            if time.monotonic() > deadline:
                raise AssertionError(f"no {type_} within {timeout} s; events: {self.events()}\n{self.log}")
            await asyncio.sleep(0.02)
        return found[number - 1]

    @property
    def log(self) -> str:
        """The end of the worker's log and of its attendants' logs."""
        parts = [self._log.read_text()[-4000:]]
        parts += [f"{path.name}: {path.read_text()[-4000:]}" for path in sorted(self.folder.glob("run/**/*.log"))]
        return "\n".join(parts)

    def spooled(self) -> list[Path]:
        """Files that wait in the spool."""
        return [path for path in (self.folder / "spool").rglob("*") if path.is_file()]

    def files(self) -> list[Path]:
        """Recordings that are ready, in the order of their parts."""
        return [path_of(event) for event in self.events("call.recording_ready")]
