"""Rows that are added unless they are there, whoever else adds them at the same time."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from sqlalchemy import Table
from sqlalchemy.orm import Session

from workers.ledger.tables import Base


def insert_new(tx: Session, table: type[Base], **values: Any) -> bool:
    """Add a row. False, and no error, when one of its keys is there; waits for a transaction that is adding it."""
    rows = table.__table__
    assert isinstance(rows, Table)
    # Only the dialect that is used: a command on SQLite would be a tenth slower by loading the other.
    kind = import_module(f"sqlalchemy.dialects.{tx.get_bind().dialect.name}")
    statement = kind.insert(rows).values(**values).on_conflict_do_nothing().returning(*rows.primary_key)
    return tx.execute(statement).one_or_none() is not None
