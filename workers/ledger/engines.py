"""The connections of each kind of database, set up so that transactions mean the same on both.

Whatever a transaction read is still true when it commits. SQLite lets one writer in at a time; PostgreSQL runs writers
as SERIALIZABLE, and one that would have seen something untrue fails and is run again (:meth:`Ledger.write`).
"""

from __future__ import annotations

import sqlite3
import time
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

CONNECT_TIMEOUT = 5
"""Seconds to reach PostgreSQL."""
STATEMENT_TIMEOUT = 20
"""Seconds that PostgreSQL works on one statement; each of ours takes milliseconds."""
LOCK_TIMEOUT = 5
"""Seconds that a statement waits for a row that another transaction holds."""
IDLE_TIMEOUT = 15
"""Seconds that a transaction may wait for its client: a host that dies in the middle of one holds others no longer."""

_KEPT_ALIVE = {
    "keepalives": 1,
    "keepalives_idle": 3,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 6000,
}
"""libpq: a host that is gone is noticed within six seconds, idle or in the middle of something."""

_SESSION = (
    f"SET statement_timeout = '{STATEMENT_TIMEOUT}s'",
    f"SET lock_timeout = '{LOCK_TIMEOUT}s'",
    f"SET idle_in_transaction_session_timeout = '{IDLE_TIMEOUT}s'",
    # A scan of a whole table makes a SERIALIZABLE transaction depend on every row of it, and fail with any writer.
    "SET enable_seqscan = off",
)

_WRITES = "wallflower_writes"
_MIGRATES = "wallflower_migrates"


def with_driver(url: URL) -> URL:
    """PostgreSQL by psycopg 3, unless the URL names another driver."""
    return url.set(drivername="postgresql+psycopg") if url.drivername in ("postgres", "postgresql") else url


def engine_for(url: URL, busy_timeout: float) -> Engine:
    """Raises ImportError or ArgumentError when there is no driver."""
    return _sqlite(url, busy_timeout) if url.get_backend_name() == "sqlite" else _postgresql(url)


def writer_of(engine: Engine) -> Engine:
    """The same pool, for transactions that write."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_WRITES: True})
    return engine.execution_options(isolation_level="SERIALIZABLE")


def migrator_of(engine: Engine) -> Engine:
    """The same pool, for the one transaction that changes the schema. Dispose of the pool after it."""
    if engine.dialect.name == "sqlite":
        return engine.execution_options(**{_WRITES: True, _MIGRATES: True})
    # What others migrated while this one waited for its turn must be seen.
    return engine.execution_options(isolation_level="READ COMMITTED")


def _postgresql(url: URL) -> Engine:
    named = {"connect_timeout": CONNECT_TIMEOUT, "application_name": "wallflower", **_KEPT_ALIVE}
    engine = create_engine(
        url,
        # Readers see one moment, as on SQLite; that never fails.
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
        pool_size=5,
        max_overflow=15,
        pool_timeout=10,
        # What was needed for a burst of messages is given back.
        pool_use_lifo=True,
        pool_recycle=1800,
        connect_args={name: value for name, value in named.items() if name not in url.query},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        autocommit, connection.autocommit = connection.autocommit, True
        with connection.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
        connection.autocommit = autocommit

    return engine


def _sqlite(url: URL, busy_timeout: float) -> Engine:
    engine = create_engine(url, connect_args={"timeout": busy_timeout, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def configure(connection: Any, record: Any) -> None:
        # Python's sqlite3 would begin transactions by itself, and too late: see below.
        connection.isolation_level = None
        cursor = connection.cursor()
        _write_ahead(cursor, busy_timeout)
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once when another one wrote in between, whatever
        # the timeout is; one that says from the start that it writes waits for its turn.
        options = connection.get_execution_options()
        if options.get(_MIGRATES):
            # A table is changed by making it anew; dropping the old one would drop what refers to it.
            connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get(_WRITES) else "BEGIN")

    return engine


def _write_ahead(cursor: Any, timeout: float) -> None:
    """Readers and the writer do not wait for one another. SQLite does not wait for its turn to change this itself."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        time.sleep(0.02)
