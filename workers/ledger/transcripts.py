"""Transcripts in the ledger: which are to be made, what was made of them, and who is told when they are delivered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from sqlalchemy import and_, exists, or_, select
from sqlalchemy.orm import Session

from storage.keys import KeyFields, beside, fill
from workers.events import payloads
from workers.ledger import clock, manifests, speech
from workers.ledger.outbox import put
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress, File, Manifest, TranscriptLine, WorkerHost

SUFFIX = ".jsonl"
_OVER = ("delivered", "dropped")


@dataclass(frozen=True, slots=True)
class Made:
    """A file of a transcript in the spool. ``language`` is that of a translation, None of what was said."""

    path: Path
    language: str | None
    size: int


def due(tx: Session, host: str, abandoned: float) -> Sequence[Egress]:
    """Transcriptions that are over and have no files yet, as far as they are this worker's to make.

    They are its own, and those of workers that gave no sign of life for so many seconds.
    """
    alive = select(WorkerHost.id).where(WorkerHost.seen_at >= clock.now(tx) - timedelta(seconds=abandoned))
    ours = or_(Egress.host.is_(None), Egress.host == host, Egress.host.not_in(alive))
    some = exists().where(TranscriptLine.egress_id == Egress.id)
    wanted = or_(
        and_(Egress.state == State.FINALIZING.value, Egress.started_at.is_not(None)),
        and_(Egress.state == State.FAILED.value, some),
    )
    return tx.scalars(
        select(Egress)
        .where(
            Egress.kind == speech.TRANSCRIPTION,
            Egress.files_closed == True,  # noqa: E712
            ~exists().where(File.egress_id == Egress.id),
            ours,
            wanted,
        )
        .order_by(Egress.created_at, Egress.id)
    ).all()


def enter(tx: Session, egress_id: str, made: Sequence[Made], host: str, template: str, now: datetime) -> bool:
    """The transcript's files lie in the spool, to be delivered. False when another worker was first."""
    egress = tx.get_one(Egress, egress_id, with_for_update=True, populate_existing=True)
    if tx.scalar(select(exists().where(File.egress_id == egress_id))):
        return False
    start = egress.started_at or egress.created_at
    end = max(egress.stopped_at or egress.ended_at or now, start)
    epoch = tx.get_one(CallSession, egress.session_id).epoch
    fields = KeyFields(
        call_cid=egress.call_cid,
        session_id=egress.session_id,
        egress_id=egress.id,
        epoch=epoch,
        part=1,
        start_time=start,
        ext=SUFFIX.lstrip("."),
    )
    key = fill(template, fields)
    for number, one in enumerate(made, start=1):
        language = f".{one.language}" if one.language else ""
        tx.add(
            File(
                egress_id=egress.id,
                epoch=epoch,
                part=number,
                state="closed",
                host=host,
                spool_path=str(one.path),
                key=beside(key, f"{language}{one.path.suffix}"),
                size=one.size,
                start_time=start,
                end_time=end,
                duration=(end - start).total_seconds(),
            )
        )
    egress.next_part = len(made) + 1
    tx.flush()
    return True


def delivered(tx: Session, egress: Egress, now: datetime) -> None:
    """One of the files is over: when all are, the transcripts among them are told, and what they hold is forgotten."""
    tx.flush()
    found = tx.scalars(select(File).where(File.egress_id == egress.id).order_by(File.part)).all()
    if any(file.state not in _OVER for file in found):
        return
    first = next((file.key for file in found), None) or ""
    for file in found:
        if file.state != "delivered" or not file.key or not file.key.endswith(SUFFIX):
            continue
        language = PurePosixPath(file.key).stem.removeprefix(PurePosixPath(first).stem).lstrip(".")
        assert file.url is not None and file.end_time is not None
        payload = payloads.transcription_ready(
            egress.call_cid,
            egress.id,
            now,
            session_id=egress.session_id,
            filename=PurePosixPath(file.key).name,
            url=file.url,
            start_time=file.start_time,
            end_time=file.end_time,
            language=language or None,
        )
        put(tx, payload, now)
    speech.forget(tx, egress.id)


def accompanied(tx: Session, recording: Egress) -> None:
    """A recording has a file more: the manifests of the session's transcripts tell where they are in it."""
    told = (
        select(Egress)
        .join(Manifest, Manifest.egress_id == Egress.id)
        .where(Egress.session_id == recording.session_id, Egress.kind == speech.TRANSCRIPTION)
    )
    for egress in tx.scalars(told).all():
        manifests.settle(tx, egress)
