"""The folders that are a worker's own: sockets by which attendants are commanded, logs, what is being recorded."""

from __future__ import annotations

import logging
from pathlib import Path

from workers.settings import Settings

log = logging.getLogger(__name__)


def make_private(settings: Settings) -> None:
    """Make the run folder, that of the sockets and the spool, for nobody but their owner, also where they exist."""
    for folder in {settings.runs, settings.sockets, settings.spools}:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _close(folder)


def _close(folder: Path) -> None:
    if folder.stat().st_mode & 0o077 == 0:
        return
    try:
        folder.chmod(0o700)
    except OSError as error:
        log.warning("%s is open to others and cannot be closed to them: %s", folder, error.strerror)
