"""What an attendant reports, written down: one report, one transaction of state, files and events."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from egress.call.model import REMOVED
from egress.protocol.reports import (
    EgressEnded,
    EgressFailed,
    EgressStarted,
    EgressStopped,
    LanguageKept,
    Over,
    PartClosed,
    PartOpened,
    Progress,
    Received,
    Refused,
    Report,
    Spoken,
    Warned,
)
from workers.ledger import files, lifecycle, receptions, sessions, speech, warned
from workers.ledger.claims import owned
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress
from workers.sessions.policy import ROOM_ENDED


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


def write_stale(tx: Session, session_id: str, epoch: int, report: Report, template: str, host: str) -> None:
    """Write down what an attendant of a former lease tells of its files and of how the call came in, and nothing else:
    states are its heir's.
    """
    egress = _egress(tx, session_id, report)
    if egress is None:
        return
    if isinstance(report, PartOpened | PartClosed):
        _write_part(tx, egress, epoch, report, template, host)
    elif isinstance(report, EgressEnded | EgressFailed) and report.reception is not None:
        receptions.add(tx, egress.id, epoch, report.reception)
        if State(egress.state).over:
            lifecycle.settle(tx, egress, report.at)


def _apply(tx: Session, session: CallSession, report: Report, template: str, host: str, now: datetime) -> None:
    if isinstance(report, Over):
        for live in lifecycle.live_egresses(tx, session.id):
            over(tx, live, report, now)
        if report.room_ended:
            sessions.ended(tx, session, ROOM_ENDED, now)
        return
    egress = _egress(tx, session.id, report)
    if isinstance(report, Spoken):
        egresses = (tx.get(Egress, id_) for id_ in report.egress_ids)
        speech.said(tx, [one for one in egresses if one is not None and one.session_id == session.id], report, now)
        return
    if isinstance(report, Warned):
        warned.tell(tx, session, report, now)
        return
    if egress is None:
        return
    finished = State(egress.state).over
    if isinstance(report, EgressEnded | EgressFailed):
        egress.host = host
    if isinstance(report, EgressEnded | EgressFailed) and report.reception is not None:
        receptions.add(tx, egress.id, session.epoch, report.reception)
    match report:
        case Progress():
            egress.recorded, egress.participants = report.recorded, report.participants
        case Received():
            receptions.add(tx, egress.id, session.epoch, report.reception)
        case LanguageKept() if egress.spec.get("language") == report.refused:
            # Whoever attends the call next, and whatever starts beside it, would fail by the refused one.
            egress.spec = {**egress.spec, "language": report.language}
        case PartOpened() | PartClosed():
            _write_part(tx, egress, session.epoch, report, template, host)
        case EgressStarted() if not finished:
            if report.quality is not None:
                # Chosen by what was seen: whoever goes on with it keeps to that, so that its parts fit together.
                layout = {**egress.spec.get("layout", {}), "detect_orientation": False}
                egress.spec = {**egress.spec, "quality": report.quality.value, "layout": layout}
            lifecycle.started(tx, egress, report.at, now)
        case EgressStopped() | EgressEnded() if _goes_on(egress, report):
            pass
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


def _goes_on(egress: Egress, report: EgressStopped | EgressEnded | Over) -> bool:
    """Whether its attendant goes though it is wanted on: the next one takes it up, as after a crash."""
    return report.unasked and egress.desired == "run"


def _egress(tx: Session, session_id: str, report: Report) -> Egress | None:
    egress_id = getattr(report, "egress_id", None)
    egress = tx.get(Egress, egress_id) if egress_id is not None else None
    return egress if egress is not None and egress.session_id == session_id else None


def _write_part(
    tx: Session, egress: Egress, epoch: int, report: PartOpened | PartClosed, template: str, host: str
) -> None:
    # A worker whose name changed adopts under a new epoch what was begun under the old one: a file keeps its own.
    known = [file.epoch for file in files.of_egress(tx, egress.id) if file.spool_path == str(report.path)]
    file = files.opened(
        tx,
        egress,
        epoch=known[0] if known else epoch,
        part=report.part,
        path=report.path,
        start_time=report.start_time,
        host=host,
        template=template,
    )
    if isinstance(report, PartClosed):
        files.closed(
            file,
            egress,
            template,
            start_time=report.start_time,
            end_time=report.end_time,
            size=report.size,
            duration=report.duration,
        )


def over(tx: Session, egress: Egress, report: Over, now: datetime) -> None:
    """The attendant has gone: what it had begun is at its end; what it never heard of waits for the next one.

    Not when an administrator put it out: then nobody is sent in again for anything that was asked for before.
    """
    state = State(egress.state)
    if (state is State.PENDING and report.code != REMOVED) or egress.files_closed or _goes_on(egress, report):
        return
    if report.code:
        lifecycle.failed(tx, egress, report.code, report.reason, now)
    else:
        lifecycle.closed(tx, egress, report.reason, report.at, now)
