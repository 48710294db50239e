"""``wallflower egress job``: an egress as a job file for an attendant by hand, its secrets sealed."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from egress import job_file
from egress.protocol.job import Job
from workers.attending.admission import order
from workers.calls.projects import resolved
from workers.cli.app import CliError, Exit
from workers.cli.ledger import opened
from workers.guard import rules_of
from workers.keyring import keyring
from workers.ledger.tables import CallSession, Egress
from workers.sentences import At
from workers.settings import load
from workers.worker import ice_settings


def run(egress_id: str, out: Path | None) -> None:
    settings = load()
    keys = keyring(settings)
    with opened(settings) as ledger, ledger.reading() as tx:
        egress = tx.get(Egress, egress_id)
        if egress is None:
            raise CliError(Exit.NOT_FOUND, f"there is no egress {egress_id!r}")
        session = tx.get_one(CallSession, egress.session_id)
        try:
            address = resolved(session.connector, settings.projects)
        except At as error:
            raise CliError(Exit.FAILED, f"the session's connector.{'; '.join(error.lines)}") from None
        job = Job(
            call_cid=egress.call_cid,
            session_id=egress.session_id,
            epoch=max(1, session.epoch),
            connector=address,
            ice=ice_settings(settings),
            guard=rules_of(settings),
            # Not the worker's spool: what is recorded by hand is not its business, and never in its way.
            spool=settings.data_dir.absolute() / "by-hand",
            delay=settings.recording.delay,
            egresses=[order(egress)],
        )
    text = json.dumps(job_file.sealed(job, keys), indent=2) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(text)
    print(f"python -m egress.attend {out}, with the worker's keys in {job_file.KEYS}")
