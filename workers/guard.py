"""The guard over addresses outside, as the settings have it."""

from __future__ import annotations

from egress.protocol.job import GuardRules
from egress.url_guard import Guard
from workers.settings import Settings


def guard_of(settings: Settings) -> Guard:
    return rules_of(settings).guard()


def rules_of(settings: Settings) -> GuardRules:
    """The same as an attendant is told it."""
    return GuardRules(schemes=settings.guard.schemes, allow_private=tuple(settings.guard.allow_private))
