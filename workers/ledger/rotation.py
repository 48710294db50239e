"""Seals everything in the ledger anew with the first of its keys, a bounded batch at a time."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Column, Table, Text, select, type_coerce, update
from sqlalchemy.orm import Session

from egress.sealing import Keyring, SealError
from workers.ledger.database import Ledger
from workers.ledger.sealed import Sealed
from workers.ledger.tables import Base

BATCH = 200
"""Rows of one transaction."""


@dataclass(frozen=True, slots=True)
class Rotated:
    seen: int
    """Sealed values that there are."""
    changed: int
    """Of them, those that another than the first key had sealed."""


def sealed_columns() -> list[Column[object]]:
    return [
        column for table in Base.metadata.sorted_tables for column in table.columns if isinstance(column.type, Sealed)
    ]


def rotate(ledger: Ledger, keyring: Keyring) -> Rotated:
    """Workers may go on meanwhile, as long as they have the new key too. Raises SealError, LedgerUnavailable."""
    seen = changed = 0
    for column in sealed_columns():
        after = ""
        while True:
            last, number, anew = ledger.write(lambda tx, c=column, a=after: _batch(tx, keyring, c, a))  # type: ignore[misc]
            seen, changed = seen + number, changed + anew
            if last is None:
                break
            after = last
    return Rotated(seen, changed)


def _batch(tx: Session, keyring: Keyring, column: Column[object], after: str) -> tuple[str | None, int, int]:
    """The key of the last row looked at (None at the end), how many were sealed, how many are sealed anew."""
    table = column.table
    assert isinstance(table, Table)
    (key,) = table.primary_key.columns
    raw = type_coerce(column, Text)
    rows = tx.execute(select(key, raw).where(key > after, column.is_not(None)).order_by(key).limit(BATCH)).all()
    anew = 0
    for row_key, text in rows:
        try:
            fresh = keyring.sealed_anew(text)
        except SealError as error:
            raise SealError(f"{table.name}.{column.name} of {row_key}: {error}") from None
        if fresh is not None:
            # Only what was read: a worker may have written something else since.
            tx.execute(update(table).where(key == row_key, raw == text).values({column.name: type_coerce(fresh, Text)}))
            anew += 1
    return (rows[-1][0] if len(rows) == BATCH else None), len(rows), anew
