"""What a worker finds when it starts: attendants that run on, spares nobody needs, and files that nobody closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.reports import Attends, Ready
from workers.attendants import Attendant, AttendantGone
from workers.attending import Surroundings
from workers.attending.clearing import enter_unreported
from workers.attending.stale import let_finish
from workers.ledger.prompt import PromptLedger
from workers.ledger.tables import CallSession, Egress, File
from workers.settings import Settings
from workers.spares import dismiss

log = logging.getLogger(__name__)

ANSWER = 2.0
"""Seconds in which an attendant that runs says whose it is."""


@dataclass(frozen=True, slots=True)
class _Found:
    attendant: Attendant
    attends: Attends | None
    """None: it waits for a call."""


class Leftovers:
    """Deals with what agents before us left in the run folder and the spool."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._finishing: dict[asyncio.Task[None], str] = {}
        self._dismissing: set[asyncio.Task[None]] = set()
        self._awaited: dict[Attendant, tuple[str, int]] = {}
        """Attendants that were found with their session and epoch, and are left to whoever takes that session up."""

    @property
    def finishing(self) -> int:
        """Attendants that finish their files because their session is not ours any more."""
        return len(self._finishing)

    def busy(self, session_id: str) -> bool:
        """Whether a former attendant of the session is not gone yet."""
        return session_id in self._finishing.values()

    async def take_stock(self) -> None:
        """Leave to their sessions those attendants that are still theirs, and see the others off."""
        settings = self._around.settings
        found = await asyncio.gather(*(_ask(path) for path in sorted(settings.sockets.glob("*.sock"))))
        theirs = await self._around.ledger.read(lambda tx: _attendants(tx, settings))
        running: set[tuple[str, int]] = set()
        for one in found:
            path = str(one.attendant.path)
            if one.attends is None:
                # One of an older version does not say whose it is; the ledger does.
                if path in theirs:
                    await one.attendant.hang_up()
                else:
                    self._dismiss(one.attendant)
                continue
            running.add((one.attends.session_id, one.attends.epoch))
            one.attendant.pid = one.attends.pid
            if theirs.pop(path, None) == (one.attends.session_id, one.attends.epoch):
                self._awaited[one.attendant] = (one.attends.session_id, one.attends.epoch)
            else:
                self._let_finish(one.attendant, one.attends.session_id, one.attends.epoch)
        self._awaited |= {Attendant(Path(p)): of for p, of in theirs.items() if Path(p).parent == settings.sockets}
        await asyncio.to_thread(_prune_logs, settings)
        orphans = await self._around.ledger.write(lambda tx: _left_open(tx, settings, running))
        self._around.delivery.salvage(orphans)

    async def look(self, ledger: PromptLedger, held: Mapping[str, int]) -> None:
        """See those off whose session another worker got before we did. ``held``: the epochs of our sessions.

        Raises LedgerUnavailable.
        """
        for attendant, (session_id, epoch) in list(self._awaited.items()):
            if held.get(session_id) == epoch:
                del self._awaited[attendant]
        if not self._awaited:
            return
        ids = {session_id for session_id, _ in self._awaited.values()}
        still_theirs = await ledger.read(lambda tx: _epochs(tx, ids))
        for attendant, (session_id, epoch) in list(self._awaited.items()):
            if still_theirs.get(session_id) != epoch:
                del self._awaited[attendant]
                self._let_finish(attendant, session_id, epoch)

    async def close(self) -> None:
        """Let go of those that still finish; a later agent finds them."""
        for task in self._finishing:
            task.cancel()
        await asyncio.gather(*self._finishing, *self._dismissing, return_exceptions=True)

    def _dismiss(self, attendant: Attendant) -> None:
        """Send a spare home, while those who attend calls are looked after."""
        task = asyncio.create_task(dismiss(attendant), name=f"dismissal of {attendant.name}")
        self._dismissing.add(task)
        task.add_done_callback(self._dismissing.discard)

    def _let_finish(self, attendant: Attendant, session_id: str, epoch: int) -> None:
        task = asyncio.create_task(
            let_finish(self._around, attendant, session_id, epoch), name=f"stale {attendant.name}"
        )
        self._finishing[task] = session_id
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        session_id = self._finishing.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("what was left of session %s could not be finished", session_id, exc_info=error)


async def keep_company(settings: Settings) -> None:
    """Say a word to every attendant in the run folder, so that none finishes because nobody seems to be there."""
    for path in settings.sockets.glob("*.sock"):
        attendant = Attendant(path)
        with contextlib.suppress(AttendantGone):
            await attendant.connect(ANSWER)
            await attendant.ping()
        await attendant.hang_up()


async def _ask(path: Path) -> _Found:
    """Whose attendant sits at the socket."""
    attendant = Attendant(path)
    attends: Attends | None = None
    with contextlib.suppress(AttendantGone, TimeoutError):
        async with asyncio.timeout(ANSWER):
            await attendant.connect(ANSWER)
            async for report in attendant.reports():
                if isinstance(report, Attends):
                    attends = report
                if isinstance(report, Attends | Ready):
                    break
    if attends is not None:
        await attendant.hang_up()
    return _Found(attendant, attends)


def _attendants(tx: Session, settings: Settings) -> dict[str, tuple[str, int]]:
    """Sockets of this host's attendants that no other worker's lease has overtaken, with their session and epoch."""
    rows = tx.execute(
        select(CallSession.attendant_socket, CallSession.id, CallSession.epoch).where(
            CallSession.attendant_socket.is_not(None), CallSession.ended_at.is_(None)
        )
    )
    return {str(path): (session_id, epoch) for path, session_id, epoch in rows}


def _epochs(tx: Session, ids: set[str]) -> dict[str, int]:
    """The epochs of those sessions that are not over."""
    rows = tx.execute(
        select(CallSession.id, CallSession.epoch).where(CallSession.id.in_(ids), CallSession.ended_at.is_(None))
    )
    return dict(rows.tuples().all())


def _left_open(tx: Session, settings: Settings, running: set[tuple[str, int]]) -> list[File]:
    """Files of this host that nobody writes any more, and that no session of ours will come to ask for."""
    _enter_unknown(tx, settings, running)
    rows = tx.execute(
        select(File, CallSession)
        .join(Egress, Egress.id == File.egress_id)
        .join(CallSession, CallSession.id == Egress.session_id)
        .where(File.state == "open")
        .order_by(File.id)
    )
    left = []
    for file, session in rows:
        ours = session.owner == settings.owner and session.attendant_socket is not None
        if file.host in (None, settings.owner) and not ours and (session.id, file.epoch) not in running:
            left.append(file)
    return left


def _enter_unknown(tx: Session, settings: Settings, running: set[tuple[str, int]]) -> None:
    """Enter files that were begun and ended while no worker was here to be told."""
    if not settings.spools.is_dir():
        return
    for folder in sorted(settings.spools.iterdir()):
        egress = tx.get(Egress, folder.name)
        if egress is None or any(session_id == egress.session_id for session_id, _ in running):
            continue  # who runs will tell
        for file in enter_unreported(tx, settings, egress):
            log.warning("part %d of %s was found in the spool", file.part, egress.id)


def _prune_logs(settings: Settings) -> None:
    logs = sorted(settings.runs.glob("*.log"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in logs[settings.attendants.keep_logs :]:
        path.unlink(missing_ok=True)
