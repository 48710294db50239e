"""The worker's logs: in the format of the settings, without any secret of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from dramatiq import Message
from dramatiq.broker import MessageProxy

from egress import logs
from egress.logs import about, now_about
from workers.settings import Settings

__all__ = ["about", "configure", "now_about", "secrets_of"]

NOISY = ("alembic", "pika", "botocore", "boto3", "s3transfer", "urllib3", "httpx", "httpcore")
"""Libraries whose everyday business is nobody's concern."""
LONGEST_TOLD_PATH = 12
"""Characters of a hook's path that are too few for a token."""


def configure(settings: Settings, level: int) -> None:
    """Log to standard error from now on."""
    logs.hide(secrets_of(settings))
    logs.configure(level, settings.logs.format)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for handler in logging.getLogger().handlers:
        handler.addFilter(_without_payload)


def _without_payload(record: logging.LogRecord) -> bool:
    """dramatiq writes messages whole, with what opens a room; their names and ids are enough to find them."""
    if isinstance(record.args, tuple):
        record.args = tuple(_named(one) for one in record.args)
    return True


def _named(value: Any) -> Any:
    return f"{value.actor_name} {value.message_id}" if isinstance(value, (Message, MessageProxy)) else value


def secrets_of(settings: Settings) -> Iterator[str]:
    """What must not be read in a log. Of a URL, that is its password and where it leads, not its host."""
    for secret in logs.secrets_in(settings):
        if "://" not in secret:
            yield secret
            continue
        parts = urlsplit(secret)
        if parts.password:
            yield parts.password
            yield unquote(parts.password)
        # A hook's path may be all that protects it; a database's name is no secret.
        if parts.scheme in ("http", "https") and len(parts.path) > LONGEST_TOLD_PATH:
            yield parts.path
        if parts.query:
            yield parts.query
    addresses = [call_type.connector for call_type in settings.call_types.values()]
    yield from (value for value in logs.telling_in([*addresses, *settings.ice_servers]) if "{" not in value)
    yield from logs.telling_in(list(settings.projects.values()))
