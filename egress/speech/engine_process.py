"""An engine process as its worker sees it: spawned, loaded, ended. It may outlive whoever spawned it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from egress.speech.contract import EngineSettings, SpeechError
from egress.speech.engine_settings import to_json

GRACE = 3.0
"""Seconds that a process has to end by itself."""
MOST_LOG = 1 << 20
"""Bytes of log from which on a new process begins a new one."""


class EngineProcess:
    """Raises OSError when it cannot be spawned."""

    def __init__(self, settings: EngineSettings, socket: Path, environment: Mapping[str, str]) -> None:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = socket.with_name("engine.log")
        command = [sys.executable, "-m", "egress.speech.serve", "--socket", str(socket)]
        self._read, write = os.pipe()
        kept = log.exists() and log.stat().st_size < MOST_LOG
        try:
            # Not subprocess: its objects insist on the end of the child before their own.
            self.pid = os.posix_spawnp(
                command[0],
                [*command, "--settings", to_json(settings)],
                dict(environment),
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                    (os.POSIX_SPAWN_DUP2, write, 1),
                    (
                        os.POSIX_SPAWN_OPEN,
                        2,
                        str(log),
                        os.O_WRONLY | os.O_CREAT | (os.O_APPEND if kept else os.O_TRUNC),
                        0o600,
                    ),
                ],
                setsid=True,
            )
        except OSError:
            os.close(self._read)
            raise
        finally:
            os.close(write)

    async def loaded(self, timeout: float) -> None:
        """Wait until it serves. Raises SpeechError when it will not. To be called once."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(self._read, "rb")
        )
        try:
            async with asyncio.timeout(timeout):
                line = await reader.readline()
        except TimeoutError:
            raise SpeechError("engine_unusable", f"the speech engine was not loaded within {timeout:g} s") from None
        finally:
            transport.close()
        told = _told(line)
        if "failed" in told:
            raise SpeechError(told["failed"]["code"], told["failed"]["message"])
        if "ready" not in told:
            raise SpeechError("engine_unusable", "the speech engine ended while it was loaded; its log says why")

    async def kill(self) -> None:
        """End it now."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        await _gone(self.pid)


def _told(line: bytes) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _lives(pid: int) -> bool:
    """Whether it is there; takes leave of it when it was our child."""
    try:
        return os.waitpid(pid, os.WNOHANG) == (0, 0)
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def _gone(pid: int) -> bool:
    """Wait until it is gone; False when it stays."""
    for _ in range(round(GRACE / 0.02)):
        if not _lives(pid):
            return True
        await asyncio.sleep(0.02)
    return False


async def end(pid: int) -> None:
    """End a process, our child or not, and wait until it is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if await _gone(pid):
            return
