"""Events in the ledger: put in with the state that they tell, taken out in order of each call and sink.

A call's row counts its events and is changed by whoever adds one, so positions become visible in their order; ``seq``
does not (a number is drawn before its transaction is written), and serves only to show events in about their order.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from workers.ledger.database import TELLS
from workers.ledger.insert import insert_new
from workers.ledger.tables import Call, DeadLetter, Event, SinkCursor
from workers.observing import metrics

NO_CALL = "-"
"""The stream of events that belong to no call."""


def put(tx: Session, payload: dict[str, Any], now: datetime, event_id: str | None = None) -> Event:
    """Add an event, in the caller's transaction. An ``event_id`` that is there already adds nothing."""
    cid = payload.get("call_cid") or NO_CALL
    identifier = event_id or str(uuid.uuid4())
    know_call(tx, cid, now)
    if event_id is not None and (known := tx.scalar(select(Event).where(Event.id == event_id))) is not None:
        return known
    # This holds the call's row until the end of the transaction: whoever adds the next event sees this one.
    counted = update(Call).where(Call.cid == cid).values(events=Call.events + 1, untold=True).returning(Call.events)
    position = tx.execute(counted, execution_options={"synchronize_session": False}).scalar_one()
    event = Event(id=identifier, call_cid=cid, position=position, type=payload["type"], payload=payload, created_at=now)
    tx.add(event)
    tx.flush()
    tx.info[TELLS] = True
    return event


def know_call(tx: Session, cid: str, now: datetime) -> None:
    if tx.get(Call, cid) is None:
        insert_new(tx, Call, cid=cid, created_at=now)


def after(tx: Session, seq: int, call_cid: str | None = None, limit: int = 1000) -> Sequence[Event]:
    """Events behind that number, sent or not."""
    query = select(Event).where(Event.seq > seq).order_by(Event.seq).limit(limit)
    return tx.scalars(query if call_cid is None else query.where(Event.call_cid == call_cid)).all()


@dataclass(frozen=True, slots=True)
class Untold:
    """A call of whose events some sinks lack some."""

    cid: str
    lacking: tuple[str, ...]
    """Those sinks. None of those asked for: only its marks are behind."""


def untold(tx: Session, sinks: Sequence[str], behind: str = "", limit: int = 1000) -> list[Untold]:
    """Calls in the order of their ids, from the one behind that id on. However many events wait, calls are counted."""
    rows = tx.execute(
        select(Call.cid, Call.events)
        .where(Call.untold == True, Call.cid > behind)  # noqa: E712 - as the index has it
        .order_by(Call.cid)
        .limit(limit)
    ).all()
    if not rows:
        return []
    cids = [row.cid for row in rows]
    have = {
        (row.call_cid, row.sink): row.position
        for row in tx.execute(
            select(SinkCursor.call_cid, SinkCursor.sink, SinkCursor.position).where(
                SinkCursor.call_cid.in_(cids), SinkCursor.sink.in_(sinks)
            )
        )
    }
    again = {
        (row.call_cid, row.sink)
        for row in tx.execute(
            select(DeadLetter.call_cid, DeadLetter.sink)
            .where(DeadLetter.call_cid.in_(cids), DeadLetter.replay_at.is_not(None), DeadLetter.sink.in_(sinks))
            .distinct()
        )
    }
    return [
        Untold(row.cid, tuple(s for s in sinks if have.get((row.cid, s), 0) < row.events or (row.cid, s) in again))
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Again:
    """A dead letter that is to be sent again."""

    letter: int
    attempts: int
    since: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Page:
    """What a sink lacks of a call, the oldest first."""

    attempts: int
    """How often the first of ``events`` was tried."""
    events: Sequence[Event]
    again: Sequence[Again]
    """To be sent when no event is left."""


def page(tx: Session, sink: str, cid: str, limit: int) -> Page:
    cursor = tx.get(SinkCursor, (sink, cid))
    events = tx.scalars(
        select(Event)
        .where(Event.call_cid == cid, Event.position > (cursor.position if cursor else 0), Event.sent_at.is_(None))
        .order_by(Event.position)
        .limit(limit)
    ).all()
    if len(events) == limit:
        return Page(cursor.attempts if cursor else 0, events, ())
    rows = tx.execute(
        select(DeadLetter, Event)
        .join(Event, Event.id == DeadLetter.event_id)
        .where(DeadLetter.call_cid == cid, DeadLetter.replay_at.is_not(None), DeadLetter.sink == sink)
        .order_by(Event.position)
        .limit(limit - len(events))
    ).all()
    again = [Again(letter.id, letter.attempts, letter.replay_at or letter.created_at, event) for letter, event in rows]
    return Page(cursor.attempts if cursor else 0, events, again)


@dataclass(frozen=True, slots=True)
class Buried:
    """An event that a sink will not take."""

    event_id: str
    attempts: int
    error: str


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a call's events at a sink. Nothing at all: look whether all sinks have everything."""

    cid: str
    sink: str | None = None
    position: int | None = None
    """It is done with the events to there."""
    attempts: int | None = None
    """It was tried so often with the event behind it."""
    buried: Sequence[Buried] = ()
    resent: int | None = None
    """It took this dead letter at last."""
    tried_again: tuple[int, int, str | None] | None = None
    """It did not take this dead letter: number, attempts by now, and the error when it will not be tried again."""


def advance(tx: Session, steps: Sequence[Step], sinks: Sequence[str], now: datetime) -> None:
    """Write down what ``sinks``, all there are, have. Waits for nobody who adds events meanwhile."""
    cids = sorted({step.cid for step in steps})
    places: dict[str, dict[str, SinkCursor]] = {cid: {} for cid in cids}
    for cursor in tx.scalars(select(SinkCursor).where(SinkCursor.call_cid.in_(cids))):
        places[cursor.call_cid][cursor.sink] = cursor
    for step in steps:
        if step.sink is not None:
            _move(tx, step, step.sink, places[step.cid])
            _letters(tx, step, step.sink, now)
    tx.flush()
    # Calls that somebody holds are left: they come again, because they stay marked.
    held = tx.execute(
        select(Call.cid, Call.events).where(Call.cid.in_(cids)).order_by(Call.cid).with_for_update(skip_locked=True)
    ).all()
    again = set(
        tx.scalars(
            select(DeadLetter.call_cid)
            .where(DeadLetter.call_cid.in_(cids), DeadLetter.replay_at.is_not(None), DeadLetter.sink.in_(sinks))
            .distinct()
        )
    )
    told = [
        row.cid
        for row in held
        if _all_told(tx, row.cid, row.events, places[row.cid], sinks, now) and row.cid not in again
    ]
    if told:
        tx.execute(
            update(Call).where(Call.cid.in_(told)).values(untold=False).execution_options(synchronize_session=False)
        )


def _move(tx: Session, step: Step, sink: str, places: dict[str, SinkCursor]) -> None:
    if step.position is None and step.attempts is None:
        return
    cursor = places.get(sink)
    if cursor is None:
        cursor = places[sink] = SinkCursor(sink=sink, call_cid=step.cid, position=0, attempts=0)
        tx.add(cursor)
    if step.position is not None and step.position > cursor.position:
        cursor.position, cursor.attempts = step.position, 0
    if step.attempts is not None:
        cursor.attempts = step.attempts


def _letters(tx: Session, step: Step, sink: str, now: datetime) -> None:
    for one in step.buried:
        _bury(tx, sink, step.cid, one, now)
    if step.resent is not None and (letter := tx.get(DeadLetter, step.resent)) is not None:
        tx.delete(letter)
    if step.tried_again is not None and (letter := tx.get(DeadLetter, step.tried_again[0])) is not None:
        _, letter.attempts, error = step.tried_again
        if error is not None:
            letter.error, letter.replay_at = error[:1000], None


def _bury(tx: Session, sink: str, cid: str, one: Buried, now: datetime) -> None:
    metrics.when_written(tx, metrics.DEAD_LETTERS)
    insert_new(
        tx,
        DeadLetter,
        sink=sink,
        event_id=one.event_id,
        call_cid=cid,
        attempts=one.attempts,
        error=one.error[:1000],
        created_at=now,
    )


def _all_told(
    tx: Session, cid: str, events: int, places: dict[str, SinkCursor], sinks: Sequence[str], now: datetime
) -> bool:
    """Mark what every sink has. Returns whether that is all."""
    told = min((places[sink].position if sink in places else 0 for sink in sinks), default=events)
    if told > 0:
        tx.execute(
            update(Event)
            .where(Event.call_cid == cid, Event.sent_at.is_(None), Event.position <= told)
            .values(sent_at=now)
            .execution_options(synchronize_session=False)
        )
    if told >= events:
        return True
    if places.keys() >= set(sinks):
        return False
    # A sink that has no place in the call yet may have come when all of its events were sent to others.
    unsent = exists().where(Event.call_cid == cid, Event.position > told, Event.sent_at.is_(None))
    return not tx.scalar(select(unsent))


def waiting(tx: Session) -> bool:
    """Whether some sink lacks something."""
    return bool(tx.scalar(select(exists().where(Call.untold == True))))  # noqa: E712 - as the index has it


def old(
    tx: Session, sink: str, before: datetime, behind: str, calls: int = 200, events: int = 200
) -> tuple[list[tuple[str, Page]], str]:
    """What the sink lacks from before that moment: of each call the first events, none of them younger.

    Looks at so many calls, from the one behind that id on; returns also where to go on, empty at the end.
    """
    seen = untold(tx, [sink], behind, calls)
    found = []
    for call in seen:
        lacking = page(tx, sink, call.cid, events) if call.lacking else Page(0, (), ())
        leading = list(itertools.takewhile(lambda event: event.created_at < before, lacking.events))
        if leading:
            found.append((call.cid, Page(lacking.attempts, leading, ())))
    return found, seen[-1].cid if len(seen) == calls else ""


def by_id(tx: Session, event_id: str) -> Event | None:
    return tx.scalar(select(Event).where(Event.id == event_id))
