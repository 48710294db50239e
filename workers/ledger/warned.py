"""Warnings of attendants as events: one for each cause in a session, however many attendants tell it, and no flood."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from egress.protocol.reports import Warned
from workers.events import payloads
from workers.ledger.outbox import put
from workers.ledger.tables import CallSession, Event

WITHIN = timedelta(hours=1)
MOST = 60
"""Warnings of a call that are told within that time; what is more is in the log alone."""

_NAMES = uuid.UUID("6d9b5f0c-0a4e-4c52-8f7e-5d8f2c6b9a11")


def tell(tx: Session, session: CallSession, warned: Warned, now: datetime) -> bool:
    """Put a warning among the events. False when it was told before, or is one too many."""
    subject: tuple[str | None, ...] = (session.id, warned.code, warned.egress_id, warned.participant, warned.track)
    if warned.picture is not None:
        subject = (*subject, warned.picture)
    elif not any(subject[2:]):
        # It is about the call, and only its sentence says what of it: which language, which loss.
        subject = (*subject, warned.message)
    event_id = str(uuid.uuid5(_NAMES, repr(subject)))
    if tx.scalar(select(Event.seq).where(Event.id == event_id)) is not None:
        return False
    told = tx.scalar(
        select(func.count())
        .select_from(Event)
        .where(Event.call_cid == session.call_cid, Event.type == payloads.WARNING, Event.created_at > now - WITHIN)
    )
    if (told or 0) >= MOST:
        return False
    payload = payloads.warning(
        session.call_cid,
        session.id,
        now,
        code=warned.code[:64],
        message=warned.message[:1000],
        egress_id=warned.egress_id,
        participant=warned.participant,
        user_id=warned.user_id,
        track=warned.track,
    )
    put(tx, payload, now, event_id)
    return True
