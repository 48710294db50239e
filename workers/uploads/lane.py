"""What goes to one store: a few parts at once, and a pause for all when the store fails. Other stores never notice."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import dataclass

from egress.logs import now_about
from storage.target import StorageError, Target, UploadGone
from workers.ledger import uploads
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.uploads import Pending
from workers.observing import metrics
from workers.uploads.courier import Courier
from workers.uploads.pauses import Pauses
from workers.uploads.plan import Put, Step, Vanished
from workers.uploads.sending import Sending

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """``least_part`` in bytes, the others in seconds."""

    concurrency: int
    least_part: int
    tail_after: float
    behind: float
    """How far what is on the disk may be behind what happens."""


class Lane:
    """One store's files on their way. Lives on the event loop."""

    def __init__(self, store: str, target: Target, ledger: AsyncLedger, host: str, limits: Limits) -> None:
        self.store = store
        self.pauses = Pauses()
        self._growing = target.while_growing
        self._ledger = ledger
        self._host = host
        self._limits = limits
        self._sending = Sending(target, ledger, host, limits.behind)
        self._couriers: dict[int, Courier] = {}
        self._finished: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> bool:
        return bool(self._tasks)

    def begin_look(self) -> None:
        """A look into the ledger begins: what is finished from now on may still be among what it finds."""
        self._finished.clear()

    def update(self, found: list[tuple[Pending, os.stat_result | None]]) -> None:
        """Take in every file that is to be delivered there, and go on with what is due."""
        now = asyncio.get_running_loop().time()
        for pending, stat in found:
            file = pending.file
            if file.id in self._finished or file.key is None:
                continue
            courier = self._couriers.get(file.id)
            if courier is None:
                courier = self._couriers[file.id] = Courier(pending, self._host, self._limits.least_part, now)
            courier.observe(pending, stat)
        ids = {pending.file.id for pending, _ in found}
        for file_id in self._couriers.keys() - ids:
            self._couriers.pop(file_id).over = True
        self.pump()

    def pump(self) -> None:
        """Begin as many steps as may be done at once."""
        now = asyncio.get_running_loop().time()
        if not self.pauses.over(now):
            return
        # A store that failed is asked once, not by every file.
        allowed = 1 if self.pauses.failing else self._limits.concurrency
        while len(self._tasks) < allowed and (found := self._next(now)) is not None:
            courier, step = found
            task = asyncio.create_task(self._do(courier, step), name=f"upload of {courier.key}")
            self._tasks.add(task)
            task.add_done_callback(self._after)

    async def close(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def abort(self, token: str) -> None:
        await self._sending.abort(token)

    def _next(self, now: float) -> tuple[Courier, Step] | None:
        """Closed files first: somebody waits for them; of these, first what did not fail. Marks the step as begun."""
        for courier in sorted(self._couriers.values(), key=lambda c: (not c.closed, c.failed_at, c.file_id)):
            if courier.busy or courier.over or not courier.pauses.over(now):
                continue
            step = courier.step(now, self._limits.tail_after, whole=not self._growing)
            if step is None:
                continue
            if isinstance(step, Put) and courier.upload is not None:
                courier.in_flight.add(step.number)
            elif courier.in_flight:
                continue
            else:
                courier.busy = True
            return courier, step
        return None

    async def _do(self, courier: Courier, step: Step) -> None:
        loop = asyncio.get_running_loop()
        now_about(call_cid=courier.call_cid, egress_id=courier.egress_id)
        try:
            courier.over = await self._sending.do(courier, step) or courier.over
        except (StorageError, OSError) as error:
            await self._failed(courier, error, loop.time())
        except Exception:
            courier.pauses.failed(loop.time())
            raise
        else:
            if isinstance(step, Vanished) and not courier.over:
                courier.pauses.failed(loop.time())  # it is there after all: the next look sees it
                return
            self.pauses.succeeded()
            courier.pauses.succeeded()
            courier.failed_at = 0.0
            await self._note(courier, None)
        finally:
            courier.busy = False
            if isinstance(step, Put):
                courier.in_flight.discard(step.number)
            if courier.over:
                self._finished.add(courier.file_id)
                self._couriers.pop(courier.file_id, None)

    async def _failed(self, courier: Courier, error: StorageError | OSError, now: float) -> None:
        hopeless = isinstance(error, StorageError) and error.hopeless
        alone = isinstance(error, OSError) or error.of_file
        pauses = courier.pauses if alone else self.pauses
        pause = pauses.failed(now, hopeless=hopeless)
        metrics.UPLOAD_ERRORS.labels(self.store).inc()
        # What a store refuses of one file, as by a policy, it may take of the next: that one is tried then.
        courier.failed_at = now
        text = f"{courier.path} cannot be read: {error.strerror}" if isinstance(error, OSError) else str(error)
        log.log(
            logging.WARNING if isinstance(error, UploadGone) else logging.ERROR,
            "%s of %s stays in the spool: %s; trying again in %.0f s",
            courier.key,
            courier.egress_id,
            text,
            pause,
        )
        await self._note(courier, text)

    async def _note(self, courier: Courier, text: str | None) -> None:
        if courier.noted == text or courier.over:
            return
        courier.noted = text
        await self._ledger.write(lambda tx: uploads.failing(tx, courier.file_id, text))

    def _after(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("%s failed", task.get_name(), exc_info=error)
        self.pump()
