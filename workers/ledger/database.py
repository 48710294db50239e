"""The ledger's database: transactions that read and transactions that write, on SQLite or PostgreSQL."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.orm import Session

from egress.sealing import Keyring
from workers.ledger import sealed

HEAD = "0002"
"""The migration that this code is written for."""


class LedgerError(Exception):
    """The ledger cannot be used. The text is one sentence for people."""


class LedgerUnavailable(LedgerError):
    """The ledger is out of reach for now: trying again may help."""


class Ledger:
    """Give transactions on one database. Safe to use from many threads."""

    def __init__(self, url: str, keyring: Keyring, busy_timeout: float = 5.0) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError:
            raise LedgerError("ledger.url is no database URL such as sqlite:///file or postgresql://…") from None
        self._sqlite = self.url.get_backend_name() == "sqlite"
        if self._sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
            # It holds the addresses of rooms, and with them their secrets: its owner's business alone.
            Path(self.url.database).touch(mode=0o600)
        try:
            self.engine = _engine(url, self._sqlite, busy_timeout)
        except (ImportError, ArgumentError) as error:
            raise LedgerError(f"ledger.url: no driver for {self.url.drivername} ({error})") from None
        sealed.use(self.engine.dialect, keyring)
        self._writer = self.engine.execution_options(wallflower_writes=True)

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._guarded(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction: all of it is written at the end, or nothing."""
        with self._guarded(), Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session

    def version(self) -> str | None:
        """The migration that the database stands at; None for an empty one."""
        with self._guarded(), self.engine.connect() as connection:
            if not self.engine.dialect.has_table(connection, "alembic_version"):
                return None
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return str(found) if found is not None else None

    def upgrade(self) -> None:
        """Bring the database to the schema of this code; nothing happens when it is there."""
        if self.version() == HEAD:
            return
        from workers.ledger.upgrade import upgrade

        with self._guarded(), self._writer.begin() as connection:
            upgrade(connection)

    def close(self) -> None:
        self.engine.dispose()

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as error:
            if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
                raise LedgerUnavailable(f"the ledger {self.shown_url} cannot be used: {error.orig}") from error
            raise


def _engine(url: str, sqlite: bool, busy_timeout: float) -> Engine:
    if not sqlite:
        return create_engine(url, pool_pre_ping=True)
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
        writes = connection.get_execution_options().get("wallflower_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

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
