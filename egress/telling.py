"""Tells the room what is made of it, where its connector can and its address asks for it: never in the way of anything.

Of the state of egresses only the newest is told; who comes later is told it, too. Captions are told while they are new.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from egress.call.connector import ROOM_GONE, Connector, ConnectorError, RoomTeller

log = logging.getLogger(__name__)

TOPIC = "wallflower"
NEWCOMER = (1.0, 6.0)
"""Seconds after somebody came at which they are told the state. Not all can hear at once what a room is told."""
TOGETHER = 0.05
"""Seconds by which somebody may be told sooner, so that many are told at once."""
MOST_NEWCOMERS = 100
"""Named in one message; with more of them everybody is told."""
MOST_CAPTIONS = 50
"""That wait; then the oldest are left out."""
PATIENCE = 10.0
"""Seconds that one message may take."""
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before the state is told again when that failed; the last one over and over."""
FAREWELL = 2.0
"""Seconds in which the last state is told."""


@dataclass(frozen=True, slots=True)
class RoomState:
    """What is made of the call now."""

    recording: bool = False
    broadcasting: bool = False
    transcribing: bool = False


class Telling:
    """Tells one room. Event loop only; nothing here waits for the SFU but a task of its own."""

    def __init__(self, call_cid: str, teller: RoomTeller, topic: str = TOPIC) -> None:
        self._call_cid = call_cid
        self._teller = teller
        self._topic = topic
        self._state = RoomState()
        self._told: RoomState | None = None
        """What everybody was told last; None before the first time."""
        self._newcomers: list[tuple[float, str]] = []
        """When they are to be told the state, the soonest first."""
        self._captions: deque[Mapping[str, Any]] = deque(maxlen=MOST_CAPTIONS)
        self._news = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._failing = False
        self._loop = asyncio.get_running_loop()
        self._task: asyncio.Task[None] | None = asyncio.create_task(self._run(), name=f"telling {call_cid}")

    def state(self, state: RoomState) -> None:
        """What is made of the call now: told to everybody when it is not what it was."""
        if state != self._state:
            self._state = state
            self._wake()

    def came(self, user_id: str) -> None:
        """A guest came: they are told the state, once there was one to tell."""
        now = self._loop.time()
        if self._told is None and self._state == RoomState():
            return
        if len(self._newcomers) < 2 * len(NEWCOMER) * MOST_NEWCOMERS:
            self._newcomers = sorted([*self._newcomers, *((now + after, user_id) for after in NEWCOMER)])
            self._wake()

    def caption(self, caption: Mapping[str, Any]) -> None:
        """Tell everybody; ``caption`` is an object as JSON takes it, its ``type`` included."""
        self._captions.append(caption)
        self._wake()

    async def close(self, *, silently: bool = False) -> None:
        """Tell what is left, unless it is to be done ``silently``, and let go of every connection."""
        task, self._task = self._task, None
        if task is not None:
            if not silently and not task.done():
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(FAREWELL):
                        await self._idle.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        try:
            async with asyncio.timeout(FAREWELL):
                await self._teller.close()
        except Exception as error:
            log.info("the connection over which the room was told could not be closed: %s", error)

    def _wake(self) -> None:
        if self._task is not None and not self._task.done():
            self._idle.clear()
            self._news.set()

    async def _run(self) -> None:
        failures = 0
        try:
            while True:
                self._news.clear()
                if not await self._tell_due():
                    await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
                    failures += 1
                    continue
                failures = 0
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._until_next()):
                        await self._news.wait()
        except ConnectorError as error:
            log.warning("the room is not told any more: %s (%s)", error, error.code)
        finally:
            self._idle.set()

    def _until_next(self) -> float | None:
        """Seconds until somebody is to be told something; None when nobody is."""
        if not self._newcomers:
            return None
        return max(0.0, self._newcomers[0][0] - self._loop.time())

    async def _tell_due(self) -> bool:
        """Tell what is due now. False when the state could not be told. Raises ConnectorError for good."""
        state = self._state
        if state != (self._told or RoomState()):
            if not await self._tell(self._as_json(state)):
                return False
            self._told = state
        until = self._loop.time() + TOGETHER
        due = [user_id for at, user_id in self._newcomers if at <= until]
        self._newcomers = [(at, user_id) for at, user_id in self._newcomers if at > until]
        if due and self._told is not None:
            to = list(dict.fromkeys(due))
            await self._tell(self._as_json(self._told), to if len(to) <= MOST_NEWCOMERS else ())
        while self._captions and state == self._state:
            await self._tell(self._captions.popleft())
        if not self._news.is_set():
            self._idle.set()
        return True

    def _as_json(self, state: RoomState) -> dict[str, Any]:
        return {"type": "egress_state", "call_cid": self._call_cid, **asdict(state)}

    async def _tell(self, what: Mapping[str, Any], to: Sequence[str] = ()) -> bool:
        """False when the SFU did not take it. Raises ConnectorError when it never will."""
        message = json.dumps(what, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            async with asyncio.timeout(PATIENCE):
                await self._teller.tell(message, self._topic, to)
        except Exception as error:
            # A room that is not there may come again, and is waited for as long as it is attended.
            if isinstance(error, ConnectorError) and error.code != ROOM_GONE:
                raise
            if not self._failing:
                fault = None if isinstance(error, OSError | ConnectorError) else error
                log.warning("the room could not be told: %s", error or type(error).__name__, exc_info=fault)
            self._failing = True
            return False
        if self._failing:
            log.info("the room can be told again")
        self._failing = False
        return True


def telling(connector: Connector, address: Any, call_cid: str) -> Telling | None:
    """What tells the room, where the connector can and the address asks for it."""
    make: Callable[[Any], RoomTeller | None] | None = getattr(connector, "teller", None)
    try:
        teller = None if make is None else make(address)
    except ConnectorError as error:
        log.warning("the room cannot be told: %s (%s)", error, error.code)
        return None
    return None if teller is None else Telling(call_cid, teller, getattr(address, "topic", TOPIC))
