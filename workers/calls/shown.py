"""A call as the ledger has it: the documented EgressResponse, and the facts of its sessions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from egress.protocol.speech import SPEECH_KINDS
from workers.calls.models import CallSettings
from workers.ledger.states import LIVE
from workers.ledger.tables import CallSession, Egress


def egress_response(tx: Session, cid: str) -> dict[str, Any]:
    """EgressResponse of the call backends. ``status`` is the state of the egress; what does not run is left out."""
    live = tx.scalars(
        select(Egress)
        .where(Egress.call_cid == cid, Egress.state.in_([state.value for state in LIVE]))
        .order_by(Egress.created_at, Egress.id)
    ).all()
    response: dict[str, Any] = {"broadcasting": False, "rtmps": []}
    for egress in live:
        if egress.kind in SPEECH_KINDS:
            continue
        # Of one that stops and one that begins, the latter counts.
        response[f"{egress.recording_type}_recording"] = {"status": egress.state}
    return dict(sorted(response.items()))


@dataclass(frozen=True, slots=True)
class SessionFacts:
    session: CallSession
    timer_ends_at: datetime | None
    """When the session has lasted as long as its settings allow; None without a limit, and before anybody joined."""


def sessions_of(tx: Session, cid: str, settings: CallSettings, limit: int = 10) -> list[SessionFacts]:
    """The call's sessions, the newest first."""
    found = tx.scalars(
        select(CallSession).where(CallSession.call_cid == cid).order_by(CallSession.created_at.desc()).limit(limit)
    )
    return [SessionFacts(session, timer_ends_at(session, settings)) for session in found]


def timer_ends_at(session: CallSession, settings: CallSettings) -> datetime | None:
    longest = settings.limits.max_duration_seconds
    if not longest or session.first_join_at is None:
        return None
    return session.first_join_at + timedelta(seconds=longest)
