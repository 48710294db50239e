"""The guard over addresses outside, as the settings have it."""

from __future__ import annotations

from egress.url_guard import Guard
from workers.settings import Settings


def guard_of(settings: Settings) -> Guard:
    return Guard(settings.guard.schemes, settings.guard.allow_private)
