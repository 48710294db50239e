"""What can happen to an egress: each step moves its state and puts the event that tells it in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, object_session

from workers.ledger import manifests, steps
from workers.ledger.outbox import put
from workers.ledger.states import LIVE, State, moved
from workers.ledger.tables import Egress, File
from workers.observing import metrics

UNFINISHED = ("open", "closed")
"""States of files that are still to be delivered."""


def live_egresses(tx: Session, session_id: str) -> Sequence[Egress]:
    return tx.scalars(
        select(Egress)
        .where(Egress.session_id == session_id, Egress.state.in_([s.value for s in LIVE]))
        .order_by(Egress.created_at, Egress.id)
    ).all()


def move(egress: Egress, to: State, now: datetime) -> None:
    egress.state = moved(State(egress.state), to).value
    egress.updated_at = now
    if to.over:
        egress.ended_at = now
        if (tx := object_session(egress)) is not None:
            metrics.when_written(tx, metrics.EGRESSES_OVER.labels(egress.kind, to.value))


def starting(egress: Egress, now: datetime) -> None:
    """An attendant is told to start it, for the first time or again."""
    if State(egress.state) is not State.STARTING:
        move(egress, State.STARTING, now)


def started(tx: Session, egress: Egress, at: datetime, now: datetime) -> None:
    """The first picture is recorded. Told once, however often the recording is taken up again."""
    if State(egress.state) is State.STARTING:
        move(egress, State.ACTIVE, now)
    if egress.started_at is None:
        egress.started_at = at
        put(tx, steps.started(egress, now), now)


def stopping(egress: Egress, now: datetime) -> None:
    if State(egress.state) in (State.STARTING, State.ACTIVE):
        move(egress, State.STOPPING, now)


def stopped(tx: Session, egress: Egress, reason: str, at: datetime, now: datetime) -> None:
    """Nothing more is recorded; files may still have to be closed and delivered."""
    stopping(egress, now)
    if State(egress.state) is State.STOPPING:
        move(egress, State.FINALIZING, now)
        # Whatever else ends it gives the reason together with the wish.
        by_message = egress.desired == "stop" and egress.stop_reason is None
        egress.stopped_at = at
        egress.stop_reason = reason[:200]
        if egress.started_at is not None and (told := steps.stopped(egress, now, by_message=by_message)) is not None:
            put(tx, told, now)


def closed(tx: Session, egress: Egress, reason: str, at: datetime, now: datetime) -> None:
    """Nothing more will be written."""
    stopped(tx, egress, reason, at, now)
    egress.files_closed = True
    settle(tx, egress, now)


def settle(tx: Session, egress: Egress, now: datetime) -> None:
    """Complete the egress when its last file is delivered, and have its manifest follow."""
    if State(egress.state).over:
        manifests.settle(tx, egress)
        return
    if State(egress.state) is not State.FINALIZING or not egress.files_closed:
        return
    tx.flush()
    states = tx.scalars(select(File.state).where(File.egress_id == egress.id)).all()
    if any(state in UNFINISHED for state in states):
        return
    if egress.kind == "transcription" and egress.started_at is not None and not states:
        return  # its transcript is still to be made
    if "delivered" in states or (egress.kind == "closed_captions" and egress.started_at is not None):
        move(egress, State.COMPLETE, now)
        manifests.settle(tx, egress)
    elif egress.started_at is None:
        _over(tx, egress, State.ABORTED, "nothing_recorded", "it was stopped before anything was recorded", now)
    else:
        failed(tx, egress, "nothing_recorded", "no playable file came of it", now)


def aborted(tx: Session, egress: Egress, error: str, now: datetime) -> None:
    """It was taken back before it began."""
    _over(tx, egress, State.ABORTED, "nothing_recorded", error, now)


def failed(tx: Session, egress: Egress, code: str, error: str, now: datetime) -> None:
    """It is over and not what was asked for. Files that there are will still be delivered."""
    egress.files_closed = True
    _over(tx, egress, State.FAILED, code, error, now)


def _over(tx: Session, egress: Egress, state: State, code: str, error: str, now: datetime) -> None:
    move(egress, state, now)
    egress.error, egress.error_code = error[:1000], code[:64]
    put(tx, steps.failed(egress, egress.error, egress.error_code, now), now)
    manifests.settle(tx, egress)
