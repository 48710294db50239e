"""Empties the spool of this host: every file goes to its store, and the ledger says so and tells it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy.orm import Session

from egress.logs import now_about
from storage.target import Target
from workers.ledger import clock, files, hosts, uploads
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import Egress, File
from workers.ledger.uploads import Pending
from workers.observing import metrics
from workers.salvage import Salvaged, examine
from workers.settings import Settings
from workers.tenure import Tenure
from workers.uploads.lane import Lane, Limits
from workers.uploads.manifests import Manifests
from workers.uploads.others import see_to_leftovers, take_over
from workers.uploads.transcripts import Transcripts

log = logging.getLogger(__name__)

POLL = 1.0
_LEFTOVERS = 5.0
_LEAST = 1024
"""Bytes from which a file may hold media: the description of an MP4's tracks alone takes more."""
_FRAGMENT = 0.5
"""Seconds of media that a recording gathers before it writes them."""


class Uploader:
    """Delivers for whoever recorded on this host: files are keyed by egress, epoch and part, and are never fenced."""

    def __init__(self, ledger: AsyncLedger, settings: Settings, stores: Mapping[str, Target]) -> None:
        self._ledger = ledger
        self._settings = settings
        self._host = settings.owner
        storage = settings.storage
        behind = settings.recording.delay + _FRAGMENT
        limits = Limits(storage.concurrency, storage.part_size, storage.tail_seconds, behind)
        self._lanes = {name: Lane(name, target, ledger, self._host, limits) for name, target in stores.items()}
        self._manifests = Manifests(ledger, settings, stores)
        self._transcripts = Transcripts(ledger, settings)
        self._wake = asyncio.Event()
        self._salvages: set[asyncio.Task[None]] = set()
        self._leftovers: asyncio.Task[None] | None = None
        self._looked_at_others = self._looked_at_leftovers = float("-inf")
        # No shorter than a few of our own turns, which are what signs of life come with.
        self._tenure = Tenure(max(settings.agent.abandoned, 6 * POLL), time.monotonic())

    def wake(self) -> None:
        """A file was closed."""
        self._wake.set()

    async def run(self) -> None:
        try:
            while True:
                self._wake.clear()
                await self._see_to_others()
                await self._transcripts.look()
                await self._look()
                await self._manifests.look()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL):
                        await self._wake.wait()
        finally:
            if self._leftovers is not None:
                self._leftovers.cancel()
                await asyncio.gather(self._leftovers, return_exceptions=True)
            for lane in self._lanes.values():
                await lane.close()
            await self._manifests.close()

    async def done(self) -> bool:
        """Whether nothing is left to salvage or deliver."""
        if self._salvages or any(lane.busy for lane in self._lanes.values()):
            return False
        if await self._ledger.read(lambda tx: uploads.waiting(tx, self._host)):
            return False
        return await self._transcripts.done() and await self._manifests.done()

    def salvage(self, left: list[File]) -> None:
        """Make what a dead attendant left deliverable, in the background. Files of other hosts are theirs."""
        for file in left:
            name = f"salvage {file.spool_path}"
            # Of an attendant that dies soon again the first file may still be at the examination.
            if file.host not in (None, self._host) or any(task.get_name() == name for task in self._salvages):
                continue
            task = asyncio.create_task(self._salvage(file), name=name)
            self._salvages.add(task)
            task.add_done_callback(self._salvages.discard)

    async def close(self) -> None:
        await asyncio.gather(*self._salvages)

    async def _look(self) -> None:
        """Take in what is to be delivered, and go on with it."""
        for lane in self._lanes.values():
            lane.begin_look()
        pending = await self._ledger.read(lambda tx: uploads.pending(tx, self._host))
        stats = await asyncio.to_thread(_stats, [Path(one.file.spool_path) for one in pending])
        found: dict[str, list[tuple[Pending, os.stat_result | None]]] = {name: [] for name in self._lanes}
        for one, stat in zip(pending, stats, strict=True):
            if one.store in found:
                found[one.store].append((one, stat))
            else:
                await self._no_store(one)
        for name, lane in self._lanes.items():
            lane.update(found[name])

    async def _no_store(self, pending: Pending) -> None:
        text = f"there is no store {pending.store!r} in the settings; known are {', '.join(self._lanes)}"
        if pending.file.error != text:
            log.error("%s of %s stays in the spool: %s", pending.file.spool_path, pending.file.egress_id, text)
            await self._ledger.write(lambda tx: uploads.failing(tx, pending.file.id, text))

    def _beat(self, tx: Session) -> None:
        hosts.beat(tx, self._host, socket.gethostname(), version("wallflower"), clock.now(tx))

    async def _see_to_others(self) -> None:
        now = time.monotonic()
        abandoned = self._settings.agent.abandoned
        if now - self._looked_at_others >= min(10.0, abandoned / 4):
            self._looked_at_others = now
            # Whoever sends files lives: also before its agent begins and after that has ended.
            await self._ledger.write(self._beat)
            # Who was kept from the ledger gave no sign of life, and was kept from it as we were.
            self._tenure.reached(now := time.monotonic())
            if self._tenure.may_take_over(now):
                await take_over(self._ledger, self._host, abandoned)
        if now - self._looked_at_leftovers >= _LEFTOVERS:
            self._looked_at_leftovers = now
            if self._leftovers is None or self._leftovers.done():
                # Reading a long film takes its time: nothing else waits for it.
                self._leftovers = asyncio.create_task(self._see_to_leftovers(), name="leftovers")

    async def _see_to_leftovers(self) -> None:
        try:
            if await see_to_leftovers(self._ledger, self._host, self._settings.storage.key_template):
                self.wake()
        except Exception:
            log.exception("leftovers in the spool could not be seen to")

    async def _salvage(self, file: File) -> None:
        now_about(egress_id=file.egress_id)
        path = Path(file.spool_path)
        template = self._settings.storage.key_template
        found = await examine(path)
        if isinstance(found, Salvaged):
            await self._ledger.write(lambda tx: files.salvaged(tx, file.id, found.size, found.duration, template))
            metrics.SALVAGES.labels("played").inc()
            log.warning("salvaged %.1f s of part %d of %s", found.duration, file.part, file.egress_id)
            self.wake()
            return
        metrics.SALVAGES.labels("dropped").inc()
        log.warning("part %d of %s is lost: %s", file.part, file.egress_id, found)
        now = datetime.now(UTC)

        def drop(tx: Session) -> tuple[str, str | None]:
            row = tx.get_one(File, file.id)
            token = (row.upload or {}).get("token")
            files.dropped(tx, row, found, now)
            return tx.get_one(Egress, row.egress_id).storage, token

        store, token = await self._ledger.write(drop)
        # What we cannot play somebody else may still make something of: only what has no media at all is removed.
        with contextlib.suppress(OSError):
            if (await asyncio.to_thread(path.stat)).st_size < _LEAST:
                await asyncio.to_thread(path.unlink)
        if token is not None and store in self._lanes:
            await self._lanes[store].abort(token)


def _stats(paths: Iterable[Path]) -> list[os.stat_result | None]:
    found: list[os.stat_result | None] = []
    for path in paths:
        try:
            found.append(path.stat())
        except OSError:
            found.append(None)
    return found
