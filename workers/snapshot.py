"""What the ledger has for an agent at one moment: sessions with work to do, and what they ask of a host."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.capacity import cores, works
from workers.ledger import claims, clock
from workers.ledger.states import LIVE, State
from workers.ledger.tables import CallSession, Egress

Mark = tuple[str | None, bool, int, tuple[tuple[str, str, str], ...], datetime | None]
"""Why the session is to end, whether it is announced, its revision; id, state and wish of each live egress; when one of
them was changed last."""


@dataclass(slots=True)
class Snapshot:
    sessions: list[CallSession] = field(default_factory=list)
    marks: dict[str, Mark] = field(default_factory=dict)
    """By session id. One that differs from before is worth a look."""
    costs: dict[str, float] = field(default_factory=dict)
    """Cores of live egresses, by their ids."""

    def demand(self, session_id: str) -> float:
        """Cores that the session's live egresses take, or will take."""
        *_, egresses, _ = self.marks.get(session_id, (None, False, 0, (), None))
        return sum(self.costs[id_] for id_, state, desired in egresses if works(State(state), desired))


def look(tx: Session, owner: str, before: Snapshot, *, take_over: bool) -> Snapshot:
    """What is there now. What an egress costs is known from ``before``: it never changes."""
    found = list(claims.open_sessions(tx, owner, clock.now(tx), take_over=take_over))
    egresses: dict[str, list[tuple[str, str, str]]] = {session.id: [] for session in found}
    live = (Egress.session_id.in_(egresses), Egress.state.in_([state.value for state in LIVE]))
    changed: dict[str, datetime] = {}
    for session_id, updated_at, *egress in tx.execute(
        select(Egress.session_id, Egress.updated_at, Egress.id, Egress.state, Egress.desired)
        .where(*live)
        .order_by(Egress.id)
    ):
        egresses[session_id].append((egress[0], egress[1], egress[2]))
        changed[session_id] = max(updated_at, changed.get(session_id, updated_at))
    marks: dict[str, Mark] = {
        s.id: (s.end_reason, s.announced, s.revision, tuple(egresses[s.id]), changed.get(s.id)) for s in found
    }
    ids = [id_ for some in egresses.values() for id_, _, _ in some]
    costs = {id_: before.costs[id_] for id_ in ids if id_ in before.costs}
    unknown = [id_ for id_ in ids if id_ not in costs]
    if unknown:
        for egress_id, kind, spec in tx.execute(
            select(Egress.id, Egress.kind, Egress.spec).where(Egress.id.in_(unknown))
        ):
            costs[egress_id] = cores(kind, spec)
    return Snapshot(found, marks, costs)
