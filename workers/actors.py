"""The dramatiq actors: they write wishes and return. A recording that lasts for hours holds no message."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable, Collection
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage, Middleware, Shutdown, TimeLimitExceeded

from workers.carry_out import carry_out
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.messages import MESSAGES
from workers.observing import metrics
from workers.refused import Refused
from workers.settings import Settings

log = logging.getLogger(__name__)

MAX_BACKOFF = 30.0
"""Seconds between two tries of a message that waits for the ledger."""
_PASSING = (LedgerUnavailable, TimeLimitExceeded, Shutdown)


def declare(
    broker: dramatiq.Broker,
    ledger: Ledger,
    settings: Settings,
    languages: Callable[[], Collection[str]] = frozenset,
) -> dict[str, dramatiq.Actor[..., None]]:
    """One actor for each message type, on the broker given.

    A message's payload is its one argument, or its keyword arguments. A bad message is refused once and for all; one
    that meets a ledger out of reach waits for it where it is, so that the messages of a call keep their order, and is
    then given back to be tried again, for as long as ``broker.keep_trying``. ``languages`` are those that the speech
    engine of this worker understands, as far as it has said by then.
    """
    stopping = _Stopping()
    broker.add_middleware(stopping)
    tries = int(settings.broker.keep_trying / MAX_BACKOFF) + 8

    def again(attempts: int, error: BaseException) -> bool:
        return isinstance(error, _PASSING) and attempts < tries

    declared = {
        name: dramatiq.Actor(
            _actor(name, ledger, settings, languages, stopping.event),
            actor_name=name,
            broker=broker,
            queue_name=settings.broker.queue,
            priority=0,
            options={
                "retry_when": again,
                "min_backoff": 500,
                "max_backoff": int(MAX_BACKOFF * 1000),
                "time_limit": settings.broker.time_limit * 1000,
            },
        )
        for name in MESSAGES
    }
    for actor in declared.values():
        # Below that it writes down what it is called with, which opens rooms.
        actor.logger.setLevel(logging.INFO)
    return declared


class _Stopping(Middleware):
    """Tells those that wait that the worker is to end, so that their messages are given back in time."""

    def __init__(self) -> None:
        self.event = threading.Event()

    def before_worker_shutdown(self, broker: dramatiq.Broker, worker: dramatiq.Worker) -> None:
        self.event.set()


def _actor(
    name: str,
    ledger: Ledger,
    settings: Settings,
    languages: Callable[[], Collection[str]],
    stopping: threading.Event,
) -> Callable[..., None]:
    def actor(*arguments: Any, **fields: Any) -> None:
        current = CurrentMessage.get_current_message()
        message_id = current.message_id if current is not None else str(uuid.uuid4())
        sent_ms = current.message_timestamp if current is not None else None
        payload: Any = fields
        if arguments:
            payload = arguments[0] if len(arguments) == 1 and not fields else list(arguments)
        count = metrics.MESSAGES
        try:
            _patiently(
                lambda: carry_out(ledger, settings, name, payload, message_id, sent_ms, languages()),
                settings.broker.time_limit / 2,
                stopping,
            )
            count.labels(name, "accepted").inc()
        except Refused:
            count.labels(name, "refused").inc()
            return  # told and logged; trying again would not make it better
        except _PASSING as error:
            count.labels(name, "retried").inc()
            log.warning("%s %s waits: %s", name, message_id, error)
            raise
        except Exception:
            count.labels(name, "failed").inc()
            log.exception("%s %s could not be carried out", name, message_id)
            raise

    return actor


def _patiently(deed: Callable[[], object], seconds: float, stopping: threading.Event) -> None:
    """Do it, again and again while the ledger is out of reach, for that long. Raises LedgerUnavailable."""
    deadline = time.monotonic() + seconds
    pause = 0.05
    while True:
        try:
            deed()
            return
        except LedgerUnavailable:
            if time.monotonic() + pause > deadline or stopping.wait(pause):
                raise
        pause = min(2 * pause, 1.0)
