"""Files of workers that are gone, and what other workers did with ours while we were."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from sqlalchemy.orm import Session

from workers.ledger import clock, hosts, uploads
from workers.ledger.asynchronous import AsyncLedger
from workers.ledger.tables import File
from workers.salvage import Salvaged, examine
from workers.uploads.sending import clear_away

log = logging.getLogger(__name__)

QUIET = 10.0
"""Seconds without a write after which nobody writes a file any more: recordings write twice a second."""
FORGOTTEN = 86_400.0
"""Seconds after which a worker is not waited for any more that has whole files in its spool."""


async def take_over(ledger: AsyncLedger, host: str, after: float) -> int:
    """Take over what workers have begun that gave no sign of life for ``after`` seconds; returns how many files.

    What was sent of them is completed then like an upload of our own. Of what nothing was sent, a file that was still
    written is written off; one that was closed waits a day for its worker to return.
    """
    if not await ledger.read(lambda tx: uploads.abandoned(tx, host, clock.now(tx), after)):
        return 0

    def take(tx: Session) -> list[str]:
        now = clock.now(tx)
        forgotten = set(hosts.gone(tx, now, FORGOTTEN))
        taken = []
        for file, _ in uploads.abandoned(tx, host, now, after):
            sent = bool((file.upload or {}).get("parts"))
            if not sent and file.state == "closed" and file.host not in forgotten:
                uploads.failing(tx, file.id, f"it lies in the spool of {file.host}, which gives no sign of life")
            elif uploads.take_over(tx, file, host):
                taken.append(f"{file.spool_path} of {file.host}")
        return taken

    taken = await ledger.write(take)
    for one in taken:
        log.warning("taken over: %s, whose worker gives no sign of life", one)
    return len(taken)


async def see_to_leftovers(ledger: AsyncLedger, host: str, template: str) -> bool:
    """Clear away or bring back spool files whose rows are over; True when something is to be delivered anew."""
    again = False
    for file in await ledger.read(lambda tx: uploads.leftovers(tx, host)):
        if file.upload is not None and "written_off_by" in file.upload:
            again = await _bring_back(ledger, host, template, file) or again
        else:
            await clear_away(ledger, file.id, host, Path(file.spool_path))
    return again


async def _bring_back(ledger: AsyncLedger, host: str, template: str, file: File) -> bool:
    path = Path(file.spool_path)
    try:
        stat = await asyncio.to_thread(path.stat)
    except OSError:
        await ledger.write(lambda tx: uploads.seen_to(tx, file.id, host))
        return False
    if abs(time.time() - stat.st_mtime) < QUIET:
        return False
    had = (file.size or 0) if file.state == "delivered" else 0
    found = await examine(path)
    if isinstance(found, Salvaged) and found.size > had:
        size, duration = found.size, found.duration
        log.warning("%s has more than was delivered without it; it is delivered anew", path)
        return await ledger.write(lambda tx: uploads.found_again(tx, file.id, host, size, duration, template))
    if isinstance(found, Salvaged):
        await clear_away(ledger, file.id, host, path)
    else:
        log.warning("%s stays as it is: %s", path, found)
        await ledger.write(lambda tx: uploads.seen_to(tx, file.id, host))
    return False
