"""``wallflower uploads``: files that are not delivered yet, and why."""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from workers.cli.ledger import opened
from workers.events.payloads import rfc3339
from workers.ledger import uploads


def run(as_json: bool) -> None:
    with opened() as ledger, ledger.reading() as tx:
        found = [_as_json(one) for one in uploads.unfinished(tx)]
    if as_json:
        print(json.dumps(found, indent=2))
        return
    files = (Column("file", no_wrap=True, overflow="ignore"), Column("host", no_wrap=True))
    table = Table(*files, "store", "state", "parts", "sent", "size", "error", box=None)
    for one in found:
        table.add_row(
            one["file"],
            one["host"] or "",
            one["store"],
            one["state"],
            str(one["parts"]),
            f"{one['sent'] / 1e6:.1f} MB",
            f"{one['size'] / 1e6:.1f} MB" if one["size"] is not None else "",
            one["error"] or "",
        )
    console = Console() if sys.stdout.isatty() else Console(width=250)
    console.print(table if found else "Everything is delivered.")


def _as_json(one: uploads.Pending) -> dict[str, Any]:
    file = one.file
    parts = (file.upload or {}).get("parts", [])
    return {
        "file": file.key or file.spool_path,
        "egress_id": file.egress_id,
        "host": file.host,
        "store": one.store,
        "state": file.state,
        "parts": len(parts),
        "sent": sum(part["size"] for part in parts),
        "size": file.size,
        "start_time": rfc3339(file.start_time),
        "error": file.error,
    }
