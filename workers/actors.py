"""The dramatiq actors: they write wishes and return. A recording that lasts for hours holds no message."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from typing import Any

import dramatiq
from dramatiq.middleware import CurrentMessage

from workers.carry_out import carry_out
from workers.ledger.database import Ledger, LedgerUnavailable
from workers.messages import MESSAGES
from workers.payload import BadMessage
from workers.settings import Settings

log = logging.getLogger(__name__)


def declare(broker: dramatiq.Broker, ledger: Ledger, settings: Settings) -> dict[str, dramatiq.Actor[..., None]]:
    """One actor for each message type, on the broker given.

    A message's payload is its one argument, or its keyword arguments. A bad message is refused once and for all;
    one that met a ledger out of reach is tried again, later each time.
    """
    retries = settings.broker.retries

    def again(attempts: int, error: Exception) -> bool:
        return isinstance(error, LedgerUnavailable) and attempts < retries

    return {
        name: dramatiq.Actor(
            _actor(name, ledger, settings),
            actor_name=name,
            broker=broker,
            queue_name=settings.broker.queue,
            priority=0,
            options={
                "retry_when": again,
                "min_backoff": 500,
                "max_backoff": 30_000,
                "time_limit": settings.broker.time_limit * 1000,
            },
        )
        for name in MESSAGES
    }


def _actor(name: str, ledger: Ledger, settings: Settings) -> Callable[..., None]:
    def actor(*arguments: Any, **fields: Any) -> None:
        current = CurrentMessage.get_current_message()
        message_id = current.message_id if current is not None else str(uuid.uuid4())
        payload: Any = fields
        if arguments:
            payload = arguments[0] if len(arguments) == 1 and not fields else list(arguments)
        try:
            carry_out(ledger, settings, name, payload, message_id)
        except BadMessage:
            return  # told and logged; trying again would not make it better
        except LedgerUnavailable:
            raise
        except Exception:
            log.exception("%s %s could not be carried out", name, message_id)
            raise

    return actor
