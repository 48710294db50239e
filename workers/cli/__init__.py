"""The command line: ``wallflower``. What a command needs is imported when it runs, so that all of them start fast."""

from __future__ import annotations

from workers.cli.app import main

__all__ = ["main"]
