"""Puts manifests beside the files that they tell of: after them, beside their uploads, and in nobody's way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from egress.logs import now_about
from storage.target import StorageError, Target
from workers.ledger import manifests
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.manifests import Due, Reach
from workers.observing import metrics
from workers.settings import Settings
from workers.uploads.pauses import Pauses
from workers.uploads.threads import in_thread

log = logging.getLogger(__name__)


class Manifests:
    """One task a store while that has manifests to take. Lives on the event loop."""

    def __init__(self, ledger: AsyncLedger, settings: Settings, stores: Mapping[str, Target]) -> None:
        self._ledger = ledger
        self._wanted = settings.recording.manifest
        self._stores = stores
        shared = frozenset(name for name, target in stores.items() if target.while_growing)
        self.reach = Reach(settings.owner, frozenset(stores), shared, settings.agent.abandoned)
        self._pauses = {name: Pauses() for name in stores}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._begun = False

    async def look(self) -> None:
        """Go on with what is due."""
        if not self._begun:
            # What this worker was about to put when it ended the last time is nobody's now.
            await self._ledger.write(lambda tx: manifests.begin_anew(tx, self.reach.host))
            self._begun = True
        waiting = await self._ledger.read(lambda tx: manifests.stores_waiting(tx, self.reach))
        if waiting and not self._wanted:
            await self._ledger.write(lambda tx: manifests.forget(tx, self.reach))
            return
        now = asyncio.get_running_loop().time()
        for store in waiting - self._tasks.keys():
            if self._pauses[store].over(now):
                task = asyncio.create_task(self._deliver(store), name=f"manifests for {store}")
                self._tasks[store] = task
                task.add_done_callback(lambda done, store=store: self._after(store, done))  # type: ignore[misc]

    async def done(self) -> bool:
        """Whether none is left to deliver."""
        return not await self._ledger.read(lambda tx: manifests.stores_waiting(tx, self.reach))

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _deliver(self, store: str) -> None:
        """One after another, until none is due or the store fails."""
        while self._pauses[store].over(asyncio.get_running_loop().time()):
            due = await self._ledger.write(lambda tx: manifests.take(tx, self.reach, store))
            if due is None:
                return
            now_about(call_cid=due.call_cid, egress_id=due.egress_id)
            await self._put(store, due)

    async def _put(self, store: str, due: Due) -> None:
        target = self._stores[store]
        try:
            stored = await in_thread(lambda: target.put(due.key, due.text.encode()), f"store-{store}")
        except StorageError as error:
            await self._failed(store, due, error)
            return
        self._pauses[store].succeeded()
        await self._ledger.write(lambda tx: manifests.delivered(tx, due, stored.url))
        log.info("delivered %s of %s", due.key, due.egress_id)

    async def _failed(self, store: str, due: Due, error: StorageError) -> None:
        now = asyncio.get_running_loop().time()
        # What a store refuses of one file it may take of the next: that one is tried, and this one late.
        pauses = Pauses() if error.of_file else self._pauses[store]
        pause = pauses.failed(now, hopeless=error.hopeless or error.of_file)
        metrics.UPLOAD_ERRORS.labels(store).inc()
        text = str(error)
        if await self._ledger.write(lambda tx: manifests.failing(tx, due, text, pause)):
            log.error("%s of %s is not delivered: %s; trying again in %.0f s", due.key, due.egress_id, text, pause)

    def _after(self, store: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(store, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
