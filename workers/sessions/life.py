"""The life of one claimed session: who is there, what that starts and stops, and when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session

from workers.calls.automatic import automatic
from workers.calls.settings import effective
from workers.ledger import clock, sessions, wishes
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import Call, CallSession
from workers.refused import Refused
from workers.sessions.lookout import Lookout
from workers.sessions.policy import REASONS, Decision, Facts, decide
from workers.sessions.presence import Presence, Room
from workers.settings import Settings

log = logging.getLogger(__name__)

UNMADE = 60.0
"""Seconds from its beginning for which the room of a session may not be there yet."""
REMADE = 10.0
"""Seconds for which a room may be missing after its SFU was away: who made it has to make it anew."""
LONGEST_WAIT = 60.0
"""Seconds after which is decided anew at the latest: the clock of the ledger may have been set."""

Automatic = frozenset[tuple[str, str]]
"""Kinds and types of outputs that start by themselves."""


class Around(Protocol):
    """What a life needs of its surroundings."""

    @property
    def settings(self) -> Settings: ...
    @property
    def ledger(self) -> AsyncLedger: ...
    @property
    def lookout(self) -> Lookout: ...


@dataclass(frozen=True, slots=True)
class _Step:
    """What came of a look into the ledger."""

    cid: str
    address: dict[str, Any]
    announced: bool
    over: bool
    room: Room
    wait: float = LONGEST_WAIT
    """Seconds after which time alone may call for the next step."""
    automatic: Automatic = frozenset()
    said: tuple[str, ...] = ()
    """What is worth a line in the log."""


class SessionLife:
    """Watches a session while nobody attends it, and starts, stops and ends what is due, fenced by the lease's epoch.

    One runs a claimed session; all state that must survive is in the ledger. ``clock`` gives a transaction's time.
    """

    def __init__(
        self, session_id: str, epoch: int, around: Around, clock: Callable[[Session], datetime] = clock.now
    ) -> None:
        self.session_id = session_id
        self.epoch = epoch
        self._around = around
        self._clock = clock
        self._changed = asyncio.Event()
        self._presence = Presence(around.lookout, around.settings.agent.watch, self.look)
        self._automatic: Automatic | None = None
        """What the settings start by themselves, when that was last looked at."""

    def attended(self, participants: int | None) -> None:
        """How many guests the attendant sees; None when no attendant is in the call: then the room is watched."""
        self._presence.attended(participants)

    def look(self) -> None:
        """Something may be different."""
        self._changed.set()

    async def run(self) -> None:
        """Until the session is over (``ended_at``). Raises LeaseLost when another worker has it."""
        with self._around.lookout.following(self._around.ledger, self.session_id, self.look):
            step = await self._step()
            # Whoever asked for something without an announcement has an attendant on its way.
            after = 0.0 if step.announced else self._around.settings.agent.watch
            watch = self._presence.watch(step.cid, step.address, first_after=after)
            watching = asyncio.create_task(watch, name=f"watching {step.cid}")
            try:
                while not step.over:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(step.wait):
                            await self._changed.wait()
                    self._changed.clear()
                    step = await self._step()
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

    async def _step(self) -> _Step:
        """Do what is due."""
        room, automatic_before = self._presence.room, self._automatic
        step = await self._around.ledger.write(lambda tx: self._decide(tx, room, automatic_before))
        for line in step.said:
            log.info("%s: %s", step.cid, line)
        if self._presence.room is room:
            self._presence.room = step.room
        if not step.over:
            self._automatic = step.automatic
        return step

    def _decide(self, tx: Session, room: Room, before: Automatic | None) -> _Step:
        """Runs in the ledger's thread, perhaps more than once: nothing of ours is changed here."""
        session = sessions.held(tx, self.session_id, self.epoch)
        if session.ended_at is not None:
            return _Step(session.call_cid, session.connector, session.announced, True, room)
        now = self._clock(tx)
        limits = effective(self._around.settings, tx.get(Call, session.call_cid), session.call_cid)
        wanted, problem = self._automatic_wishes(tx, session)
        kinds = frozenset((wish.kind, wish.recording_type) for wish in wanted)
        if room.missing and room.missing_since is None:
            known = room.seen or session.first_join_at is not None
            room = replace(room, missing_since=now if known else session.created_at)
        facts = Facts(
            now=now,
            first_join_at=session.first_join_at,
            empty_since=session.empty_since,
            end_reason=session.end_reason,
            present=room.present,
            missing_since=room.missing_since,
            patience=_patience(room, session),
            wanted_at=sessions.wanted_at(tx, session.id),
            automatic_is_new=before is not None and bool(kinds - before),
            inactivity_timeout=limits.session.inactivity_timeout_seconds,
            max_duration=limits.limits.max_duration_seconds,
        )
        decision = decide(facts)
        sessions.note(tx, session, decision, room.present, now)
        said = _said(facts, decision, session.id)
        if decision.begin != "nothing":
            said += problem
            if decision.begin == "what is new":
                wanted = [w for w in wanted if (w.kind, w.recording_type) not in (before or ())]
            said += [_begin(tx, wish, now) for wish in wanted]
        over = sessions.settle(tx, session, now)
        wait = LONGEST_WAIT
        if decision.again_at is not None:
            wait = min(wait, max(0.0, (decision.again_at - now).total_seconds()) + 0.001)
        return _Step(session.call_cid, session.connector, session.announced, over, room, wait, kinds, tuple(said))

    def _automatic_wishes(self, tx: Session, session: CallSession) -> tuple[list[wishes.Wish], list[str]]:
        """What the settings start by themselves now, or why that cannot be had."""
        if not session.announced:
            return [], []
        try:
            return automatic(self._around.settings, tx, session), []
        except Refused as error:
            return [], [f"nothing starts by itself: {error}"]


def _patience(room: Room, session: CallSession) -> float:
    if not room.seen and session.first_join_at is None:
        return UNMADE
    return REMADE if room.was_away else 0.0


def _begin(tx: Session, wish: wishes.Wish, now: datetime) -> str:
    """Ask for what the settings start by themselves. Returns what came of it."""
    try:
        written = wishes.want(tx, wish, now)
    except Refused as error:
        return f"{wishes.called(wish)} does not start by itself: {error}"
    return f"{written.egress_id} {'starts by itself' if written.created else 'runs already'}"


def _said(facts: Facts, decision: Decision, session_id: str) -> list[str]:
    said = []
    if decision.first_join:
        said.append(f"session {session_id} begins, {facts.present} came")
    elif decision.occupied is False:
        said.append(f"all have left session {session_id}")
    elif decision.occupied:
        said.append(f"{facts.present} came back to session {session_id}")
    if decision.stop is not None and facts.end_reason is None:
        said.append(f"everything is stopped: {REASONS.get(decision.stop, decision.stop)}")
    if decision.end is not None:
        said.append(f"session {session_id} ends: {REASONS.get(decision.end, decision.end)}")
    return said
