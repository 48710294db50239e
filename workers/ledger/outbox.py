"""Events in the ledger: put in with the state that they tell, taken out in order of each call."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from workers.ledger.tables import Call, Event


NO_CALL = "-"
"""The stream of events that belong to no call."""


def put(tx: Session, payload: dict[str, Any], now: datetime, event_id: str | None = None) -> Event:
    """Add an event, in the caller's transaction. An ``event_id`` that is there already adds nothing."""
    cid = payload.get("call_cid") or NO_CALL
    identifier = event_id or str(uuid.uuid4())
    if event_id is not None and (known := tx.scalar(select(Event).where(Event.id == event_id))) is not None:
        return known
    know_call(tx, cid, now)
    # The update holds the call's row until the end of the transaction: positions become visible in their order.
    tx.execute(update(Call).where(Call.cid == cid).values(events=Call.events + 1))
    position = tx.execute(select(Call.events).where(Call.cid == cid)).scalar_one()
    event = Event(id=identifier, call_cid=cid, position=position, type=payload["type"], payload=payload, created_at=now)
    tx.add(event)
    tx.flush()
    return event


def know_call(tx: Session, cid: str, now: datetime) -> None:
    if tx.get(Call, cid) is None:
        tx.add(Call(cid=cid, events=0, created_at=now))
        tx.flush()


def unsent(tx: Session, limit: int = 200) -> Sequence[Event]:
    """Events that some sink does not have yet, in the order in which they happened."""
    return tx.scalars(select(Event).where(Event.sent_at.is_(None)).order_by(Event.seq).limit(limit)).all()


def mark_sent(tx: Session, ids: Sequence[str], now: datetime) -> None:
    tx.execute(update(Event).where(Event.id.in_(ids)).values(sent_at=now))


def after(tx: Session, seq: int, call_cid: str | None = None, limit: int = 1000) -> Sequence[Event]:
    """Events behind that number, sent or not."""
    query = select(Event).where(Event.seq > seq).order_by(Event.seq).limit(limit)
    return tx.scalars(query if call_cid is None else query.where(Event.call_cid == call_cid)).all()
