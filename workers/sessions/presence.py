"""Who is in a session's room: told by its attendant, or seen by looks into the room while nobody attends it."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from egress.call.connector import ROOM_GONE, ConnectorError
from workers.sessions.lookout import Lookout

log = logging.getLogger(__name__)

AWAY_MAX = 15.0
"""Seconds between two looks, at most, while the SFU is away."""
REFUSED = 30.0
"""Seconds between two looks into a room that refuses us for another reason than that it is gone."""


@dataclass(frozen=True, slots=True)
class Room:
    """What is known of a room. An SFU that is away changes nothing of it."""

    present: int | None = None
    """Guests who are there; None before anything is known."""
    seen: bool = False
    missing: bool = False
    """The SFU says that there is no such room."""
    missing_since: datetime | None = None
    was_away: bool = False
    """The SFU was away since the room was last seen."""


class Presence:
    """``room`` is what is known; ``changed`` is called when that is more than before."""

    def __init__(self, lookout: Lookout, every: float, changed: Callable[[], None]) -> None:
        self.room = Room()
        self._lookout = lookout
        self._every = every
        self._changed = changed
        self._unattended = asyncio.Event()
        self._unattended.set()
        self._away = 0
        """Looks in a row that found the SFU away."""
        self._refusal = ""

    def attended(self, participants: int | None) -> None:
        """How many guests the attendant sees; None when no attendant is in the call: then we look ourselves."""
        if participants is None:
            self._unattended.set()
        else:
            self._unattended.clear()
            self._saw(participants)

    async def watch(self, cid: str, address: dict[str, Any], *, first_after: float) -> None:
        """Look again and again while nobody attends the room, for ever; the first time after so many seconds."""
        await asyncio.sleep(first_after)
        while True:
            await self._unattended.wait()
            pause = await self._look(cid, address)
            # Sessions that were taken over together shall not go on looking together.
            await asyncio.sleep(pause * random.uniform(0.8, 1.0))

    async def _look(self, cid: str, address: dict[str, Any]) -> float:
        """Look into the room. Returns the seconds until the next look."""
        try:
            present = await self._lookout.guests(address)
        except ConnectorError as error:
            if error.code != ROOM_GONE:
                return self._refused(cid, f"{error} ({error.code})")
            self._misses()
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            return self._refused(cid, f"connector.{'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        except Exception as error:
            # A connector with a fault of its own ends as little as an SFU that is away.
            if not self._away:
                fault = None if isinstance(error, OSError) else error
                log.warning("%s: nobody knows who is there: %s", cid, error, exc_info=fault)
            self._away += 1
            self.room = replace(self.room, was_away=True)
            return max(self._every, min(AWAY_MAX, self._every * 2.0 ** min(self._away - 1, 8)))
        else:
            if self._unattended.is_set():
                self._saw(present)
        if self._away or self._refusal:
            log.info("%s: it is known again who is there", cid)
        self._away, self._refusal = 0, ""
        return self._every

    def _saw(self, present: int) -> None:
        news = self.room.present != present or self.room.missing
        self.room = Room(present, seen=True)
        if news:
            self._changed()

    def _misses(self) -> None:
        if self._unattended.is_set() and not self.room.missing:
            self.room = replace(self.room, missing=True)
            self._changed()

    def _refused(self, cid: str, why: str) -> float:
        if self._refusal != why:
            self._refusal = why
            log.error("%s: the room cannot be watched: %s", cid, why)
        return REFUSED
