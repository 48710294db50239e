"""What was said in calls: told by events while captions run, and kept for the transcript while that is made."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from egress.protocol.reports import Spoken
from egress.protocol.speech import SPEECH_KINDS
from workers.events import payloads
from workers.ledger.insert import insert_new
from workers.ledger.outbox import put
from workers.ledger.states import LIVE
from workers.ledger.tables import Egress, TranscriptLine

TRANSCRIPTION, CLOSED_CAPTIONS = SPEECH_KINDS

LONGEST_TEXT = 4000
"""Characters of one line."""
LONGEST_ID = 256

_NAMES = uuid.UUID("9c0b7c53-61d1-4c1c-8e53-0f1f5b7f0c6e")


def running(tx: Session, call_cid: str, session_id: str | None = None) -> list[Egress]:
    """The egresses of a call that want to know what is said, and are to go on."""
    query = select(Egress).where(
        Egress.call_cid == call_cid,
        Egress.kind.in_(SPEECH_KINDS),
        Egress.desired == "run",
        Egress.state.in_([state.value for state in LIVE]),
    )
    if session_id is not None:
        query = query.where(Egress.session_id == session_id)
    return list(tx.scalars(query.order_by(Egress.created_at, Egress.id)))


def said(tx: Session, egresses: Iterable[Egress], spoken: Spoken, now: datetime) -> None:
    """Tell and keep it, as each of the egresses wants it. Told again, it changes nothing."""
    for egress in egresses:
        if egress.kind == CLOSED_CAPTIONS:
            # The same sentence is never told twice, however often its report comes.
            event_id = str(uuid.uuid5(_NAMES, f"{egress.call_cid}\n{spoken.id}"))
            put(tx, payloads.closed_caption(egress.call_cid, spoken, now), now, event_id)
        elif egress.kind == TRANSCRIPTION and not made(tx, egress.id):
            keep(tx, egress.id, [spoken])


def keep(tx: Session, egress_id: str, spoken: Iterable[Spoken]) -> int:
    """Keep lines for a transcript; those that are kept already stay as they are. Returns how many are new."""
    return sum(insert_new(tx, TranscriptLine, **_line(egress_id, one)) for one in spoken)


def lines(tx: Session, egress_id: str) -> Sequence[TranscriptLine]:
    """What is kept for a transcript, in the order in which it began."""
    query = select(TranscriptLine).where(TranscriptLine.egress_id == egress_id)
    return tx.scalars(query.order_by(TranscriptLine.start_time, TranscriptLine.stop_time, TranscriptLine.id)).all()


def made(tx: Session, egress_id: str) -> bool:
    """Whether the transcript's files are made: what is said later is too late for it."""
    return bool(tx.get_one(Egress, egress_id).next_part > 1)


def forget(tx: Session, egress_id: str) -> None:
    """The transcript is in its store: nothing needs to be kept for it any more."""
    of_it = delete(TranscriptLine).where(TranscriptLine.egress_id == egress_id)
    tx.execute(of_it, execution_options={"synchronize_session": False})


def _line(egress_id: str, spoken: Spoken) -> dict[str, Any]:
    words = [word.model_dump(mode="json") for word in spoken.words]
    return {
        "egress_id": egress_id,
        "spoken": spoken.id[:64],
        "start_time": spoken.start_time,
        "stop_time": spoken.end_time,
        "speaker_id": spoken.user_id[:LONGEST_ID],
        "name": spoken.name[:LONGEST_ID],
        "language": spoken.language[:16],
        "translated": spoken.translated,
        "text": spoken.text[:LONGEST_TEXT],
        "words": words or None,
    }
