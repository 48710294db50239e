"""Files of egresses: opened, closed or salvaged, delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from storage.keys import KeyFields, fill
from workers.events import payloads
from workers.ledger import lifecycle, transcripts
from workers.ledger.outbox import put
from workers.ledger.tables import Egress, File

OVER = ("delivered", "dropped")
"""States in which nothing more is expected of a file."""


def opened(
    tx: Session,
    egress: Egress,
    *,
    epoch: int,
    part: int,
    path: Path,
    start_time: datetime,
    host: str,
    template: str | None = None,
) -> File:
    """A file is being written. Told again, it stays as it is.

    With a template it gets its key at once, so that it can be sent while it grows; else when it is closed.
    """
    file = _file(tx, egress.id, epoch, part)
    if file is None:
        file = File(
            egress_id=egress.id,
            epoch=epoch,
            part=part,
            state="open",
            host=host,
            spool_path=str(path),
            start_time=start_time,
        )
        tx.add(file)
        tx.flush()
    if template is not None and file.key is None:
        file.key = _key(tx, file, egress, template)
    egress.next_part = max(egress.next_part, part + 1)
    return file


def closed(
    file: File,
    egress: Egress,
    template: str,
    *,
    start_time: datetime,
    end_time: datetime,
    size: int,
    duration: float,
    salvaged: bool = False,
) -> None:
    """A file is whole, or as whole as it will get. So it may be after another host had written it off."""
    if file.state != "open" and not written_off(file):
        return
    file.upload = file.upload if file.state == "open" else None
    file.state, file.error = "closed", None
    file.start_time, file.end_time = start_time, end_time
    file.size, file.duration, file.salvaged = size, duration, salvaged
    if file.key is None:
        tx = object_session(file)
        assert tx is not None
        file.key = _key(tx, file, egress, template)


def written_off(file: File) -> bool:
    """Whether another host ended it in its absence: the spool of its own host may have more of it."""
    return file.state in OVER and file.upload is not None and "written_off_by" in file.upload


def dropped(tx: Session, file: File, error: str, now: datetime) -> None:
    """Nothing in it can be played, or nothing is left of it."""
    if file.state in OVER:
        return
    file.state, file.error, file.upload = "dropped", error[:1000], None
    egress = tx.get_one(Egress, file.egress_id)
    if egress.kind == "transcription":
        transcripts.delivered(tx, egress, now)
    lifecycle.settle(tx, egress, now)


def delivered(
    tx: Session, file_id: int, url: str, size: int, now: datetime, *, leftover: dict[str, Any] | None = None
) -> None:
    """The store has it: tell so, and complete its egress when this was the last one.

    ``leftover`` is what remains to be done about the spool file.
    """
    file = tx.get_one(File, file_id)
    if file.state != "closed":
        return
    file.state, file.url, file.size, file.error, file.upload = "delivered", url, size, None, leftover
    egress = tx.get_one(Egress, file.egress_id)
    assert file.key is not None and file.end_time is not None
    if egress.kind == "transcription":
        transcripts.delivered(tx, egress, now)
        lifecycle.settle(tx, egress, now)
        return
    payload = payloads.recording_ready(
        egress.call_cid,
        egress.id,
        egress.recording_type,
        now,
        session_id=egress.session_id,
        filename=Path(file.key).name,
        url=url,
        start_time=file.start_time,
        end_time=file.end_time,
    )
    put(tx, payload, now)
    lifecycle.settle(tx, egress, now)
    transcripts.accompanied(tx, egress)


def deliverable(tx: Session) -> Sequence[File]:
    return tx.scalars(select(File).where(File.state == "closed").order_by(File.id)).all()


def left_open(tx: Session, session_id: str) -> Sequence[File]:
    """Files of the session that nobody closed."""
    query = select(File).join(Egress, Egress.id == File.egress_id)
    return tx.scalars(query.where(Egress.session_id == session_id, File.state == "open").order_by(File.id)).all()


def of_egress(tx: Session, egress_id: str) -> Sequence[File]:
    return tx.scalars(select(File).where(File.egress_id == egress_id).order_by(File.part, File.id)).all()


def _key(tx: Session, file: File, egress: Egress, template: str) -> str:
    """The key of a file; where the template would give two files of an egress the same, the epoch tells them apart."""
    fields = KeyFields(
        call_cid=egress.call_cid,
        session_id=egress.session_id,
        egress_id=egress.id,
        epoch=file.epoch,
        part=file.part,
        start_time=file.start_time,
        ext=Path(file.spool_path).suffix.lstrip(".") or "bin",
    )
    key = fill(template, fields)
    taken = tx.scalars(select(File.key).where(File.egress_id == egress.id, File.id != file.id)).all()
    if key not in taken:
        return key
    name = PurePosixPath(key)
    return str(name.with_name(f"{name.stem}_e{file.epoch}{name.suffix}"))


def _file(tx: Session, egress_id: str, epoch: int, part: int) -> File | None:
    return tx.scalars(select(File).where(File.egress_id == egress_id, File.epoch == epoch, File.part == part)).first()


def by_part(tx: Session, egress_id: str, epoch: int, part: int) -> File | None:
    return _file(tx, egress_id, epoch, part)


def salvaged(tx: Session, file_id: int, size: int, duration: float, template: str) -> None:
    """A file that its writer left open plays for ``duration`` seconds."""
    file = tx.get_one(File, file_id)
    egress = tx.get_one(Egress, file.egress_id)
    if file.state == "closed":
        return
    closed(
        file,
        egress,
        template,
        start_time=file.start_time,
        end_time=file.start_time + timedelta(seconds=duration),
        size=size,
        duration=duration,
        salvaged=True,
    )
