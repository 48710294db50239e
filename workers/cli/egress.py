"""``wallflower egress``: what is and was recorded, and stopping it."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from rich.console import Console
from rich.table import Column, Table
from sqlalchemy import select
from sqlalchemy.orm import Session

from workers.cli.app import CliError, Exit
from workers.cli.ledger import egress_as_json, manifest_as_json, opened
from workers.cli.reception import told
from workers.ledger import files, manifests, receptions, wishes
from workers.ledger.states import LIVE
from workers.ledger.tables import Egress

_COLOURS = {"active": "green", "complete": "blue", "failed": "red", "aborted": "yellow"}


def list_(call: str | None, live: bool, limit: int, as_json: bool) -> None:
    query = select(Egress).order_by(Egress.created_at.desc()).limit(limit)
    if call is not None:
        query = query.where(Egress.call_cid == call)
    if live:
        query = query.where(Egress.state.in_([state.value for state in LIVE]))
    with opened() as ledger, ledger.reading() as tx:
        found = [(e, list(files.of_egress(tx, e.id))) for e in tx.scalars(query)]
    if as_json:
        print(json.dumps([egress_as_json(e, parts) for e, parts in found], indent=2))
        return
    # Ids are there to be copied: they are never cut, whatever that does to the other columns.
    ids = (Column("egress", no_wrap=True, min_width=36), Column("call", no_wrap=True, overflow="ignore"))
    table = Table(*ids, "state", "quality", "recorded", "files", "since", "error", box=None)
    for egress, parts in found:
        state = f"[{_COLOURS.get(egress.state, 'default')}]{egress.state}[/]"
        table.add_row(
            egress.id,
            egress.call_cid,
            state,
            str(egress.spec.get("quality", "")),
            f"{egress.recorded:.0f} s",
            str(sum(part.state == "delivered" for part in parts)),
            f"{egress.created_at:%Y-%m-%d %H:%M:%S}",
            egress.error or "",
        )
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table if found else "Nothing was recorded yet.")


def show(egress_id: str, as_json: bool) -> None:
    with opened() as ledger, ledger.reading() as tx:
        egress = _known(tx, egress_id)
        parts = list(files.of_egress(tx, egress_id))
        manifest = manifest_as_json(manifests.of_egress(tx, egress_id))
        reception = receptions.of(tx, egress_id)
    said = egress_as_json(egress, parts)
    if as_json:
        print(json.dumps({**said, "manifest": manifest, "reception": reception}, indent=2))
        return
    table = Table.grid(padding=(0, 2))
    for name, value in said.items():
        if name != "files" and value is not None:
            table.add_row(name.replace("_", " "), str(value))
    if manifest is not None:
        reason = f": {manifest['error']}" if manifest["error"] else ""
        table.add_row("manifest", f"{manifest['url'] or manifest['key']} ({manifest['state']}{reason})")
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)
    listing = Table("part", "state", "duration", "size", "url", box=None)
    for part in parts:
        duration = f"{part.duration:.1f} s" if part.duration is not None else ""
        size = f"{part.size / 1e6:.2f} MB" if part.size is not None else ""
        state = f"{part.state} (salvaged)" if part.salvaged else part.state
        listing.add_row(str(part.part), state, duration, size, part.url or part.error or "")
    if parts:
        console.print(listing)
    for line in told(reception):
        console.print(line, highlight=False, markup=False)


def stop(egress_id: str, as_json: bool) -> None:
    with opened() as ledger, ledger.writing() as tx:
        egress = _known(tx, egress_id)
        found = wishes.unwant(tx, egress.call_cid, datetime.now(UTC), egress_id=egress_id)
        state = egress.state
    if as_json:
        print(json.dumps({"egress_id": egress_id, "stopping": bool(found), "state": state}))
    else:
        print(f"{egress_id} is being stopped" if found else f"{egress_id} is {state} already")


def _known(tx: Session, egress_id: str) -> Egress:
    egress = tx.get(Egress, egress_id)
    if egress is None:
        raise CliError(Exit.NOT_FOUND, f"there is no egress {egress_id!r}")
    return egress
