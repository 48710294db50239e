"""What every real server of the tests can do: be started, killed with -9 and started again on the same port and data.

``async with Redis() as redis`` for tests on an event loop; ``with Redis() as redis`` for fixtures of a whole session.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

_END = 20.0
"""Seconds that a server may take to end in good order."""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Server:
    """One server process with its children. Its port and folder stay the same from its start to :meth:`end`."""

    name = "server"
    patience = 60.0
    """Seconds until it must answer."""

    def __init__(self) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"wallflower-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None

    # What each server says of itself.

    def command(self) -> list[str]:
        raise AssertionError(f"{type(self).__name__} names no command")

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def user(self) -> str | None:
        """Whom it runs as, when that is not who runs the tests."""
        return None

    def answers(self) -> bool:
        """Whether it does its work now."""
        raise AssertionError(f"{type(self).__name__} cannot be asked")

    # The same for all of them, for code without an event loop.

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> None:
        """Start it and wait until it answers. Nothing happens when it runs."""
        if self.running:
            return
        with (self.folder / "out").open("ab") as out:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                user=self.user(),
            )
        deadline = time.monotonic() + self.patience
        while not self.answers():
            said = f"{self.name} does not answer: {(self.folder / 'out').read_text(errors='replace')[-2000:]}"
            assert self.running and time.monotonic() < deadline, said
            time.sleep(0.03)

    def shoot(self) -> None:
        """SIGKILL to it and to all its children, as when the power of its host fails."""
        process, self._process = self._process, None
        if process is not None:
            _kill(process)

    def halt(self) -> None:
        """End it in good order; its data stay."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(self.ending_signal())
        try:
            process.wait(_END)
        except subprocess.TimeoutExpired:
            _kill(process)

    def ending_signal(self) -> int:
        return 15

    def end(self) -> None:
        """End it and remove everything of it."""
        self.halt()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.launch()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    # And for code on an event loop.

    async def start(self) -> None:
        await asyncio.to_thread(self.launch)

    async def kill(self) -> None:
        await asyncio.to_thread(self.shoot)

    async def stop(self) -> None:
        await asyncio.to_thread(self.halt)

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.__enter__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.end)


def _kill(process: subprocess.Popen[bytes]) -> None:
    family: list[psutil.Process] = []
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        # The parent stops first: it must not see its children die, nor bear new ones.
        parent.suspend()
        family = [parent, *parent.children(recursive=True)]
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    process.wait(_END)
    deadline = time.monotonic() + _END
    while any(_lives(one) for one in family[1:]) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    """Whether it still holds files and ports: one that merely waits to be reaped does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
