"""How far the uploads of files are, written down: who sends what, what was left, and what another host takes over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, CursorResult, func, null, or_, select, update
from sqlalchemy.orm import Session

from workers.ledger import files, hosts, lifecycle
from workers.ledger.states import State
from workers.ledger.tables import Egress, File

UNFINISHED = ("open", "closed")


@dataclass(frozen=True, slots=True)
class Pending:
    """A file that is not delivered yet, and what matters of its egress."""

    file: File
    store: str
    spec: dict[str, Any]
    call_cid: str


@dataclass(frozen=True, slots=True)
class Backlog:
    """What one store still has to take."""

    store: str
    files: int
    """Files that are closed and wait."""
    bytes: int
    """Bytes of them that were not sent yet."""
    growing: int
    """Files that are still written."""
    oldest: datetime | None
    """When the oldest waiting file ended."""


def pending(tx: Session, host: str) -> list[Pending]:
    """Files that this host has to deliver, the oldest first."""
    return _pending(tx, or_(File.host == host, File.host.is_(None)))


def unfinished(tx: Session) -> list[Pending]:
    """Files that any host has to deliver, the oldest first."""
    return _pending(tx)


def _pending(tx: Session, *conditions: ColumnElement[bool]) -> list[Pending]:
    query = (
        select(File, Egress)
        .join(Egress, Egress.id == File.egress_id)
        .where(File.state.in_(UNFINISHED), *conditions)
        .order_by(File.id)
    )
    return [Pending(file, egress.storage, egress.spec, egress.call_cid) for file, egress in tx.execute(query)]


def waiting(tx: Session, host: str) -> int:
    """How many closed files this host has to deliver."""
    query = select(func.count()).select_from(File)
    mine = or_(File.host == host, File.host.is_(None))
    return tx.execute(query.where(File.state == "closed", mine)).scalar_one()


def record(tx: Session, file_id: int, host: str, upload: dict[str, Any] | None) -> bool:
    """Note how far an upload is; False when the file is not this host's to send any more."""
    return _changed(
        tx,
        update(File)
        .where(File.id == file_id, File.state.in_(UNFINISHED), or_(File.host == host, File.host.is_(None)))
        .values(upload=null() if upload is None else upload),
    )


def failing(tx: Session, file_id: int, error: str | None) -> None:
    """Why it is not delivered yet, for people."""
    file = tx.get_one(File, file_id)
    if file.state in UNFINISHED:
        file.error = error if error is None else error[:1000]


def delivered(tx: Session, file_id: int, host: str, url: str, size: int, now: datetime, *, left: bool) -> bool:
    """The store has the file that this host sent. While its spool file is ``left``, that stays noted."""
    file = tx.get_one(File, file_id, with_for_update=True, populate_existing=True)
    if file.state != "closed" or file.host not in (None, host):
        return False
    file.host = host
    files.delivered(tx, file_id, url, size, now, leftover={"remove": True} if left else None)
    return True


def abandoned(tx: Session, host: str, now: datetime, after: float) -> list[tuple[File, str]]:
    """Unfinished files, and their stores, of workers that gave no sign of life for ``after`` seconds.

    ``now`` is the ledger's clock.
    """
    gone = [one for one in hosts.gone(tx, now, after) if one != host]
    if not gone:
        return []
    query = (
        select(File, Egress.storage)
        .join(Egress, Egress.id == File.egress_id)
        .where(File.state.in_(UNFINISHED), File.host.in_(gone))
        .order_by(File.id)
    )
    return list(tx.execute(query))


def take_over(tx: Session, file: File, host: str) -> bool:
    """Make the upload of a dead worker ours; False when somebody else was first.

    What it had noted of its upload tells from then on in whose spool the file lies.
    """
    spool_host = (file.upload or {}).get("spool_host") or file.host
    return _changed(
        tx,
        update(File)
        .where(File.id == file.id, File.host == file.host, File.state.in_(UNFINISHED))
        .values(host=host, upload={**(file.upload or {}), "spool_host": spool_host}),
    )


def completed_elsewhere(
    tx: Session, file_id: int, host: str, url: str, size: int, end_time: datetime, now: datetime
) -> bool:
    """The upload of a dead worker is a file up to what it had sent. Should it return, it may still have more."""
    file = _taken(tx, file_id, host)
    if file is None:
        return False
    whole = file.state == "closed" and file.size == size
    if not whole:
        file.state, file.size, file.salvaged = "closed", size, True
        file.end_time = max(end_time, file.start_time + timedelta(milliseconds=1))
        file.duration = (file.end_time - file.start_time).total_seconds()
    spool_host = (file.upload or {}).get("spool_host")
    files.delivered(tx, file_id, url, size, now, leftover={"written_off_by": host})
    file.host = spool_host or host
    return True


def written_off(tx: Session, file_id: int, host: str, error: str, now: datetime) -> bool:
    """Nothing of it can be had without its worker. Should that return, it delivers what it has."""
    file = _taken(tx, file_id, host)
    if file is None:
        return False
    spool_host = (file.upload or {}).get("spool_host")
    file.state, file.error = "dropped", error[:1000]
    file.upload, file.host = {"written_off_by": host}, spool_host or host
    lifecycle.settle(tx, tx.get_one(Egress, file.egress_id), now)
    return True


def leftovers(tx: Session, host: str) -> Sequence[File]:
    """Files that are over and whose spool file is still to be seen to."""
    query = select(File).where(File.host == host, File.state.in_(files.OVER), File.upload.is_not(None))
    return tx.scalars(query.order_by(File.id)).all()


def seen_to(tx: Session, file_id: int, host: str) -> bool:
    """Nothing of it is left to do. Returns whether its egress is over, so that its folder may go."""
    file = tx.get_one(File, file_id)
    if file.host == host and file.state in files.OVER:
        file.upload = None
    return State(tx.get_one(Egress, file.egress_id).state).over


def found_again(tx: Session, file_id: int, host: str, size: int, duration: float, template: str) -> bool:
    """The spool of a worker that returned has more of a file than was delivered without it: it goes up anew."""
    file = tx.get_one(File, file_id, with_for_update=True, populate_existing=True)
    if file.host != host or not files.written_off(file):
        return False
    files.closed(
        file,
        tx.get_one(Egress, file.egress_id),
        template,
        start_time=file.start_time,
        end_time=file.start_time + timedelta(seconds=duration),
        size=size,
        duration=duration,
        salvaged=True,
    )
    return True


def backlog(tx: Session) -> list[Backlog]:
    """What is not delivered yet, store by store. Bytes of growing files are nobody's backlog: they are being made."""
    query = (
        select(Egress.storage, File.state, File.size, File.upload, File.end_time)
        .join(Egress, Egress.id == File.egress_id)
        .where(File.state.in_(UNFINISHED))
    )
    found: dict[str, Backlog] = {}
    for store, state, size, upload, ended in tx.execute(query):
        one = found.get(store, Backlog(store, 0, 0, 0, None))
        if state == "open":
            found[store] = Backlog(store, one.files, one.bytes, one.growing + 1, one.oldest)
            continue
        sent = sum(part["size"] for part in (upload or {}).get("parts", []))
        oldest = min((at for at in (one.oldest, ended) if at is not None), default=None)
        found[store] = Backlog(store, one.files + 1, one.bytes + max(0, (size or 0) - sent), one.growing, oldest)
    return [found[store] for store in sorted(found)]


def _taken(tx: Session, file_id: int, host: str) -> File | None:
    file = tx.get_one(File, file_id, with_for_update=True, populate_existing=True)
    return file if file.host == host and file.state in UNFINISHED else None


def _changed(tx: Session, statement: Any) -> bool:
    result = tx.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == 1)
