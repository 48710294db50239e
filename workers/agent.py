"""The loop of a worker that makes what runs match the ledger: claims sessions and looks after each of them."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.attending import Attending, Surroundings
from workers.ledger import claims
from workers.ledger.claims import LeaseLost
from workers.ledger.states import LIVE
from workers.ledger.tables import CallSession, Egress, File
from workers.settings import Settings
from workers.spares import send_home

log = logging.getLogger(__name__)

_PAUSE_AFTER_ERROR = 2.0

Snapshot = dict[str, list[tuple[str, str, str]]]
"""Session id to id, state and wish of its live egresses."""


class Agent:
    """One agent runs on a host (and data folder). ``run`` returns after ``stop`` when every call is left."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._owner = around.settings.owner
        self._attended: dict[str, tuple[Attending, asyncio.Task[None]]] = {}
        self._seen: Snapshot = {}
        self._waiting: set[str] = set()
        self._stopping = asyncio.Event()
        self._renewed = 0.0
        self._burnt: dict[str, float] = {}
        """When a session may be tried again whose supervision failed, on the loop's clock."""

    def stop(self) -> None:
        """Claim nothing more, and have every attendant finish its files."""
        self._stopping.set()
        for attending, _ in self._attended.values():
            attending.leave()

    async def run(self) -> None:
        await self._take_stock()
        self._around.spares.start()
        try:
            while not self._stopping.is_set():
                await self._look()
                await asyncio.sleep(self._around.settings.agent.poll)
            await self._around.spares.close()
            while self._attended:
                await self._renew()
                self._reap()
                await asyncio.sleep(self._around.settings.agent.poll)
            await self._around.delivery.close()
        finally:
            await self._abandon()

    async def _take_stock(self) -> None:
        """Clear up after an agent that did not end well."""
        in_use, orphans = await self._around.ledger.read(_left_behind)
        await send_home(self._around.settings, in_use)
        await asyncio.to_thread(_prune_logs, self._around.settings)
        self._around.delivery.salvage(orphans)

    async def _look(self) -> None:
        """Claim what can be claimed, and wake those whose session changed."""
        self._reap()
        now = datetime.now(UTC)
        sessions, snapshot = await self._around.ledger.read(lambda tx: _snapshot(tx, self._owner, now))
        for session in sessions:
            attended = self._attended.get(session.id)
            if attended is not None:
                if snapshot.get(session.id) != self._seen.get(session.id):
                    attended[0].look()
            elif self._burnt.get(session.id, 0.0) > asyncio.get_running_loop().time():
                continue
            elif len(self._attended) < self._around.settings.attendants.max:
                await self._claim(session, now)
            elif session.id not in self._waiting:
                self._waiting.add(session.id)
                log.warning("%s waits: %d calls are attended already", session.call_cid, len(self._attended))
        self._seen = snapshot
        await self._renew()

    async def _claim(self, session: CallSession, now: datetime) -> None:
        lease = self._around.settings.agent.lease
        epoch = await self._around.ledger.write(lambda tx: claims.claim(tx, session.id, self._owner, now, lease))
        if epoch is None:
            return
        self._waiting.discard(session.id)
        attending = Attending(session, epoch, self._around)
        task = asyncio.create_task(attending.run(), name=f"attending {session.call_cid}")
        self._attended[session.id] = (attending, task)

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        lease = self._around.settings.agent.lease
        if not self._attended or loop.time() - self._renewed < lease / 3:
            return
        self._renewed = loop.time()
        now = datetime.now(UTC)
        ids = list(self._attended)

        def renew(tx: Session) -> list[str]:
            held = {s.id: s for s in tx.scalars(select(CallSession).where(CallSession.id.in_(ids)))}
            return [
                i
                for i in ids
                if (i not in held or held[i].owner == self._owner)
                and claims.claim(tx, i, self._owner, now, lease) is None
            ]

        for session_id in await self._around.ledger.write(renew):
            log.error("the lease of session %s is lost", session_id)
            self._attended[session_id][1].cancel()

    def _reap(self) -> None:
        for session_id, (attending, task) in list(self._attended.items()):
            if not task.done():
                continue
            del self._attended[session_id]
            self._seen.pop(session_id, None)
            if task.cancelled():
                continue
            error = task.exception()
            if isinstance(error, LeaseLost):
                log.error("session %s: %s", attending.session_id, error)
            elif error is not None:
                log.error("session %s is taken up anew", attending.session_id, exc_info=error)
                self._burnt[session_id] = asyncio.get_running_loop().time() + _PAUSE_AFTER_ERROR

    async def _abandon(self) -> None:
        """Let go of what still runs; attendants go on, and a later agent finds them."""
        tasks = [task for _, task in self._attended.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attended.clear()
        await self._around.spares.close()


def _prune_logs(settings: Settings) -> None:
    logs = sorted(settings.runs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[settings.attendants.keep_logs :]:
        path.unlink(missing_ok=True)


def _left_behind(tx: Session) -> tuple[set[str], list[File]]:
    """Sockets of attendants in use, and files left open in sessions that are over."""
    sockets = tx.scalars(select(CallSession.attendant_socket).where(CallSession.attendant_socket.is_not(None))).all()
    ended = (
        select(File)
        .join(Egress, Egress.id == File.egress_id)
        .join(CallSession, CallSession.id == Egress.session_id)
        .where(File.state == "open", CallSession.attendant_socket.is_(None))
    )
    return {str(path) for path in sockets}, list(tx.scalars(ended).all())


def _snapshot(tx: Session, owner: str, now: datetime) -> tuple[list[CallSession], Snapshot]:
    sessions = list(claims.open_sessions(tx, owner, now))
    rows = tx.execute(
        select(Egress.session_id, Egress.id, Egress.state, Egress.desired)
        .where(
            Egress.session_id.in_([session.id for session in sessions]),
            Egress.state.in_([state.value for state in LIVE]),
        )
        .order_by(Egress.id)
    )
    snapshot: Snapshot = {}
    for session_id, egress_id, state, desired in rows:
        snapshot.setdefault(session_id, []).append((egress_id, state, desired))
    return sessions, snapshot
