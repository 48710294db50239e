"""Manifests of egresses that are over: due when the last file is delivered, and put beside the files by some worker.

A manifest is made of what the ledger knows, at the moment at which it is sent. So nothing of it lies in a spool, no
restart can lose it, and any worker can deliver it: the one that delivered the last file, or another when that is gone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_, delete, or_, select, update
from sqlalchemy.orm import Session

from storage.keys import beside
from workers.ledger import clock, receptions, restraints
from workers.ledger.insert import insert_new
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress, File, Manifest, WorkerHost
from workers.manifest import Manifest as Told

SUFFIX = ".manifest.json"
TRYING = 120.0
"""Seconds for which a manifest is left to the worker that tries to deliver it: longer than a store may take."""

_KINDS = ("composite_recording", "web_recording", "transcription")
_ENDED = (State.COMPLETE, State.FAILED)
_OVER = ("delivered", "dropped")


@dataclass(frozen=True, slots=True)
class Reach:
    """Which manifests a worker delivers: its own, and those of workers that are gone."""

    host: str
    stores: frozenset[str]
    shared: frozenset[str]
    """Those of them that other workers' files are in, too. A folder of a machine is its own worker's alone."""
    abandoned: float
    """Seconds without a sign of life after which a worker counts as gone."""


@dataclass(frozen=True, slots=True)
class Due:
    """A manifest that this worker is to put in a store now."""

    egress_id: str
    call_cid: str
    key: str
    revision: int
    text: str


def settle(tx: Session, egress: Egress) -> None:
    """Have the manifest delivered, anew if need be, when the egress is over and all of its files are."""
    if egress.kind not in _KINDS or State(egress.state) not in _ENDED:
        return
    tx.flush()
    files = tx.scalars(select(File).where(File.egress_id == egress.id).order_by(File.part, File.id)).all()
    delivered = [file for file in files if file.state == "delivered" and file.key is not None]
    if not delivered or any(file.state not in _OVER for file in files):
        return
    now = clock.now(tx)
    key = beside(delivered[0].key or "", SUFFIX)
    last = max(delivered, key=lambda file: (file.end_time or file.start_time, file.id))
    if insert_new(tx, Manifest, egress_id=egress.id, state="due", host=last.host, key=key, revision=1, not_before=now):
        return
    row = tx.get_one(Manifest, egress.id)
    row.state, row.host, row.not_before, row.error = "due", last.host, now, None
    row.revision += 1


def stores_waiting(tx: Session, reach: Reach) -> set[str]:
    """Stores for which this worker has manifests to deliver, be it now or later."""
    return set(tx.scalars(select(Egress.storage).join(Manifest).where(_within(tx, reach)).distinct()))


def take(tx: Session, reach: Reach, store: str) -> Due | None:
    """A manifest for that store that is to be tried now; nobody else tries it meanwhile. None when there is none."""
    now = clock.now(tx)
    row = tx.scalars(
        select(Manifest)
        .join(Egress, Egress.id == Manifest.egress_id)
        .where(_within(tx, reach), Egress.storage == store, Manifest.not_before <= now)
        .order_by(Manifest.not_before, Manifest.egress_id)
        .limit(1)
    ).first()
    if row is None:
        return None
    row.not_before = now + timedelta(seconds=TRYING)
    egress = tx.get_one(Egress, row.egress_id)
    files = tx.scalars(select(File).where(File.egress_id == egress.id).order_by(File.part, File.id)).all()
    told = Told.of(egress, files, receptions.of(tx, egress.id), _moderation(tx, egress), _beside(tx, egress))
    return Due(egress.id, egress.call_cid, row.key, row.revision, told.text())


def _moderation(tx: Session, egress: Egress) -> tuple[list[restraints.Restraint], int]:
    """Who was moderated while it ran. It does not reach into a page."""
    start, end = egress.started_at, egress.stopped_at or egress.ended_at
    if start is None or end is None or egress.spec.get("page") is not None:
        return [], 0
    said = tx.get_one(CallSession, egress.session_id).directions or {}
    return restraints.between(said.get("restraints", {}), start, end)


def _beside(tx: Session, egress: Egress) -> list[tuple[Egress, File]]:
    """The files of recordings of the same session that are in their stores, where a transcript goes with them."""
    if egress.kind != "transcription":
        return []
    query = (
        select(Egress, File)
        .join(File, File.egress_id == Egress.id)
        .where(Egress.session_id == egress.session_id, Egress.kind != egress.kind, File.state == "delivered")
        .order_by(File.start_time, File.id)
    )
    return [(recording, file) for recording, file in tx.execute(query)]


def delivered(tx: Session, due: Due, url: str) -> None:
    """The store has it. What has come to be told meanwhile makes it due again."""
    row = tx.get_one(Manifest, due.egress_id)
    row.url = url
    if row.revision == due.revision:
        row.state, row.error = "delivered", None


def failing(tx: Session, due: Due, error: str, pause: float) -> bool:
    """The store did not take it: it is tried again after so many seconds. Returns whether that error is a new one."""
    row = tx.get_one(Manifest, due.egress_id)
    news = row.error != error[:1000]
    row.error, row.not_before = error[:1000], clock.now(tx) + timedelta(seconds=pause)
    return news


def begin_anew(tx: Session, host: str) -> None:
    """The worker has just begun: what it has to deliver may be tried at once."""
    mine = update(Manifest).where(Manifest.state == "due", Manifest.host == host)
    tx.execute(mine.values(not_before=clock.now(tx)), execution_options={"synchronize_session": False})


def forget(tx: Session, reach: Reach) -> None:
    """None are wanted."""
    due = select(Manifest.egress_id).join(Egress).where(_within(tx, reach))
    tx.execute(delete(Manifest).where(Manifest.egress_id.in_(due)), execution_options={"synchronize_session": False})


def of_egress(tx: Session, egress_id: str) -> Manifest | None:
    return tx.get(Manifest, egress_id)


def _within(tx: Session, reach: Reach) -> ColumnElement[bool]:
    alive = select(WorkerHost.id).where(WorkerHost.seen_at >= clock.now(tx) - timedelta(seconds=reach.abandoned))
    orphaned = and_(Egress.storage.in_(reach.shared), Manifest.host.not_in(alive))
    return and_(
        Manifest.state == "due",
        Egress.storage.in_(reach.stores),
        or_(Manifest.host.is_(None), Manifest.host == reach.host, orphaned),
    )
