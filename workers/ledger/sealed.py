"""Columns whose content is sealed: JSON objects that may hold secrets, readable only with the ledger's keys."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from egress.sealing import Keyring

_KEYRINGS: WeakKeyDictionary[Dialect, Keyring] = WeakKeyDictionary()
"""Each database engine has a dialect of its own, and so each ledger its keys."""


def use(dialect: Dialect, keyring: Keyring) -> None:
    """Seal and open the columns of that engine's database with these keys."""
    _KEYRINGS[dialect] = keyring


def keyring_of(dialect: Dialect) -> Keyring:
    """The keys that were given for that engine's database."""
    return _KEYRINGS[dialect]


class Sealed(TypeDecorator[dict[str, Any]]):
    """A JSON object, sealed. It cannot be searched for in SQL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, Any] | None, dialect: Dialect) -> str | None:
        return None if value is None else _KEYRINGS[dialect].seal(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> dict[str, Any] | None:
        return None if value is None else _KEYRINGS[dialect].open(value)
