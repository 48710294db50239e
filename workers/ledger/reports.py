"""What an attendant reports, written down: one report, one transaction of state, files and events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from egress.protocol import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    Over,
    PartClosed,
    PartOpened,
    Progress,
    Refused,
    Report,
)
from workers.ledger import files, lifecycle
from workers.ledger.claims import owned
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress


def write(tx: Session, session_id: str, epoch: int, report: Report, template: str, host: str, now: datetime) -> bool:
    """Write down what the report tells; False when that was done before. Raises LeaseLost.

    Commands and states are fenced by the epoch, closed files are not: ``epoch`` is the one of the attendant.
    """
    session = owned(tx, session_id, epoch)
    if report.seq:
        if report.seq <= session.attendant_seq:
            return False
        session.attendant_seq = report.seq
    _apply(tx, session, report, template, host, now)
    return True


def _apply(tx: Session, session: CallSession, report: Report, template: str, host: str, now: datetime) -> None:
    if isinstance(report, Over):
        for live in lifecycle.live_egresses(tx, session.id):
            over(tx, live, report, now)
        return
    egress_id = getattr(report, "egress_id", None)
    egress = tx.get(Egress, egress_id) if egress_id is not None else None
    if egress is None or egress.session_id != session.id:
        return
    finished = State(egress.state).over
    match report:
        case Progress():
            egress.recorded, egress.participants = report.recorded, report.participants
        case PartOpened():
            files.opened(
                tx,
                egress,
                epoch=session.epoch,
                part=report.part,
                path=report.path,
                start_time=report.start_time,
                host=host,
            )
        case PartClosed():
            file = files.opened(
                tx,
                egress,
                epoch=session.epoch,
                part=report.part,
                path=report.path,
                start_time=report.start_time,
                host=host,
            )
            files.closed(
                file,
                egress,
                template,
                start_time=report.start_time,
                end_time=report.end_time,
                size=report.size,
                duration=report.duration,
            )
        case EgressStarted() if not finished:
            lifecycle.started(tx, egress, report.at, now)
        case EgressStopped() if not finished:
            lifecycle.stopped(tx, egress, report.reason, report.at, now)
        case EgressEnded() if not finished:
            lifecycle.closed(tx, egress, "ended", report.at, now)
        case EgressFailed() if not finished:
            lifecycle.failed(tx, egress, report.code, report.error, now)
        case Refused() if not finished and report.op == "start":
            lifecycle.failed(tx, egress, report.code, report.error, now)
        case _:
            pass


def over(tx: Session, egress: Egress, report: Over, now: datetime) -> None:
    """The attendant has gone: what it had begun is at its end; what it never heard of waits for the next one."""
    state = State(egress.state)
    if state is State.PENDING or egress.files_closed:
        return
    if report.code:
        lifecycle.failed(tx, egress, report.code, report.reason, now)
    else:
        lifecycle.closed(tx, egress, report.reason, report.at, now)
