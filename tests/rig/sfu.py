"""A real SFU in a network namespace of its own: started, killed with -9 and started again under the same address."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.rig.namespace import Namespace

_PATIENCE = 15.0
"""Seconds in which it must answer."""


class Sfu:
    """``async with`` one: a running server, gone with its namespace at the end."""

    name = "sfu"

    def __init__(self) -> None:
        self._namespace: Namespace | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    # What each server says of itself.

    async def prepare(self) -> None:
        """What is needed before there is a namespace. Raises RuntimeError where it cannot run here."""

    def write_config(self) -> None:
        """Into :attr:`folder`."""
        raise AssertionError(f"{type(self).__name__} has no configuration")

    def command(self) -> list[str]:
        """What runs it, inside the namespace."""
        raise AssertionError(f"{type(self).__name__} names no command")

    @property
    def probe_url(self) -> str:
        """Answers with 200 when it does its work."""
        raise AssertionError(f"{type(self).__name__} cannot be asked")

    # The same for all of them.

    @property
    def namespace(self) -> Namespace:
        assert self._namespace is not None
        return self._namespace

    @property
    def folder(self) -> Path:
        assert self._folder is not None
        return Path(self._folder.name)

    @property
    def address(self) -> str:
        """Where the server is."""
        return self.namespace.address

    @property
    def host_address(self) -> str:
        """This host's end of the wire: what guests and attendants must offer to ICE."""
        return self.namespace.host_address

    @property
    def host_network(self) -> str:
        return self.namespace.host_network

    @property
    def log(self) -> Path:
        """What the server printed."""
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.prepare()
        self._namespace = await asyncio.to_thread(Namespace.make)
        try:
            self._folder = tempfile.TemporaryDirectory(prefix=f"wf-{self.name}-")
            self.write_config()
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start the server again after :meth:`kill`, and wait until it answers."""
        self._process = self._launch()
        deadline = time.monotonic() + _PATIENCE
        async with http_client(2) as client:
            while True:
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(self.probe_url)).status_code == 200:
                        return
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
                await asyncio.sleep(0.05)

    def _launch(self) -> subprocess.Popen[bytes]:
        command = self.namespace.command(*self.command())
        with self.log.open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    async def kill(self) -> None:
        """End the server at once, as a crash would: nobody is told."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await asyncio.to_thread(process.wait)

    async def restart(self, away: float = 0.0) -> None:
        """Crash, stay away for so many seconds, start anew. What was made of rooms and sessions is forgotten."""
        await self.kill()
        await asyncio.sleep(away)
        await self.start()

    async def stop(self) -> None:
        """End the server and take its network away. Safe to call twice."""
        await self.kill()
        if self._namespace is not None:
            await asyncio.to_thread(self._namespace.remove)
            self._namespace = None
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None


def http_client(timeout: float) -> httpx.AsyncClient:
    # No certificates are needed, and to load them takes longer than any of these requests.
    return httpx.AsyncClient(timeout=timeout, verify=False)
