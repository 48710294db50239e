"""Counters that any module increments: ``metrics.MESSAGES.labels("start_recording", "accepted").inc()``.

Labels take few values each, never ids. What the ledger knows (egresses, backlog, outbox) is asked when it is scraped:
see :mod:`workers.observing.measured`.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from sqlalchemy import event
from sqlalchemy.orm import Session

REGISTRY = CollectorRegistry()
"""The counters of this process."""

MESSAGES = Counter(
    "wallflower_messages",
    "Messages carried out. outcome: accepted, refused, retried (the ledger was away), failed.",
    ["type", "outcome"],
    registry=REGISTRY,
)
HOOK_ATTEMPTS = Counter(
    "wallflower_hook_attempts",
    "Requests to hooks. outcome: taken, refused (3xx, 4xx), busy (408, 429, 5xx), timed_out, unreachable.",
    ["outcome"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "wallflower_dead_letters_laid",
    "Events that a sink did not take and that were laid to the dead letters by this worker.",
    registry=REGISTRY,
)
ATTENDANT_RESTARTS = Counter(
    "wallflower_attendant_restarts",
    "Attendants that ended without a last word. outcome: restarted, given_up.",
    ["outcome"],
    registry=REGISTRY,
)
LEASES_LOST = Counter(
    "wallflower_leases_lost", "Sessions that another worker took over from this one.", registry=REGISTRY
)
SALVAGES = Counter(
    "wallflower_salvages",
    "Files that a dead attendant left open. outcome: played, dropped.",
    ["outcome"],
    registry=REGISTRY,
)
UPLOADED_BYTES = Counter("wallflower_uploaded_bytes", "Bytes that stores confirmed.", ["store"], registry=REGISTRY)
UPLOAD_ERRORS = Counter(
    "wallflower_upload_errors", "Attempts to upload that a store did not take.", ["store"], registry=REGISTRY
)
EGRESSES_OVER = Counter(
    "wallflower_egresses_over",
    "Egresses that came to their end by this worker. state: complete, failed, aborted.",
    ["kind", "state"],
    registry=REGISTRY,
)
LEDGER_ERRORS = Counter(
    "wallflower_ledger_errors", "Transactions that found the ledger out of reach.", registry=REGISTRY
)
LEDGER_CONFLICTS = Counter(
    "wallflower_ledger_conflicts",
    "Transactions that were run again because another one was first.",
    registry=REGISTRY,
)
MEDIA_DELAY = Histogram(
    "wallflower_media_delay_seconds",
    "How far recordings run behind the calls, told once a second by each.",
    buckets=(0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0),
    registry=REGISTRY,
)


CAPTION_DELAY = Histogram(
    "wallflower_caption_delay_seconds",
    "From the end of what somebody said to its text being told.",
    buckets=(0.5, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 120.0),
    registry=REGISTRY,
)


def begin(message_types: Iterable[str], stores: Iterable[str]) -> None:
    """Show every counter at 0 from the start: the first failure is a rise then, not the beginning of a series."""
    for message_type in message_types:
        for outcome in ("accepted", "refused", "retried", "failed"):
            MESSAGES.labels(message_type, outcome)
    for outcome in ("taken", "refused", "busy", "timed_out", "unreachable"):
        HOOK_ATTEMPTS.labels(outcome)
    for outcome in ("restarted", "given_up"):
        ATTENDANT_RESTARTS.labels(outcome)
    for outcome in ("played", "dropped"):
        SALVAGES.labels(outcome)
    for state in ("complete", "failed", "aborted"):
        for kind in ("composite_recording", "transcription", "closed_captions"):
            EGRESSES_OVER.labels(kind, state)
    for store in stores:
        UPLOADED_BYTES.labels(store)
        UPLOAD_ERRORS.labels(store)


def when_written(tx: Session, counter: Counter) -> None:
    """Count something once its transaction is written: one that fails and runs again is counted once."""
    event.listen(tx, "after_commit", lambda session: counter.inc(), once=True)
