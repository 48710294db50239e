"""``wallflower workers``: which workers there are, and what each of them has."""

from __future__ import annotations

import json
import sys
from collections import Counter

from rich.console import Console
from rich.table import Table
from sqlalchemy import select

from workers.cli.ledger import opened
from workers.events.payloads import rfc3339
from workers.ledger import clock, hosts
from workers.ledger.lifecycle import UNFINISHED
from workers.ledger.tables import CallSession, File
from workers.settings import load


def list_(as_json: bool) -> None:
    settings = load()
    with opened(settings) as ledger, ledger.reading() as tx:
        now = clock.now(tx)
        known = hosts.known(tx)
        sessions = Counter(tx.scalars(select(CallSession.owner).where(CallSession.owner.is_not(None))))
        attended = Counter(
            tx.scalars(
                select(CallSession.owner).where(
                    CallSession.owner.is_not(None), CallSession.attendant_socket.is_not(None)
                )
            )
        )
        spooled = Counter(tx.scalars(select(File.host).where(File.state.in_(UNFINISHED))))
        silent = {host.id: max(0.0, (now - host.seen_at).total_seconds()) for host in known}
    lease = settings.agent.lease
    if as_json:
        said = [
            {
                "worker_id": host.id,
                "hostname": host.hostname,
                "version": host.version,
                "started_at": rfc3339(host.started_at),
                "seen_at": rfc3339(host.seen_at),
                "alive": silent[host.id] < lease,
                "sessions": sessions[host.id],
                "attended": attended[host.id],
                "files": spooled[host.id],
            }
            for host in known
        ]
        print(json.dumps(said, indent=2))
        return
    table = Table("worker", "host", "version", "last seen", "sessions", "attended", "files in its spool", box=None)
    for host in known:
        seen = f"{silent[host.id]:.0f} s ago"
        table.add_row(
            host.id,
            host.hostname,
            host.version,
            seen if silent[host.id] < lease else f"[red]{seen}[/]",
            str(sessions[host.id]),
            str(attended[host.id]),
            str(spooled[host.id]),
        )
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table if known else "No worker has run yet.")
