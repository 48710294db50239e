"""Empties the spool: every closed file goes to its store, and the ledger says so and tells it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import UTC, datetime
from pathlib import Path

from storage.target import StorageError, Target
from workers.ledger import files
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.states import State
from workers.ledger.tables import Egress, File
from workers.salvage import Salvaged, examine

log = logging.getLogger(__name__)

POLL = 1.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


class Delivery:
    """Delivers for whoever recorded: files are keyed by egress, epoch and part, and are never fenced."""

    def __init__(self, ledger: AsyncLedger, target: Target, template: str) -> None:
        self._ledger = ledger
        self._target = target
        self._template = template
        self._wake = asyncio.Event()
        self._pauses: dict[int, tuple[float, float]] = {}
        self._salvages: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        while True:
            self._wake.clear()
            await self.deliver_all()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL):
                    await self._wake.wait()

    async def deliver_all(self) -> None:
        """Try every file whose turn it is."""
        now = asyncio.get_running_loop().time()
        for file in await self._ledger.read(files.deliverable):
            if self._pauses.get(file.id, (0.0, 0.0))[0] <= now:
                await self._deliver(file)

    async def done(self) -> bool:
        """Whether nothing is left to salvage or deliver."""
        return not self._salvages and not await self._ledger.read(files.deliverable)

    def salvage(self, left: list[File]) -> None:
        """Make what a dead attendant left deliverable, in the background."""
        for file in left:
            task = asyncio.create_task(self._salvage(file), name=f"salvage {file.spool_path}")
            self._salvages.add(task)
            task.add_done_callback(self._salvages.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._salvages)

    async def _deliver(self, file: File) -> None:
        assert file.key is not None
        try:
            stored = await asyncio.to_thread(self._target.deliver, Path(file.spool_path), file.key)
        except StorageError as error:
            pause = min(2 * self._pauses.get(file.id, (0.0, _FIRST_PAUSE / 2))[1], _LONGEST_PAUSE)
            self._pauses[file.id] = (asyncio.get_running_loop().time() + pause, pause)
            log.error("%s of %s stays in the spool: %s", file.key, file.egress_id, error)
            reason = str(error)[:1000]
            await self._ledger.write(lambda tx: setattr(tx.get_one(File, file.id), "error", reason))
            return
        self._pauses.pop(file.id, None)
        now = datetime.now(UTC)
        await self._ledger.write(lambda tx: files.delivered(tx, file.id, stored.url, stored.size, now))
        log.info("delivered %s of %s", file.key, file.egress_id)
        if await self._ledger.read(lambda tx: State(tx.get_one(Egress, file.egress_id).state).over):
            with contextlib.suppress(OSError):  # something is left in it: then it stays
                await asyncio.to_thread(Path(file.spool_path).parent.rmdir)

    async def _salvage(self, file: File) -> None:
        path = Path(file.spool_path)
        found = await examine(path)
        if isinstance(found, Salvaged):
            await self._ledger.write(lambda tx: files.salvaged(tx, file.id, found.size, found.duration, self._template))
            log.warning("salvaged %.1f s of part %d of %s", found.duration, file.part, file.egress_id)
            self.wake()
            return
        log.warning("part %d of %s is lost: %s", file.part, file.egress_id, found)
        now = datetime.now(UTC)
        await self._ledger.write(lambda tx: files.dropped(tx, tx.get_one(File, file.id), found, now))
        # What we cannot play somebody else may still make something of: only an empty file is removed.
        with contextlib.suppress(OSError):
            if (await asyncio.to_thread(path.stat)).st_size == 0:
                await asyncio.to_thread(path.unlink)
