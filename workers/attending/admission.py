"""What an egress asks of a host: its order to the attendant, and room in the spool."""

from __future__ import annotations

import logging
import shutil
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.recordings import CompositeRecording, LayoutSettings
from egress.protocol.specs import EGRESS_SPEC, EgressSpec
from egress.protocol.speech import SPEECH_KINDS
from egress.speech.languages import NOT_UNDERSTOOD, not_understood
from workers.attending.surroundings import Surroundings
from workers.decisions import reservation, shortage
from workers.ledger import lifecycle
from workers.ledger.states import State
from workers.ledger.tables import CallSession, Egress
from workers.settings import Settings

log = logging.getLogger(__name__)

SPEECH_RESERVE = 4 * 2**20
"""Bytes of the spool that text may need: hours of talk make some hundred thousand."""
TAKEN_UP = (State.STARTING, State.ACTIVE)


def order(egress: Egress) -> EgressSpec:
    """The egress as its attendant is told of it."""
    fields = {**egress.spec, "egress_id": egress.id}
    if egress.kind not in SPEECH_KINDS:
        fields["first_part"] = egress.next_part
    return EGRESS_SPEC.validate_python({"kind": egress.kind, **fields})


def layout_of(spec: EgressSpec) -> LayoutSettings | None:
    """What its picture is drawn by; None for what has none."""
    return spec.layout if isinstance(spec, CompositeRecording) else None


def admit(tx: Session, around: Surroundings, egress: Egress, now: datetime) -> bool:
    """Promise room in the spool, or fail the egress with the figures. What is made of speech needs an engine."""
    if not possible(tx, around, egress, now) or not _understood(tx, around, egress, now):
        return False
    reason = _no_room(tx, around.settings, [egress])
    if reason is not None:
        log.error("%s is refused: %s", egress.id, reason)
        lifecycle.failed(tx, egress, "spool_full", reason, now)
    return reason is None


def possible(tx: Session, around: Surroundings, egress: Egress, now: datetime) -> bool:
    """Fail an egress that is made of speech when there is no engine for it. Returns whether it may go on."""
    failure = around.speech.failure if egress.kind in SPEECH_KINDS else None
    if failure is not None:
        log.error("%s fails: %s (%s)", egress.id, failure[1], failure[0])
        lifecycle.failed(tx, egress, *failure, now)
    return failure is None


def _understood(tx: Session, around: Surroundings, egress: Egress, now: datetime) -> bool:
    """Fail an egress whose language the engine does not understand. Returns whether it may begin."""
    why = not_understood(egress.spec["language"], around.speech.languages) if egress.kind in SPEECH_KINDS else None
    if why is not None:
        log.error("%s fails: %s", egress.id, why)
        lifecycle.failed(tx, egress, NOT_UNDERSTOOD, why, now)
    return why is None


def drop(tx: Session, egress: Egress, now: datetime) -> None:
    """End what is to stop and what no attendant records: it never began, or whoever recorded it is gone."""
    state = State(egress.state)
    if state is State.PENDING:
        lifecycle.aborted(tx, egress, "it was stopped before it was started", now)
    elif state in TAKEN_UP:
        lifecycle.closed(tx, egress, "stopped", now, now)


def lacks_room(tx: Session, settings: Settings, session_id: str) -> str | None:
    """Why the spool has no room for what a session wants recorded, with the figures; None when it has."""
    wanted = (State.PENDING, *TAKEN_UP)
    live = lifecycle.live_egresses(tx, session_id)
    asking = [egress for egress in live if egress.desired == "run" and State(egress.state) in wanted]
    return _no_room(tx, settings, asking) if asking else None


def _no_room(tx: Session, settings: Settings, asking: list[Egress]) -> str | None:
    """Why this host's spool cannot take these egresses too, with the figures; None when it can."""
    settings.spools.mkdir(parents=True, exist_ok=True)
    running = tx.scalars(
        select(Egress)
        .join(CallSession, CallSession.id == Egress.session_id)
        .where(CallSession.owner == settings.owner, Egress.state.in_([s.value for s in TAKEN_UP]))
    ).all()
    hours = settings.spool.reserve_hours
    ids = {egress.id for egress in asking}
    return shortage(
        shutil.disk_usage(settings.spools).free,
        settings.spool.min_free,
        sum(_reserve(egress, hours) for egress in running if egress.id not in ids),
        sum(_reserve(egress, hours) for egress in asking),
    )


def _reserve(egress: Egress, hours: float) -> int:
    spec = order(egress)
    if not isinstance(spec, CompositeRecording):
        return SPEECH_RESERVE
    return reservation(spec.video.max_bitrate if spec.quality.size[0] else None, spec.audio.bitrate, hours)
