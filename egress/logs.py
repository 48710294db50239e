"""Logs of workers and attendants: which call and egress a line is about, as text or JSON, and never a secret.

``with about(call_cid="default:abc"):`` names what the lines inside are about; asyncio tasks begun there inherit it.
An attendant, which serves one call with many threads, says it once for the whole process: :func:`always_about`.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO
from urllib.parse import quote

from pydantic import BaseModel, SecretStr

FORMATS = ("text", "json")
MOST_SECRETS = 1000
SHORTEST_SECRET = 4
"""Characters. What is shorter would be found in every other word."""
HIDDEN = "***"

_ALWAYS: dict[str, str] = {}
_ABOUT: ContextVar[dict[str, str]] = ContextVar("about", default={})  # noqa: B039 - never changed, only replaced
_SECRETS: dict[str, None] = {}
_pattern: re.Pattern[str] | None = None

_SEALED = re.compile(r"gAAAAA[A-Za-z0-9_-]{50,}={0,2}")
"""A Fernet token (version 0x80 and a time of this century)."""
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}")
"""A signed JSON Web Token (RFC 7519) in its compact form: both of its objects begin with a quoted name."""
_PASSWORD = re.compile(r"(?P<before>[a-z][a-z0-9+.-]*://[^\s/:@?#\"']*):[^\s/@\"']+@", re.IGNORECASE)
"""The password of a URL."""


@contextmanager
def about(**names: str) -> Iterator[None]:
    """Name what the lines inside are about: ``call_cid``, ``session_id``, ``egress_id``."""
    token = _ABOUT.set({**_ABOUT.get(), **names})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def now_about(**names: str) -> None:
    """The same until the end of the current task."""
    _ABOUT.set({**_ABOUT.get(), **names})


def always_about(**names: str) -> None:
    """The same for every thread of this process, from now on."""
    _ALWAYS.update(names)


def hide(secrets: Iterable[str]) -> None:
    """Keep these out of the log, as they are and as they stand in URLs."""
    global _pattern
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            _SECRETS.pop(secret, None)
            _SECRETS[secret] = None
    while len(_SECRETS) > MOST_SECRETS:
        del _SECRETS[next(iter(_SECRETS))]
    forms = {form for secret in _SECRETS for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])}
    # The longest first: one secret may begin with another.
    ordered = sorted(forms, key=len, reverse=True)
    _pattern = re.compile("|".join(re.escape(form) for form in ordered)) if ordered else None


def secrets_in(value: Any) -> Iterator[str]:
    """Every SecretStr inside models, lists and dictionaries."""
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from secrets_in(getattr(value, name))
    elif isinstance(value, dict):
        for one in value.values():
            yield from secrets_in(one)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for one in value:
            yield from secrets_in(one)


_TELLING = ("secret", "pin", "token", "password", "credential", "key")
_HARMLESS = ("roles_key",)
"""Names that only sound like it: what they say may be any word."""


def is_telling(name: str) -> bool:
    """Whether what has that name is secret, as far as names tell."""
    return name not in _HARMLESS and any(part in name.lower() for part in _TELLING)


def telling_in(value: Any) -> Iterator[str]:
    """Strings that are secret by their names, where an object is free-form: the address of a room."""
    if isinstance(value, dict):
        for name, one in value.items():
            if isinstance(one, str) and is_telling(name):
                yield one
            else:
                yield from telling_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from telling_in(one)


def clean(text: str) -> str:
    """The text without known secrets, sealed ones, access tokens and passwords of URLs."""
    if _pattern is not None:
        text = _pattern.sub(HIDDEN, text)
    text = _JWT.sub(HIDDEN, text)
    return _PASSWORD.sub(rf"\g<before>:{HIDDEN}@", _SEALED.sub(HIDDEN, text))


def context() -> dict[str, str]:
    return {**_ALWAYS, **_ABOUT.get()}


class TextFormatter(logging.Formatter):
    """``time LEVEL logger: message [call_cid=… egress_id=…]``."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        told = " ".join(f"{name}={value}" for name, value in context().items() if value not in record.message)
        return f"{line} [{told}]" if told else line

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, logger, message, pid, what it is about, exception."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
            "pid": record.process,
            **context(),
        }
        if record.exc_info:
            told["exception"] = clean(self.formatException(record.exc_info))
        return json.dumps(told, ensure_ascii=False)


def configure(level: int, format: Literal["text", "json"] = "text", stream: TextIO | None = None) -> None:
    """Send all logs of this process to standard error (or ``stream``) in that format."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if format == "json" else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)


def format_by_environment() -> Literal["text", "json"]:
    """How an attendant is told the format: the variable that the worker's setting has."""
    return "json" if os.environ.get("WALLFLOWER_LOGS__FORMAT", "text").lower() == "json" else "text"
