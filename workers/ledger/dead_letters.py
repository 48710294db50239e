"""Events that a sink would not take: shown, and put back to be sent again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from workers.ledger.tables import Call, DeadLetter, Event, SinkCursor


@dataclass(frozen=True, slots=True)
class Dead:
    letter: DeadLetter
    event: Event


def dead(
    tx: Session, *, sink: str | None = None, call_cid: str | None = None, behind: int = 0, limit: int = 1000
) -> list[Dead]:
    """Dead letters behind that number, the oldest first, those that wait to be sent again among them."""
    query = (
        select(DeadLetter, Event)
        .join(Event, Event.id == DeadLetter.event_id)
        .where(DeadLetter.id > behind)
        .order_by(DeadLetter.id)
        .limit(limit)
    )
    if sink is not None:
        query = query.where(DeadLetter.sink == sink)
    if call_cid is not None:
        query = query.where(DeadLetter.call_cid == call_cid)
    return [Dead(letter, event) for letter, event in tx.execute(query)]


def replay(tx: Session, letters: Sequence[int], now: datetime, to: str | None = None) -> list[int]:
    """Ask for dead letters to be sent again, ``to`` another sink if one is named. Returns those that there are."""
    found = tx.scalars(select(DeadLetter).where(DeadLetter.id.in_(letters)).order_by(DeadLetter.id)).all()
    done = []
    for letter in found:
        if to is not None and letter.sink != to:
            there = DeadLetter.sink == to, DeadLetter.event_id == letter.event_id
            twin = tx.scalar(select(DeadLetter).where(*there))
            if twin is not None:
                tx.delete(letter)
                letter = twin
            else:
                letter.sink, letter.attempts = to, 0
        letter.replay_at = now
        done.append(letter.id)
        tx.flush()
    cids = sorted({letter.call_cid for letter in found})
    tx.execute(update(Call).where(Call.cid.in_(cids)).values(untold=True).execution_options(synchronize_session=False))
    return done


def remind(tx: Session) -> None:
    """Mark the calls of letters that wait to be sent again: their sink may be there only now."""
    waiting = select(DeadLetter.call_cid).where(DeadLetter.replay_at.is_not(None))
    tx.execute(
        update(Call)
        .where(Call.cid.in_(waiting), Call.untold == False)  # noqa: E712 - as the index has it
        .values(untold=True)
        .execution_options(synchronize_session=False)
    )


def prune(tx: Session, now: datetime, keep: float, limit: int = 500) -> int:
    """Forget events that every sink has had, and dead letters, for ``keep`` seconds. Returns how many rows went."""
    before = now - timedelta(seconds=keep)
    letters = (
        select(DeadLetter.id)
        .where(DeadLetter.created_at < before, DeadLetter.replay_at.is_(None))
        .order_by(DeadLetter.id)
        .limit(limit)
    )
    gone = _delete(tx, delete(DeadLetter).where(DeadLetter.id.in_(tx.scalars(letters).all())))
    rows = tx.execute(
        select(Event.seq, Event.call_cid)
        .where(Event.sent_at < before, ~exists().where(DeadLetter.event_id == Event.id))
        .order_by(Event.sent_at, Event.seq)
        .limit(limit)
    ).all()
    gone += _delete(tx, delete(Event).where(Event.seq.in_([row.seq for row in rows])))
    left = exists().where(Event.call_cid == SinkCursor.call_cid)
    cids = {row.call_cid for row in rows}
    gone += _delete(tx, delete(SinkCursor).where(SinkCursor.call_cid.in_(cids), ~left))
    return gone


def _delete(tx: Session, statement: object) -> int:
    return tx.execute(statement, execution_options={"synchronize_session": False}).rowcount  # type: ignore
