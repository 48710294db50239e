"""A session that this worker has claimed: its attendant and its life are looked after side by side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import copy_context
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from egress.logs import about
from workers.attending import Attending, Surroundings
from workers.attending.hold import Hold
from workers.ledger.claims import LeaseLost
from workers.ledger.tables import CallSession

log = logging.getLogger(__name__)

PAUSE = 2.0
"""Seconds before the life of a session is looked after again that failed unexpectedly."""


class Life(Protocol):
    """Watches who is in a session, and starts and ends what follows from that."""

    async def run(self) -> None:
        """Until the session has ended. Raises LeaseLost."""

    def attended(self, participants: int | None) -> None:
        """How many guests the attendant sees; None when no attendant is there to see any."""


MakeLife = Callable[[str, int, Surroundings], Life]


class Charge:
    """One session, from its claim until it is over, given back or lost."""

    def __init__(self, session: CallSession, hold: Hold, around: Surroundings, make_life: MakeLife) -> None:
        self.id = session.id
        self.hold = hold
        path = session.attendant_socket
        self.found_attendant = path is not None and Path(path).parent == around.settings.sockets
        """Whether an agent before us left an attendant there."""
        self._make_life: Callable[[], Life] = partial(make_life, session.id, hold.epoch, around)
        self._life = self._make_life()
        self._present: int | None = None
        self._failed_at: float | None = None
        self.attending = Attending(session, hold, around, self._seen)
        with about(call_cid=session.call_cid, session_id=session.id):
            self._about = copy_context()
        self._attending = self._task(self.attending.run(), f"attending {session.call_cid}")
        self._living = self._task(self._life.run(), f"life of {session.call_cid}")

    def _task(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(work, name=name, context=self._about)

    @property
    def epoch(self) -> int:
        return self.hold.epoch

    @property
    def done(self) -> bool:
        """Whether nobody is left at the session. What became of it is logged."""
        if not self._attending.done():
            return False
        self._living.cancel()
        return self._living.done()

    @property
    def failed(self) -> bool:
        """Whether it ended by an error, and is to be taken up anew."""
        error = None if self._attending.cancelled() else self._attending.exception()
        if isinstance(error, LeaseLost):
            log.error("%s", error)
        elif error is not None:
            log.error("session %s is taken up anew", self.id, exc_info=error)
            return True
        return False

    def tend(self) -> None:
        """Notice that the session's life ended, and begin it again when it should not have."""
        if not self._living.done() or self._living.cancelled():
            return
        now = asyncio.get_running_loop().time()
        if self._failed_at is None:
            error = self._living.exception()
            if error is None:
                self.attending.look()
                return
            if isinstance(error, LeaseLost):
                self.hold.lose()
                return
            log.error("the life of session %s is looked after anew", self.id, exc_info=error)
            self._failed_at = now
        elif now - self._failed_at >= PAUSE:
            self._failed_at = None
            self._life = self._make_life()
            self._life.attended(self._present)
            self._living = self._task(self._life.run(), f"life of session {self.id}")

    async def close(self) -> None:
        """Leave everything as it is; an attendant goes on by itself."""
        tasks = (self._attending, self._living)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _seen(self, participants: int | None) -> None:
        self._present = participants
        self._life.attended(participants)
