"""The loop of a worker that makes what runs match the ledger: claims sessions and looks after each of them."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from importlib.metadata import version

from sqlalchemy.orm import Session

from workers.attending import Surroundings
from workers.attending.admission import lacks_room
from workers.attending.hold import Hold, until
from workers.capacity import Load, lacks
from workers.charge import Charge, MakeLife
from workers.ledger import claims, clock, hosts
from workers.ledger.database import LedgerUnavailable
from workers.ledger.prompt import PromptLedger
from workers.ledger.tables import CallSession
from workers.leftovers import Leftovers
from workers.snapshot import Snapshot, look
from workers.status import AgentStatus
from workers.tenure import Tenure

log = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 2.0
_PAUSE_WITHOUT_ROOM = 1.0
_AT_ONCE = 25
"""Sessions that are claimed in one transaction."""


class Agent:
    """One agent runs on a host (and data folder). ``run`` returns after ``stop`` when every call is left."""

    def __init__(self, around: Surroundings, ledger: PromptLedger, make_life: MakeLife) -> None:
        self._around = around
        self._settings = around.settings
        self._owner = around.settings.owner
        self._ledger = ledger
        self._make_life = make_life
        self._time = asyncio.get_running_loop().time
        self._tenure = Tenure(self._settings.agent.lease, self._time())
        self._cpus = float(self._settings.agent.cpus or os.cpu_count() or 1)
        self._charges: dict[str, Charge] = {}
        self._leftovers = Leftovers(around)
        self._snapshot = Snapshot()
        self._waiting: dict[str, float] = {}
        """Since when sessions wait for room."""
        self._not_before: dict[str, float] = {}
        """When a session may be tried again whose supervision failed, or that this host has no room for."""
        self._renewed = -self._settings.agent.lease
        self._others = False
        """Whether there are other workers."""
        self._ends_at: float | None = None
        """When what runs is stopped, once the worker is to end."""
        self._gave_up_waiting = False
        self._no_speech: tuple[str, str] | None = None
        """Why no text could be made of speech when that was last looked at."""

    def stop(self, drain: float = 0.0) -> None:
        """Claim nothing more; have every attendant finish its files after ``drain`` seconds, or when its call ends."""
        ends_at = self._time() + drain
        self._ends_at = ends_at if self._ends_at is None else min(self._ends_at, ends_at)

    @property
    def ends_at(self) -> float:
        """When what runs is stopped, on the event loop's clock; now, or what is past, when nothing is to run."""
        return self._time() if self._ends_at is None else self._ends_at

    @property
    def status(self) -> AgentStatus:
        load = self._load()
        charges = self._charges.values()
        return AgentStatus(
            attended=load.attended,
            watched=len(self._charges) - load.attended,
            waiting=len(self._waiting),
            stale=self._leftovers.finishing,
            cores=round(load.cores, 3),
            cpus=self._cpus,
            draining=self._ends_at is not None,
            ledger_away=self._tenure.away(self._time()),
            media_delays={c.attending.call_cid: c.attending.media_delay for c in charges if c.attending.attended},
        )

    async def run(self) -> None:
        await self._leftovers.take_stock()
        self._around.spares.start()
        try:
            while self._ends_at is None or self._charges or self._leftovers.finishing:
                pause = await self._turn()
                await asyncio.sleep(pause)
            await self._around.spares.close()
            await self._around.delivery.close()
        finally:
            await self._abandon()

    async def _turn(self) -> float:
        """Look at everything once. Returns the seconds to wait before the next turn."""
        poll = self._settings.agent.poll
        self._reap()
        self._leave_what_is_to_end()
        try:
            # In this order: after an outage we hold what is ours before anybody looks for what is nobody's.
            await self._renew()
            await self._look()
            await self._leftovers.look(self._ledger, {id_: charge.epoch for id_, charge in self._charges.items()})
        except LedgerUnavailable as error:
            if self._tenure.missed(self._time()):
                log.error("%s; attendants go on for %g s without it", error, self._settings.agent.patience)
            await self._lose_patience()
            return max(poll, min(1.0, self._tenure.interval / 5))
        if self._tenure.reached(self._time()):
            log.warning("the ledger answers again")
            self._gave_up_waiting = False
        return poll

    def _renewal_is_due(self) -> bool:
        return self._time() - self._renewed >= self._tenure.interval

    async def _renew(self) -> None:
        """Give a sign of life, and renew the leases that are ours."""
        if not self._renewal_is_due():
            return
        sent = self._time()
        lease = self._settings.agent.lease
        held = {id_: c.epoch for id_, c in self._charges.items() if not c.hold.lost.is_set()}

        def renew(tx: Session) -> tuple[set[str], bool]:
            now = clock.now(tx)
            hosts.beat(tx, self._owner, socket.gethostname(), version("wallflower"), now)
            return claims.renew(tx, self._owner, held, now, lease), hosts.others(tx, self._owner, now, lease)

        lost, self._others = await self._ledger.write(renew)
        self._renewed = sent
        for session_id in held:
            hold = self._charges[session_id].hold
            if session_id in lost:
                log.error("the lease of session %s is lost to another worker", session_id)
                hold.lose()
            else:
                hold.extend(until(sent, lease))

    async def _look(self) -> None:
        """Wake those whose session changed, give what waits its room, and claim what can be claimed."""
        take_over = self._tenure.may_take_over(self._time())
        before = self._snapshot
        self._snapshot = await self._ledger.read(lambda tx: look(tx, self._owner, before, take_over=take_over))
        speech = self._around.speech.failure
        for session_id, charge in list(self._charges.items()):
            news = self._snapshot.marks.get(session_id) != before.marks.get(session_id)
            if news or speech != self._no_speech:
                charge.attending.look()
            await self._give_room(charge)
        self._no_speech = speech
        now = self._time()
        open_ids = {session.id for session in self._snapshot.sessions}
        self._waiting = {id_: since for id_, since in self._waiting.items() if id_ in open_ids}
        self._not_before = {id_: when for id_, when in self._not_before.items() if when > now}
        if self._ends_at is None:
            await self._claim_what_fits()

    async def _claim_what_fits(self) -> None:
        costless: list[CallSession] = []
        for session in self._snapshot.sessions:
            if session.id in self._charges or session.id in self._not_before or self._leftovers.busy(session.id):
                continue
            if self._snapshot.demand(session.id) == 0:
                costless.append(session)
                continue
            ours = session.owner == self._owner
            if (why := self._lacks(session.id)) is not None and not ours:
                self._wait(session.call_cid, session.id, why)
                continue
            await self._claim(session, ours=ours)
            if self._renewal_is_due():
                return  # what is ours already comes first; the rest has its turn after it
        for first in range(0, len(costless), _AT_ONCE):
            await self._claim_costless(costless[first : first + _AT_ONCE])
            if self._renewal_is_due():
                return

    async def _claim(self, found: CallSession, *, ours: bool) -> None:
        lease = self._settings.agent.lease
        sent = self._time()
        # Another host may have room in its spool where this one has none; but somebody has to say that nobody has.
        choosy = not ours and self._others and sent - self._waiting.get(found.id, sent) < lease

        def take(tx: Session) -> CallSession | str | None:
            if choosy and (why := lacks_room(tx, self._settings, found.id)) is not None:
                return why
            epoch = claims.claim(tx, found.id, self._owner, clock.now(tx), lease)
            return None if epoch is None else tx.get_one(CallSession, found.id)

        session = await self._ledger.write(take)
        if isinstance(session, str):
            self._wait(found.call_cid, found.id, session)
            self._not_before[found.id] = self._time() + _PAUSE_WITHOUT_ROOM
        elif session is not None:
            await self._give_room(self._take_charge(session, sent))

    async def _claim_costless(self, found: list[CallSession]) -> None:
        """Claim sessions at once in which there is nothing to record."""
        sent = self._time()

        def take(tx: Session) -> list[CallSession]:
            now, lease = clock.now(tx), self._settings.agent.lease
            return [
                tx.get_one(CallSession, session.id)
                for session in found
                if claims.claim(tx, session.id, self._owner, now, lease) is not None
            ]

        for session in await self._ledger.write(take):
            self._take_charge(session, sent)

    def _take_charge(self, session: CallSession, sent: float) -> Charge:
        """Look after a session that was claimed; ``sent`` is when that was asked for."""
        self._waiting.pop(session.id, None)
        hold = Hold(session.id, session.epoch, until(sent, self._settings.agent.lease))
        charge = Charge(session, hold, self._around, self._make_life)
        self._charges[session.id] = charge
        if charge.found_attendant:
            charge.attending.permit()
        return charge

    async def _give_room(self, charge: Charge) -> None:
        """Let it be attended when it asks for that and fits; else others may have it, where there are others."""
        attending = charge.attending
        asked = self._snapshot.demand(charge.id)
        if attending.permitted or attending.attended:
            if asked == 0 and attending.waiting:
                attending.permitted = False
            return
        if asked == 0:
            return
        if (why := self._lacks(charge.id)) is None:
            self._waiting.pop(charge.id, None)
            attending.permit()
            return
        self._wait(attending.call_cid, charge.id, why)
        if self._others and attending.waiting:
            await self._give_back(charge)

    async def _give_back(self, charge: Charge) -> None:
        """Leave a session that nobody attends to other workers."""
        await charge.close()
        self._charges.pop(charge.id, None)

        def release(tx: Session) -> None:
            session = claims.owned(tx, charge.id, charge.epoch)
            if session.attendant_socket is None:
                claims.release(session)

        try:
            await self._ledger.write(release)
        except claims.LeaseLost:
            return
        self._not_before[charge.id] = self._time() + _PAUSE_WITHOUT_ROOM

    def _wait(self, call_cid: str, session_id: str, why: str) -> None:
        if session_id not in self._waiting:
            self._waiting[session_id] = self._time()
            log.warning("%s waits: %s", call_cid, why)

    def _lacks(self, session_id: str) -> str | None:
        most = self._settings.attendants.max
        return lacks(self._load(), self._snapshot.demand(session_id), self._cpus, most)

    def _load(self) -> Load:
        load = Load()
        for charge in self._charges.values():
            if charge.attending.permitted or charge.attending.attended:
                load = load.plus(self._snapshot.demand(charge.id))
        return load

    def _leave_what_is_to_end(self) -> None:
        if self._ends_at is None:
            return
        now = self._time()
        for charge in self._charges.values():
            # What is only watched another worker can watch at once; what runs has its time.
            if charge.attending.waiting or now >= self._ends_at:
                charge.attending.leave()

    async def _lose_patience(self) -> None:
        if not self._gave_up_waiting and self._tenure.away(self._time()) > self._settings.agent.patience:
            self._gave_up_waiting = True
            log.error("the ledger is away for %g s: attendants finish their files", self._settings.agent.patience)
            await asyncio.gather(*(charge.attending.finish() for charge in self._charges.values()))

    def _reap(self) -> None:
        for session_id, charge in list(self._charges.items()):
            if not charge.done:
                charge.tend()
                continue
            del self._charges[session_id]
            self._snapshot.marks.pop(session_id, None)
            if charge.failed:
                self._not_before[session_id] = self._time() + _PAUSE_AFTER_ERROR

    async def _abandon(self) -> None:
        """Let go of what still runs; attendants go on, and a later agent finds them."""
        await asyncio.gather(*(charge.close() for charge in self._charges.values()))
        self._charges.clear()
        await self._leftovers.close()
        await self._around.spares.close()
