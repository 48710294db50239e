"""``wallflower call``: calls as the ledger has them."""

from __future__ import annotations

import json
import sys

from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from workers.calls.settings import effective
from workers.calls.shown import SessionFacts, egress_response, sessions_of
from workers.cli.app import CliError, Exit
from workers.cli.ledger import opened
from workers.events.payloads import rfc3339
from workers.ledger.outbox import NO_CALL
from workers.ledger.states import LIVE
from workers.ledger.tables import Call, CallSession, Egress
from workers.settings import load


def list_(limit: int, as_json: bool) -> None:
    live = select(func.count()).where(Egress.call_cid == Call.cid, Egress.state.in_([s.value for s in LIVE]))
    open_ = select(func.count()).where(CallSession.call_cid == Call.cid, CallSession.ended_at.is_(None))
    query = (
        select(Call, live.scalar_subquery(), open_.scalar_subquery())
        .where(Call.cid != NO_CALL)
        .order_by(Call.created_at.desc(), Call.cid)
        .limit(limit)
    )
    with opened() as ledger, ledger.reading() as tx:
        found = [(call, running, sessions) for call, running, sessions in tx.execute(query)]
    if as_json:
        said = [
            {"call_cid": c.cid, "created_at": rfc3339(c.created_at), "egresses": running, "sessions": sessions}
            for c, running, sessions in found
        ]
        print(json.dumps(said, indent=2))
        return
    table = Table(Column("call", no_wrap=True), "egresses running", "sessions open", "events", "since", box=None)
    for call, running, sessions in found:
        table.add_row(call.cid, str(running), str(sessions), str(call.events), f"{call.created_at:%Y-%m-%d %H:%M:%S}")
    _console().print(table if found else "Nothing was asked for yet.")


def show(cid: str, as_json: bool) -> None:
    """The documented EgressResponse; for people, the sessions too."""
    settings = load()
    with opened(settings) as ledger, ledger.reading() as tx:
        call = _known(tx, cid)
        response = egress_response(tx, cid)
        if as_json:
            print(json.dumps(response, indent=2))
            return
        facts = sessions_of(tx, cid, effective(settings, call, cid))
        running = list(
            tx.scalars(select(Egress).where(Egress.call_cid == cid, Egress.state.in_([s.value for s in LIVE])))
        )
    console = _console()
    console.print(f"{cid}: {call.events} events")
    for name, value in response.items():
        told = value["status"] if isinstance(value, dict) else "no" if not value else str(value)
        console.print(f"  {name.replace('_', ' ')}: {told}")
    for egress in running:
        console.print(f"  egress {egress.id}: {egress.state}, {egress.recorded:.0f} s, session {egress.session_id}")
    for fact in facts:
        console.print(f"  session {_session(fact)}")


def settings(cid: str) -> None:
    """The settings that apply to the call, in full."""
    found = load()
    with opened(found) as ledger, ledger.reading() as tx:
        call = tx.get(Call, cid)
        print(json.dumps(effective(found, call, cid).model_dump(mode="json"), indent=2))


def _session(fact: SessionFacts) -> str:
    session = fact.session
    if session.ended_at is not None:
        return f"{session.id}: ended {rfc3339(session.ended_at)} ({session.end_reason or 'nothing was left to record'})"
    told = [f"{session.participants} participants"]
    if session.end_reason is not None:
        told.append(f"ending ({session.end_reason})")
    if session.first_join_at is not None:
        told.append(f"first join {rfc3339(session.first_join_at)}")
    if fact.timer_ends_at is not None:
        told.append(f"timer ends {rfc3339(fact.timer_ends_at)}")
    return f"{session.id}: {', '.join(told)}"


def _known(tx: Session, cid: str) -> Call:
    call = tx.get(Call, cid)
    if call is None or cid == NO_CALL:
        raise CliError(Exit.NOT_FOUND, f"nothing is known of a call {cid!r}")
    return call


def _console() -> Console:
    # Ids and times are there to be copied: they are never cut or coloured.
    width = None if sys.stdout.isatty() else 200
    return Console(width=width, highlight=False, soft_wrap=True, emoji=False, markup=False)
