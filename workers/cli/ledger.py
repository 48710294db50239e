"""The ledger as commands open it, and egresses as they show them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from workers.cli.app import CliError, Exit
from workers.events.payloads import rfc3339
from workers.keyring import keyring
from workers.ledger.database import Ledger
from workers.ledger.tables import Egress, File, Manifest
from workers.settings import Settings, load


@contextmanager
def opened(settings: Settings | None = None) -> Iterator[Ledger]:
    """The ledger of the settings, brought to the schema of this program."""
    found = settings or load()
    try:
        ledger = Ledger(found.ledger_url, keyring(found), found.ledger.busy_timeout)
    except OSError as error:
        raise CliError(Exit.UNAVAILABLE, f"the ledger cannot be opened: {error}") from None
    try:
        ledger.upgrade()
        yield ledger
    finally:
        ledger.close()


def egress_as_json(egress: Egress, files: list[File]) -> dict[str, Any]:
    """An egress for programs. The connector's address is left out: it may hold secrets."""
    times = ("created_at", "started_at", "stopped_at", "ended_at")
    return {
        "egress_id": egress.id,
        "call_cid": egress.call_cid,
        "session_id": egress.session_id,
        "kind": egress.kind,
        "recording_type": egress.recording_type,
        "state": egress.state,
        "desired": egress.desired,
        "quality": egress.spec.get("quality"),
        "layout": egress.spec.get("layout", {}).get("name"),
        "recorded": egress.recorded,
        "participants": egress.participants,
        "restarts": egress.restarts,
        "stop_reason": egress.stop_reason,
        "error": egress.error,
        "error_code": egress.error_code,
        **{name: rfc3339(time) if (time := getattr(egress, name)) else None for name in times},
        "files": [file_as_json(file) for file in files],
    }


def manifest_as_json(manifest: Manifest | None) -> dict[str, Any] | None:
    """Where the file is that tells of the others; None when there is to be none, or not yet."""
    if manifest is None:
        return None
    return {name: getattr(manifest, name) for name in ("state", "key", "url", "error")}


def file_as_json(file: File) -> dict[str, Any]:
    return {
        "part": file.part,
        "epoch": file.epoch,
        "state": file.state,
        "key": file.key,
        "url": file.url,
        "size": file.size,
        "duration": file.duration,
        "start_time": rfc3339(file.start_time),
        "end_time": rfc3339(file.end_time) if file.end_time else None,
        "salvaged": file.salvaged,
        "error": file.error,
    }
