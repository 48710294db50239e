"""What a database's errors mean: away for now, in conflict with another transaction, or wrong for good."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout


class LedgerError(Exception):
    """The ledger cannot be used. The text is one sentence for people."""


class LedgerUnavailable(LedgerError):
    """The ledger is out of reach for now: trying again may help."""


class LedgerConflict(LedgerUnavailable):
    """Another transaction was first; the same transaction, run again at once, sees what that one did."""


_CONFLICTS = frozenset(
    {
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "23505",  # unique_violation: two inserted the same at once; who comes second finds it there
        "55P03",  # lock_not_available
    }
)
_AWAY = frozenset(
    {
        "25006",  # read_only_sql_transaction: the server became a standby
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
    }
)
"""SQLSTATEs that drivers do not count among operational errors (those are all taken for passing)."""


def meaning(error: DBAPIError | PoolTimeout, shown_url: str) -> LedgerError | None:
    """The error as callers of the ledger know it; None when it is a fault of the statement itself."""
    if isinstance(error, PoolTimeout):
        return LedgerUnavailable(f"the ledger {shown_url} cannot be used: all its connections are busy")
    state = getattr(error.orig, "sqlstate", None)
    said = str(error.orig).strip() or type(error.orig).__name__
    if state in _CONFLICTS:
        return LedgerConflict(f"the ledger {shown_url}: two transactions were in each other's way: {said}")
    passing = type(error).__name__ in ("OperationalError", "InterfaceError")
    if passing or error.connection_invalidated or state in _AWAY:
        return LedgerUnavailable(f"the ledger {shown_url} cannot be used: {said}")
    return None
