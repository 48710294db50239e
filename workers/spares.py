"""Warm attendants that wait for a call, because loading everything takes longer than a guest's first sentence."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from egress.protocol.commands import Leave
from workers.attendants import Attendant, AttendantGone
from workers.settings import Settings

log = logging.getLogger(__name__)

_PAUSE_AFTER_FAILURE = 5.0
"""Seconds before another spare is tried when one did not come up."""


class Spares:
    """Keeps ``attendants.spares`` attendants ready."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ready: list[Attendant] = []
        self._starting: Attendant | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="spares")

    async def take(self) -> Attendant:
        """A ready attendant, at once when one waits. Raises AttendantGone when none can be had."""
        while self._ready:
            attendant = self._ready.pop(0)
            self._wanted.set()
            try:
                await attendant.ping()
            except AttendantGone:
                await dismiss(attendant)
                continue
            if not attendant.ended():
                return attendant
            await dismiss(attendant)
        return await self._spawn()

    async def close(self) -> None:
        """Send the spares home."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._starting is not None:
            await dismiss(self._starting)
        await asyncio.gather(*(dismiss(a) for a in self._ready))
        self._ready.clear()

    async def _keep(self) -> None:
        first = True
        while True:
            await self._wanted.wait()
            if not first:
                # The call that took the spare has the processor to itself while it begins.
                await asyncio.sleep(self._settings.attendants.spare_delay)
            first = False
            while len(self._ready) < self._settings.attendants.spares:
                try:
                    self._ready.append(await self._spawn(kept=True))
                except (AttendantGone, OSError) as error:
                    log.warning("no spare attendant: %s", error)
                    await asyncio.sleep(_PAUSE_AFTER_FAILURE)
            self._wanted.clear()
            await self._watch()

    async def _watch(self) -> None:
        """Ping those that wait, and notice when one ends, until another one is wanted."""
        while not self._wanted.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.attendants.ping_interval):
                    await self._wanted.wait()
            for attendant in list(self._ready):
                try:
                    await attendant.ping()
                    if not attendant.ended():
                        continue
                except AttendantGone:
                    pass
                log.warning("spare attendant %s ended (exit code %s)", attendant.name, attendant.exit_code)
                self._ready.remove(attendant)
                await dismiss(attendant)
                self._wanted.set()

    async def _spawn(self, *, kept: bool = False) -> Attendant:
        try:
            attendant = Attendant.spawn(self._settings)
        except OSError as error:
            raise AttendantGone(f"attendants.command cannot be run: {error}") from None
        if kept:
            self._starting = attendant
        try:
            await attendant.connect(self._settings.attendants.ready_timeout)
            await attendant.ready(self._settings.attendants.ready_timeout)
        except AttendantGone:
            await dismiss(attendant)
            raise
        finally:
            if kept and self._starting is attendant and not _cancelling():
                self._starting = None
        return attendant


async def dismiss(attendant: Attendant) -> None:
    """Send a spare home, and see it go."""
    with contextlib.suppress(AttendantGone):
        await attendant.send(Leave(epoch=0))
    await attendant.hang_up()
    if not await attendant.gone(1.0):
        attendant.kill()
        await attendant.gone(1.0)
    attendant.forget()


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
